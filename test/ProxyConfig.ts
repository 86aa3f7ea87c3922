/** Configs of proxies: as they come, and as docs/operations.md says, taken out of its text. */
import { readFileSync } from "node:fs"

import { type Kind, programs } from "./Proxy.ts"

/** Proxies that are not installed here; without one of them nothing is shown of either. */
export const missing = Object.entries(programs).flatMap(([name, path]) => (path === undefined ? [name] : []))
export const unless = missing.length === 0 ? "" : ` (not installed: ${missing.join(", ")})`

/** Where a proxy listens, and the daemon's port. */
type Config = (port: number, daemon: number) => string

const docs = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8")

export const documented =
  (kind: Kind): Config =>
  (port, daemon) => {
    const text = new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\``, "m").exec(docs)![1]!
    return text
      .replace("listen 80", `listen 127.0.0.1:${port}`)
      .replace("bind :80", `bind 127.0.0.1:${port}`)
      .replaceAll("127.0.0.1:8080", `127.0.0.1:${daemon}`)
  }

/** Nothing is set but what is so by itself, said aloud so that times may be shortened; HAProxy's are those of its packages. */
export const plain: { readonly [kind in Kind]: Config } = {
  nginx: (port, daemon) =>
    `server { listen 127.0.0.1:${port}; proxy_read_timeout 60s; location / { proxy_pass http://127.0.0.1:${daemon}; } }`,
  haproxy: (port, daemon) => `
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
listen www
  bind 127.0.0.1:${port}
  server daemon 127.0.0.1:${daemon}
`
}

/** Asks for HTTP/2, without TLS. */
export const overHttp2 =
  (config: Config): Config =>
  (port, daemon) =>
    config(port, daemon)
      .replace(`listen 127.0.0.1:${port}`, `listen 127.0.0.1:${port} http2`)
      .replace(`bind 127.0.0.1:${port}`, `bind 127.0.0.1:${port} proto h2`)

/** Seconds, shortened to a 15th, as ms. */
export const hastily = (seconds: number): string => `${Math.round((seconds * 1_000) / 15)}ms`

export const hasty =
  (config: Config): Config =>
  (port, daemon) =>
    config(port, daemon).replace(/\b(\d+)s\b/g, (_, seconds) => hastily(Number(seconds)))
