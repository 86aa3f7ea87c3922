/** Who is measured, how each is started, and why one is not there. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { type Answer, Child, cores } from "./Child.ts"
import { eventText } from "./Event.ts"
import { floor } from "./Native.ts"
import { pause } from "./Report.ts"

export type Road = "SSE" | "WebSocket"
/** How a reader knows an event: see native/load.c. */
export type Counting = "stamps" | "marks" | "frames" | "blocks"

/** A server that runs. */
export interface Server {
  readonly pid: number
  readonly port: number
  readonly cpu: number
  readonly kiB: number
  readonly go: (bytes: number, rate: number) => Promise<unknown>
  readonly stop: () => Promise<{ readonly events: number }>
  /** Commands of Node servers; see Probe.ts. `undefined` for others. */
  readonly ask: ((command: string) => Promise<Answer>) | undefined
  readonly kill: () => void
}

export interface Contestant {
  readonly name: string
  readonly road: Road
  readonly request: (port: number) => string
  readonly counting: Counting
  /** Where the head of the answer does not do: what must have come, and what is said then, in hex. */
  readonly ready?: string
  readonly greeting?: string
  readonly version: string
  /** Why it cannot be measured here. */
  readonly missing: string | undefined
  readonly start: () => Promise<Server>
}

export const requestOf = (
  port: number,
  path: string,
  road: Road,
  headers: ReadonlyArray<string> = []
): string =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...(road === "WebSocket"
      ? [
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        ]
      : ["Accept: text/event-stream"]),
    ...headers,
    "",
    ""
  ].join("\r\n")

const file = (path: string) => join(import.meta.dirname, path)

export const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

/** A server that is told what to do by commands. */
const commanded = (child: Child, port: number, hasProbe: boolean): Server => ({
  pid: child.pid,
  port,
  get cpu() {
    return child.cpu
  },
  get kiB() {
    return child.kiB
  },
  go: (bytes, rate) => child.ask(`go ${bytes} ${rate}`),
  stop: async () => ({ events: Number((await child.ask("stop"))["events"]) }),
  ask: hasProbe ? (command) => child.ask(command) : undefined,
  kill: () => child.kill()
})

/** Its first line says where it listens. */
const spoken = async (child: Child, hasProbe: boolean): Promise<Server> =>
  commanded(child, Number((await child.answer())["port"]), hasProbe)

/** A server in Node, with Probe loaded before it. */
const nodeChild = (name: string, args: ReadonlyArray<string>, environment: NodeJS.ProcessEnv): Child =>
  Child.start(
    name,
    cores.server,
    [process.execPath, "--expose-gc", "--import", file("Probe.ts"), ...args],
    environment
  )

export const startNode = (
  name: string,
  args: ReadonlyArray<string>,
  environment: NodeJS.ProcessEnv = {}
): Promise<Server> => spoken(nodeChild(name, args, environment), true)

/** One that knows nothing of the bench, and listens where it is told. */
export const startShipped = (
  args: ReadonlyArray<string>,
  port: number,
  environment: NodeJS.ProcessEnv
): Server => commanded(nodeChild("ratecast", args, { PORT: String(port), ...environment }), port, true)

/** `spare`: rows behind those that anybody asks for. */
export const startRatecast = async (rows: number, spare = 0): Promise<Server> =>
  startNode("ratecast", [file("servers/Ratecast.ts"), String(rows), String(spare)], {
    PORT: String(await freePort())
  })

const peer = (
  name: string,
  server: string
): Pick<Contestant, "version" | "missing" | "start"> & { readonly installed: string } => {
  const manifest = file(`node_modules/${name}/package.json`)
  const installed = existsSync(manifest)
  const version = installed ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version : ""
  return {
    installed: manifest,
    version,
    missing: installed ? undefined : "npm run bench -- --install-peers",
    start: () => startNode(name, [file(`servers/${server}.ts`)])
  }
}

/** Bun's own program: where npm puts it, or where it puts itself when it is first run through its link. */
const bunPath = [`@oven/bun-linux-${process.arch}/bin/bun`, "bun/bin/bun.exe"]
  .map((path) => file(`node_modules/${path}`))
  .find((path) => existsSync(path))

const nchanModule = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/nginx/modules"]
  .map((folder) => `${folder}/ngx_nchan_module.so`)
  .find((path) => existsSync(path))
const nginx = ["/usr/sbin/nginx", "/usr/local/nginx/sbin/nginx"].find((path) => existsSync(path))
const nchanMissing =
  nginx !== undefined && nchanModule !== undefined
    ? undefined
    : "no nginx with nchan (apt-get install libnginx-mod-nchan)"

const startNchan = async (): Promise<Server> => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "ratecast-bench-nchan-"))
  const config = join(folder, "nginx.conf")
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log crit;
${process.getuid?.() === 0 ? "user root;" : ""}
load_module ${nchanModule};
worker_rlimit_nofile 20000;
events { worker_connections 18000; }
http {
  access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    listen 127.0.0.1:${port} backlog=8192;
    location /events { nchan_subscriber eventsource; nchan_channel_id all; nchan_subscriber_first_message newest; }
    location /socket { nchan_subscriber websocket; nchan_channel_id all; nchan_subscriber_first_message newest; }
    location /publish { nchan_publisher http; nchan_channel_id all; }
  }
}
`
  )
  const child = Child.start("nchan", cores.server, [nginx!, "-c", config, "-p", folder])
  const removeFolder = () => rmSync(folder, { recursive: true, force: true })
  process.once("exit", removeFolder)
  const agent = new http.Agent({ keepAlive: true })
  const publish = (body: string): Promise<void> =>
    new Promise((done, fail) =>
      http
        .request({ host: "127.0.0.1", port, path: "/publish", method: "POST", agent }, (response) => {
          response.resume().on("end", done)
        })
        .on("error", fail)
        .end(body)
    )
  const until = performance.now() + 5_000
  for (let isUp = false; !isUp;) {
    isUp = await publish("ready").then(
      () => true,
      () => false
    )
    if (!isUp && performance.now() > until) throw new Error("nginx does not start")
    if (!isUp) await pause(20)
  }
  let timer: NodeJS.Timeout | undefined
  let events = 0
  return {
    pid: child.pid,
    port,
    get cpu() {
      return child.cpu
    },
    get kiB() {
      return child.kiB
    },
    go: async (bytes, rate) => {
      events = 0
      timer = setInterval(() => void publish(eventText(events++, bytes)), 1000 / rate)
    },
    stop: async () => {
      clearInterval(timer)
      return { events }
    },
    ask: undefined,
    kill: () => {
      child.kill()
      agent.destroy()
      process.off("exit", removeFolder)
      removeFolder()
    }
  }
}

const ratecast = (road: Road, headers: ReadonlyArray<string>): Omit<Contestant, "name" | "counting"> => ({
  road,
  version: "",
  missing: undefined,
  request: (port) =>
    // As with the others, nothing is sent to whoever comes: the head of an answer, and from then on what happens.
    requestOf(port, `/v1/${road === "SSE" ? "stream" : "socket"}?collections=rates&since=now`, road, headers),
  start: () => startRatecast(100)
})

const ws = peer("ws", "Ws")
const betterSse = peer("better-sse", "BetterSse")
const socketIo = peer("socket.io", "SocketIo")

/** A client frame with the text "40", masked with zeros: it joins the main namespace. */
const socketIoHello = "8182000000003430"

export const contestants: ReadonlyArray<Contestant> = [
  {
    name: "floor",
    road: "SSE",
    version: "C, write(2)",
    counting: "stamps",
    missing: "missing" in floor ? floor.missing : undefined,
    request: (port) => requestOf(port, "/", "SSE"),
    start: () => spoken(Child.start("floor", cores.server, ["path" in floor ? floor.path : ""]), false)
  },
  {
    name: "bare node",
    road: "SSE",
    version: process.version,
    counting: "stamps",
    missing: undefined,
    request: (port) => requestOf(port, "/", "SSE"),
    start: () => startNode("bare", [file("servers/Bare.ts")])
  },
  { name: "ratecast", counting: "stamps", ...ratecast("SSE", []) },
  { name: "ratecast gzip", counting: "blocks", ...ratecast("SSE", ["Accept-Encoding: gzip"]) },
  {
    name: "nchan",
    road: "SSE",
    version: "nginx",
    counting: "stamps",
    missing: nchanMissing,
    request: (port) => requestOf(port, "/events", "SSE"),
    start: startNchan
  },
  {
    name: "better-sse",
    road: "SSE",
    counting: "stamps",
    ...betterSse,
    request: (port) => requestOf(port, "/", "SSE")
  },
  { name: "ratecast", counting: "stamps", ...ratecast("WebSocket", []) },
  {
    name: "ratecast deflate",
    counting: "frames",
    ...ratecast("WebSocket", [
      "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    ])
  },
  {
    name: "nchan",
    road: "WebSocket",
    version: "nginx",
    counting: "stamps",
    missing: nchanMissing,
    request: (port) => requestOf(port, "/socket", "WebSocket"),
    start: startNchan
  },
  {
    name: "uWebSockets (Bun)",
    road: "WebSocket",
    counting: "stamps",
    version: peer("bun", "Bun").version,
    missing: bunPath === undefined ? "npm run bench -- --install-peers" : undefined,
    request: (port) => requestOf(port, "/", "WebSocket"),
    start: () => spoken(Child.start("bun", cores.server, [bunPath!, file("servers/Bun.ts")]), false)
  },
  {
    name: "ws",
    road: "WebSocket",
    counting: "stamps",
    ...ws,
    request: (port) => requestOf(port, "/", "WebSocket")
  },
  {
    name: "socket.io",
    road: "WebSocket",
    counting: "stamps",
    ...socketIo,
    ready: '"sid"',
    greeting: socketIoHello,
    request: (port) => requestOf(port, "/socket.io/?EIO=4&transport=websocket", "WebSocket")
  }
]

export const labelOf = ({ name, road }: Contestant): string => (name === "floor" ? name : `${name} · ${road}`)
