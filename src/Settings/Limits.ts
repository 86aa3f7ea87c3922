/** How much one client may take of what all share. */
import { isIP } from "node:net"

import { Config } from "effect"

import { list } from "./Access.ts"
import { whole } from "./Whole.ts"

const most = 10_000_000
const count = (name: string, standard: number) => whole(name, 1, most).pipe(Config.withDefault(standard))

export const limitsConfig = Config.all({
  /** Streams, sockets and long polls at once: in all, of one address (of IPv6 a /64), of one subject. */
  connections: count("MAX_CONNECTIONS", 10_000),
  connectionsPerAddress: count("MAX_CONNECTIONS_PER_ADDRESS", 100),
  connectionsPerSubject: count("MAX_CONNECTIONS_PER_SUBJECT", 20),
  /** Of one subject, and of one address; so many may come at once. */
  writesPerSecond: count("WRITES_PER_SECOND", 10),
  writeBurst: count("WRITE_BURST", 20),
  /** Of one WebSocket. */
  messagesPerSecond: count("MESSAGES_PER_SECOND", 20),
  /** Keys and tokens of one address that are not what they say they are. */
  authFailuresPerMinute: count("AUTH_FAILURES_PER_MINUTE", 60),
  /** Addresses and networks (`10.0.0.0/8`) whose `X-Forwarded-For` is believed. */
  trustedProxies: Config.String("TRUSTED_PROXIES").pipe(Config.withDefault(""), Config.map(list))
})

export type Limited = Config.Success<typeof limitsConfig>

/** A network as its address and the bits that count; `undefined` where it is none. */
export const networkOf = (
  text: string
): { readonly address: string; readonly bits: number; readonly family: "ipv4" | "ipv6" } | undefined => {
  const [address = "", bits, ...more] = text.split("/")
  const version = isIP(address)
  if (version === 0 || more.length > 0) return undefined
  const all = version === 4 ? 32 : 128
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > all)) return undefined
  return { address, bits: bits === undefined ? all : Number(bits), family: version === 4 ? "ipv4" : "ipv6" }
}
