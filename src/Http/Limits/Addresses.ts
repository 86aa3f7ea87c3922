/** From which address a request comes: through proxies only where they are trusted. */
import { BlockList, isIP, isIPv4 } from "node:net"

import { Option } from "effect"
import type { HttpServerRequest } from "effect/http"

import { networkOf } from "../../Settings.ts"

export interface From {
  /** By which it is counted: an IPv4 address, or the /64 of an IPv6 one, which is what one customer has. */
  readonly group: string
  /** Somebody says that it is a proxy, and nobody says that it may be believed. */
  readonly isUnknownProxy: boolean
}

/** Stands for all trusted proxies, whose connections are not counted. */
export const proxy = "proxy"

export class Addresses {
  private readonly trusted = new BlockList()

  constructor(networks: ReadonlyArray<string>) {
    for (const network of networks) {
      const known = networkOf(network)
      if (known !== undefined) this.trusted.addSubnet(known.address, known.bits, known.family)
    }
  }

  /**
   * The nearest address that is no trusted proxy, read from the right: what stands further left is whatever the client
   * wrote there itself.
   */
  of({
    headers,
    remoteAddress
  }: Pick<HttpServerRequest.HttpServerRequest, "headers" | "remoteAddress">): From {
    let address = plain(Option.getOrElse(remoteAddress, () => "")) ?? ""
    const said = headers["x-forwarded-for"]
    if (!this.trusts(address)) return { group: groupOf(address), isUnknownProxy: said !== undefined }
    for (const each of (said ?? "").split(",").toReversed()) {
      const next = plain(each.trim())
      if (next === undefined) break
      address = next
      if (!this.trusts(address)) break
    }
    return { group: groupOf(address), isUnknownProxy: false }
  }

  /** The group of a connection of which nothing has been read yet. */
  ofPeer(peer: string | undefined): string {
    const address = plain(peer ?? "") ?? ""
    return this.trusts(address) ? proxy : groupOf(address)
  }

  private trusts(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.trusted.check(address, version === 4 ? "ipv4" : "ipv6")
  }
}

/** Without port, zone, brackets; IPv4 as such where IPv6 carries it. `undefined` where it is no address. */
const plain = (text: string): string | undefined => {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  const address = bare.replace(/%.*$/, "")
  const carried = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  if (carried !== undefined && isIPv4(carried)) return carried
  return isIP(address) === 0 ? undefined : address
}

const groupOf = (address: string): string => {
  if (isIP(address) !== 6) return address
  const [head = "", tail] = address.split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  // An IPv4 address at the end takes the place of two groups; it is never among the first four with others left out.
  const left = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array.from({ length: left }, () => "0"), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`
}
