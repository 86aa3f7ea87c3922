/*
 * Readers, as many as are asked for, in one process that costs little: counts every event that arrives at every reader.
 *
 * load PORT READERS TOGETHER STALLED COUNTING READY MARK GREETING < requests, then commands
 *   TOGETHER  connections under way at once
 *   STALLED   the first so many readers take no byte after they were answered
 *   COUNTING  marks: occurrences of MARK; stamps: MARK is followed by 16 digits, µs of CLOCK_MONOTONIC;
 *             frames: WebSocket messages; blocks: what ends with a deflate flush
 *   READY     a reader is answered when this has come
 *   GREETING  what each says then, in hex; may be empty
 *
 * stdin: "COUNT BYTES\n", then so many requests, each after a line with its length; then commands: "count", "reset".
 * stdout: lines of "@ {json}".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTING, ASKED, OPEN, GONE };
#define CARRY 96
#define SUB 64
#define BUCKETS (64 * 40)

struct reader {
  int fd, state;
  long messages, bytes;
  long long began, answered;
  unsigned kept;
  char carry[CARRY];
  /* WebSocket: how much of the empty line is seen, the head of a frame so far, what is left of its payload */
  unsigned line;
  unsigned char frame[14];
  unsigned have;
  unsigned long long left;
};

static struct reader *readers;
static long buckets[BUCKETS];
static long long slowest;
static int port, total, together, stalled, started, answered, lost, epoll;
static const char *ready_text, *mark, *counting;
static int is_socket;
static char greeting[64];
static size_t greeting_length;
static size_t ready_length, mark_length;
static char **requests;
static size_t *request_lengths;
static int request_count;
static long long began;
static char buffer[CARRY + 262144];

static long long microseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static int bucket(long long us) {
  if (us < SUB) return us < 0 ? 0 : (int)us;
  int power = 63 - __builtin_clzll((unsigned long long)us);
  int at = (power - 5) * SUB + (int)((us >> (power - 6)) - SUB);
  return at < BUCKETS ? at : BUCKETS - 1;
}

static double bucket_ms(int at) {
  if (at < SUB) return at / 1000.0;
  return (double)((long long)(SUB + at % SUB) << (at / SUB - 1)) / 1000.0;
}

static double quantile(double share) {
  long all = 0, seen = 0;
  for (int i = 0; i < BUCKETS; i++) all += buckets[i];
  if (all == 0) return -1;
  for (int i = 0; i < BUCKETS; i++)
    if ((seen += buckets[i]) >= share * (double)all) return bucket_ms(i);
  return -1;
}

static void note(long long us) {
  buckets[bucket(us)]++;
  if (us > slowest) slowest = us;
}

static void lose(struct reader *r) {
  if (r->state == GONE) return;
  if (r->state != OPEN) answered++;
  r->state = GONE;
  close(r->fd);
  lost++;
}

static int by_value(const void *a, const void *b) {
  long long x = *(const long long *)a, y = *(const long long *)b;
  return x < y ? -1 : x > y;
}

static void say_ready(void) {
  long long *took = malloc(sizeof *took * (size_t)total);
  int n = 0;
  for (int i = 0; i < total; i++)
    if (readers[i].state == OPEN) took[n++] = readers[i].answered - readers[i].began;
  qsort(took, (size_t)n, sizeof *took, by_value);
  printf("@ {\"ready\":%d,\"lost\":%d,\"seconds\":%.3f,\"p50\":%.2f,\"p99\":%.2f}\n", n, lost,
         (double)(microseconds() - began) / 1e6, n ? (double)took[n / 2] / 1e3 : -1.0,
         n ? (double)took[(int)(n * 0.99)] / 1e3 : -1.0);
  fflush(stdout);
  free(took);
}

static void answer(struct reader *r) {
  r->state = OPEN;
  r->answered = microseconds();
  answered++;
  if (greeting_length > 0 && write(r->fd, greeting, greeting_length) < 0) perror("greeting");
  if (r - readers < stalled) {
    struct epoll_event none = {.events = 0, .data.ptr = r};
    epoll_ctl(epoll, EPOLL_CTL_MOD, r->fd, &none);
  }
}

/* A server closes the connection of whoever leaves its pings unanswered. */
static void pong(struct reader *r) {
  static const char frame[] = "\x8a\x80\0\0\0";
  if (write(r->fd, frame, 6) < 0 && errno != EAGAIN) perror("pong");
}

static void scan_frames(struct reader *r, const char *data, size_t n) {
  static const char empty_line[] = "\r\n\r\n";
  for (; r->line < 4 && n > 0; data++, n--) r->line = *data == empty_line[r->line] ? r->line + 1 : *data == '\r';
  while (n > 0) {
    if (r->left > 0) {
      size_t skip = n < r->left ? n : (size_t)r->left;
      r->left -= skip, data += skip, n -= skip;
      continue;
    }
    r->frame[r->have++] = (unsigned char)*data++, n--;
    if (r->have < 2) continue;
    unsigned size = r->frame[1] & 127, need = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (r->have < need) continue;
    unsigned long long length = size < 126 ? size : 0;
    for (unsigned i = 2; i < need; i++) length = length << 8 | r->frame[i];
    if (counting[0] == 'f' && (r->frame[0] & 0x80) && (r->frame[0] & 15) < 8) r->messages++;
    if ((r->frame[0] & 15) == 9) pong(r);
    r->left = length, r->have = 0;
  }
}

static void scan(struct reader *r, char *data, size_t n) {
  if (r->state == ASKED) {
    char *found = n < ready_length ? 0 : memmem(data, n, ready_text, ready_length);
    if (!found) {
      r->kept = n < ready_length - 1 ? (unsigned)n : (unsigned)ready_length - 1;
      memcpy(r->carry, data + n - r->kept, r->kept);
      return;
    }
    n -= (size_t)(found + ready_length - data);
    data = found + ready_length;
    r->kept = 0;
    answer(r);
  }
  if (counting[0] == 'f') return;
  size_t need = mark_length + (counting[0] == 's' ? 16 : 0), at = 0;
  long long now = counting[0] == 's' ? microseconds() : 0;
  for (char *found; n >= at + need && (found = memmem(data + at, n - at, mark, mark_length));) {
    size_t where = (size_t)(found - data);
    if (where + need > n) {
      at = where;
      break;
    }
    r->messages++;
    if (now) {
      char digits[17] = {0};
      memcpy(digits, found + mark_length, 16);
      note(now - atoll(digits));
    }
    at = where + need;
  }
  size_t rest = n - at;
  r->kept = rest < need - 1 ? (unsigned)rest : (unsigned)need - 1;
  memmove(r->carry, data + n - r->kept, r->kept);
}

static void on_reader(struct reader *r, unsigned events) {
  if (r->state == GONE) return;
  if (r->state == CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
    size_t which = (size_t)((r - readers) % request_count);
    if (write(r->fd, requests[which], request_lengths[which]) != (ssize_t)request_lengths[which]) return lose(r);
    r->state = ASKED;
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = r};
    epoll_ctl(epoll, EPOLL_CTL_MOD, r->fd, &in);
    return;
  }
  memcpy(buffer, r->carry, r->kept);
  ssize_t got = read(r->fd, buffer + r->kept, sizeof buffer - CARRY);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return lose(r);
  if (got < 0) return;
  r->bytes += got;
  unsigned kept = r->kept;
  if (is_socket) scan_frames(r, buffer + kept, (size_t)got);
  r->kept = 0;
  scan(r, buffer, (size_t)got + kept);
}

static void start_some(void) {
  while (started < total && started - answered < together) {
    struct reader *r = &readers[started++];
    r->began = microseconds();
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->fd < 0) {
      perror("socket");
      exit(1);
    }
    int on = 1;
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = r};
    epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &event);
    if (connect(r->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) lose(r);
  }
}

static void say_count(void) {
  long messages = 0, bytes = 0, least = -1, most = 0;
  for (int i = stalled; i < total; i++) {
    struct reader *r = &readers[i];
    messages += r->messages, bytes += r->bytes;
    if (least < 0 || r->messages < least) least = r->messages;
    if (r->messages > most) most = r->messages;
  }
  struct timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  printf("@ {\"messages\":%ld,\"bytes\":%ld,\"least\":%ld,\"most\":%ld,\"lost\":%d,\"p50\":%.3f,\"p99\":%.3f,"
         "\"p999\":%.3f,\"max\":%.3f,\"cpu\":%.3f}\n",
         messages, bytes, least < 0 ? 0 : least, most, lost, quantile(0.5), quantile(0.99), quantile(0.999),
         (double)slowest / 1e3, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
  fflush(stdout);
}

static void reset(void) {
  for (int i = 0; i < total; i++) readers[i].messages = readers[i].bytes = 0;
  memset(buckets, 0, sizeof buckets);
  slowest = 0;
}

int main(int argc, char **argv) {
  if (argc != 9) return fprintf(stderr, "load PORT READERS TOGETHER STALLED COUNTING READY MARK GREETING\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  port = atoi(argv[1]), total = atoi(argv[2]), together = atoi(argv[3]), stalled = atoi(argv[4]);
  counting = argv[5], ready_text = argv[6], mark = argv[7];
  for (const char *hex = argv[8]; hex[0] && hex[1] && greeting_length < sizeof greeting; hex += 2) {
    char digits[3] = {hex[0], hex[1], 0};
    greeting[greeting_length++] = (char)strtol(digits, 0, 16);
  }
  ready_length = strlen(ready_text), mark_length = strlen(mark);
  if (counting[0] == 'b') mark = "\0\0\xff\xff", mark_length = 4;
  if (scanf("%d\n", &request_count) != 1 || request_count < 1) return 2;
  requests = calloc((size_t)request_count, sizeof *requests);
  request_lengths = calloc((size_t)request_count, sizeof *request_lengths);
  for (int i = 0; i < request_count; i++) {
    /* No white space after the number but one line end, or the request's own would go with it. */
    if (scanf("%zu", &request_lengths[i]) != 1 || getchar() != '\n') return 2;
    requests[i] = malloc(request_lengths[i]);
    if (fread(requests[i], 1, request_lengths[i], stdin) != request_lengths[i]) return 2;
  }
  is_socket = memmem(requests[0], request_lengths[0], "Upgrade: websocket", 18) != 0;
  readers = calloc((size_t)total, sizeof *readers);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  /* What stdio has read ahead belongs to the requests: commands come only after "ready". */
  struct epoll_event in = {.events = EPOLLIN, .data.ptr = 0};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &in);
  began = microseconds();
  start_some();
  int said = 0;
  for (;;) {
    struct epoll_event ready[512];
    int n = epoll_wait(epoll, ready, 512, -1);
    for (int i = 0; i < n; i++) {
      if (ready[i].data.ptr) {
        on_reader(ready[i].data.ptr, ready[i].events);
        continue;
      }
      char line[64];
      ssize_t got = read(0, line, sizeof line);
      if (got <= 0) return 0;
      if (line[0] == 'r') reset();
      say_count();
    }
    start_some();
    if (!said && answered == total) said = 1, say_ready();
  }
}
