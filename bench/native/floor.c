/*
 * The floor: what the kernel alone asks for one event to one reader. Accepts, answers a fixed head, and from then on a
 * loop of write(2) of one shared buffer over every socket. No HTTP, no queue, no slow readers: whoever does not take
 * an event at once has lost it, which the load generator notices.
 *
 * stdin: "go BYTES RATE", "stop". stdout: lines of "@ {json}".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MOST 200000
static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

static int sockets[MOST], place[MOST + 64], count;
static char *frame;
static size_t frame_length, stamp_at;
static long events, failed;

static long long microseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* An SSE event in an HTTP chunk, `bytes` of data that begin with @T and 16 digits of the clock. */
static void make_frame(size_t bytes) {
  free(frame);
  size_t event = strlen("event: change\ndata: \n\n") + bytes;
  frame = malloc(event + 64);
  size_t n = (size_t)sprintf(frame, "%zx\r\nevent: change\ndata: ", event);
  stamp_at = n + 2;
  memcpy(frame + n, "@T0000000000000000", 18);
  for (size_t i = 18; i < bytes; i++) frame[n + i] = (char)('0' + (i * 7919 % 10));
  memcpy(frame + n + bytes, "\n\n\r\n", 4);
  frame_length = n + bytes + 4;
}

static void cast(void) {
  char digits[24];
  snprintf(digits, sizeof digits, "%016lld", microseconds());
  memcpy(frame + stamp_at, digits, 16);
  for (int i = 0; i < count; i++)
    if (write(sockets[i], frame, frame_length) != (ssize_t)frame_length) failed++;
  events++;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 8192)) return perror("listen"), 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  int fixed[] = {listener, timer, 0};
  for (int i = 0; i < 3; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fixed[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fixed[i], &event);
  }
  make_frame(200);
  printf("@ {\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event ready[256];
    int n = epoll_wait(epoll, ready, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        for (int accepted; (accepted = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
          int on = 1;
          setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          struct epoll_event event = {.events = EPOLLIN, .data.fd = accepted};
          epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
          if (accepted >= MOST || count >= MOST) return fprintf(stderr, "too many connections\n"), 1;
          place[accepted] = -1;
        }
      } else if (fd == timer) {
        uint64_t ticks;
        if (read(timer, &ticks, sizeof ticks) > 0) cast();
      } else if (fd == 0) {
        char line[256];
        ssize_t got = read(0, line, sizeof line - 1);
        if (got <= 0) return 0;
        line[got] = 0;
        struct itimerspec every = {0};
        size_t bytes;
        double rate;
        if (sscanf(line, "go %zu %lf", &bytes, &rate) == 2) {
          make_frame(bytes < 20 ? 20 : bytes);
          events = failed = 0;
          every.it_value.tv_sec = every.it_interval.tv_sec = (time_t)(1 / rate);
          every.it_value.tv_nsec = every.it_interval.tv_nsec = (long)(1e9 / rate) % 1000000000L;
        }
        timerfd_settime(timer, 0, &every, 0);
        printf("@ {\"events\":%ld,\"failed\":%ld}\n", events, failed);
        fflush(stdout);
      } else {
        char request[8192];
        ssize_t got = read(fd, request, sizeof request);
        if (got > 0 && place[fd] < 0) {
          if (write(fd, head, sizeof head - 1) < 0) failed++;
          place[fd] = count;
          sockets[count++] = fd;
        } else if (got == 0 || (got < 0 && errno != EAGAIN)) {
          if (place[fd] >= 0) {
            sockets[place[fd]] = sockets[--count];
            place[sockets[place[fd]]] = place[fd];
          }
          close(fd);
        }
      }
    }
  }
}
