/**
 * `GET /v1/socket`: WebSocket. The query on the URL is enough, so a client need never send a word; one that does can
 * change what it reads without a new connection.
 *
 * `ws` does the handshake and reads; frames are written past it, the same bytes to every socket. So compression is agreed
 * on here, and not by `ws`, which answers 400 to an offer that it does not like and keeps an inflater per connection.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Effect, FiberSet } from "effect"
import type { HttpServerRequest } from "effect/http"

import { anonymous, refusal } from "./Auth/Caller.ts"
import { credentialOf } from "./Auth/Credential.ts"
import { isNothing, noRights } from "./Auth/Rights.ts"
import { Connection, type Sockets } from "./Connection.ts"
import { agreedOn, Inflater } from "./Deflate.ts"
import { handedOver } from "./Handover/Release.ts"
import { handOverSocket, type SocketHandover } from "./Handover/Upgrade.ts"
import type { Slot } from "./Limits/Slot.ts"
import { isAllowedOrigin, isNamedOrigin, notLetIn } from "./Origin.ts"
import { Peer } from "./Peer.ts"
import { Problem, refuseConnection } from "./Problem.ts"
import { askedOf, type Ground, minRevisionOf, retryAfter, searchOf } from "./Road.ts"
import { Visit } from "./Visit.ts"

const protocol = "ratecast.v1"
/** Whoever showed something wrong, until they are told so. */
const unknown = anonymous(noRights)

export const socket = Effect.fnUntraced(function* (ground: Ground) {
  const maxPayload = ground.limits.sizes.message
  const server = new NodeWS.WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload,
    perMessageDeflate: false,
    WebSocket: Peer as unknown as typeof NodeWS.WebSocket,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false)
  })
  server.on("headers", (headers, { headers: asked }) => {
    const agreed = agreedOn(asked["sec-websocket-extensions"])
    if (agreed !== undefined) headers.push(`Sec-WebSocket-Extensions: ${agreed}`)
  })
  server.on("wsClientError", (error, connection) =>
    refuseConnection(connection, new Problem({ code: "bad_request", detail: error.message }), {
      "sec-websocket-version": "13"
    })
  )
  const fork = yield* FiberSet.makeRuntime<never>()
  const sockets: Sockets = { ground, fork, inflater: () => new Inflater(maxPayload, fork), idle: new Set() }
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      ground.hub.onDrain(() => {
        for (const connection of sockets.idle) connection.end("shutdown")
      })
    ),
    (forget) => Effect.sync(forget)
  )

  const open = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, slot: Slot) {
    // Whatever takes time is done before the upgrade: from then on the client may say something, or leave.
    const found = yield* Effect.result(
      ground.auth
        .callerOf(request, { takesTicket: true })
        .pipe(Effect.tap((caller) => slot.belongsTo(caller)))
    )
    const retry = yield* retryAfter
    const handover = handOverSocket(request)
    if (handover === undefined) {
      return yield* new Problem({
        code: "upgrade_required",
        detail: "this is a WebSocket; ask for the upgrade"
      })
    }
    const accepted = accept(server, handover)
    if (accepted === undefined) return handedOver
    const caller = found._tag === "Success" ? found.success : unknown
    const connection = new Connection(sockets, new Visit(ground, caller, slot), accepted, handover.socket, {
      deflates: agreedOn(handover.incoming.headers["sec-websocket-extensions"]) !== undefined,
      retry
    })
    if (ground.hub.isDraining()) connection.end("shutdown")
    else if (found._tag === "Failure") connection.refuse(found.failure)
    else if (caller.by === "nothing" && isNothing(caller.rights))
      connection.refuse(refusal(caller, "nothing can be read or written"))
    else {
      const asked = yield* Effect.result(askedOf(request))
      if (asked._tag === "Failure") connection.refuse(asked.failure)
      else if (asked.success.collections !== undefined)
        yield* connection.begin(asked.success, minRevisionOf(request))
    }
    return handedOver
  })

  return (request: HttpServerRequest.HttpServerRequest) =>
    mayOpen(request, ground.origins)
      ? ground.limits.admit(request, (slot) => open(request, slot))
      : notLetIn(request, ground.origins, "open a WebSocket")
})

/** A browser opens WebSockets for any page, and with its cookies. */
const mayOpen = (request: HttpServerRequest.HttpServerRequest, origins: ReadonlySet<string>): boolean =>
  isAllowedOrigin(request, origins) && (!showsCookie(request) || isNamedOrigin(request, origins, true))

const showsCookie = (request: HttpServerRequest.HttpServerRequest): boolean => {
  try {
    return credentialOf(request, searchOf(request)).by === "cookie"
  } catch {
    // Whatever is wrong is told after the upgrade.
    return false
  }
}

/** `undefined` where the handshake failed: the client has been answered. */
const accept = (
  server: NodeWS.WebSocketServer,
  { head, incoming, socket }: SocketHandover
): Peer | undefined => {
  let peer: Peer | undefined
  server.handleUpgrade(incoming, socket, head, (made) => {
    peer = made as unknown as Peer
  })
  return peer
}
