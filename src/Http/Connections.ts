/**
 * The two-way ping: a client that asked for it (`ping=client`) says every now and then that it is there, because some
 * networks let a server write for minutes to a browser that is gone.
 */
import { randomBytes } from "node:crypto"

import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"

import { pingEvery, type Readers } from "../Hub.ts"
import { Problem } from "./Problem.ts"
import type { Ground } from "./Road.ts"

/** Two pings missed, and half an interval for the way; ms. */
const endAfter = 2.5 * pingEvery

export class Connections {
  private readonly hub: Readers["Service"]
  private readonly prefix: string
  private readonly rearm = new Map<string, () => void>()

  /** `prefix`: of every id; see `Siblings`. */
  constructor(hub: Readers["Service"], prefix: string) {
    this.hub = hub
    this.prefix = prefix
  }

  /** Its id, which nobody can guess; and what takes it out again. */
  open(end: () => void): { readonly id: string; readonly close: () => void } {
    const id = this.prefix + randomBytes(16).toString("base64url")
    let cancel = this.hub.after(endAfter, end)
    this.rearm.set(id, () => {
      cancel()
      cancel = this.hub.after(endAfter, end)
    })
    return {
      id,
      close: () => {
        cancel()
        this.rearm.delete(id)
      }
    }
  }

  /** Whether there is such a connection still. */
  ping(id: string): boolean {
    const rearm = this.rearm.get(id)
    rearm?.()
    return rearm !== undefined
  }
}

/** `POST /v1/connections/{id}/ping` */
export const clientPing = ({ connections, siblings }: Ground) =>
  Effect.fnUntraced(function* (_request: HttpServerRequest.HttpServerRequest) {
    const id = (yield* HttpRouter.params)["id"] ?? ""
    if (connections.ping(id) || (yield* siblings.ping(id)))
      return HttpServerResponse.empty({ status: 204, headers: { "cache-control": "no-store" } })
    return yield* new Problem({
      code: "not_found",
      detail: "there is no such connection any more; open a stream with ping=client"
    })
  })
