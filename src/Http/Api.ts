/**
 * The contract, for people and generators: `/openapi.json` and the docs page are made from it. The handlers parse by
 * themselves, since the wire says more than a schema can (docs/protocol.md); a test holds the two lists of endpoints
 * together.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"

import { Change, Refreshed, Snapshot, State, UpstreamError } from "./Api/Messages.ts"
import {
  Cursor,
  Forbidden,
  InvalidQuery,
  NotFound,
  Row,
  TooMany,
  Unauthenticated,
  Unavailable,
  UnknownCollection,
  UnknownRow,
  described,
  problem
} from "./Api/Vocabulary.ts"
import { Write } from "./Api/Write.ts"

const query = {
  collections: described(
    "Which, separated by commas. Default: all that are not families. `order:*` reads a whole family."
  ),
  keys: described(
    "Only these rows, separated by commas. With nothing: no rows. `pools.keys=` for one collection."
  ),
  key: described("One row whose key has commas or is empty; may repeat."),
  fields: described("Only these fields, and the key field. `pools.fields=` for one collection."),
  where: described(
    "Only rows whose fixed field equals the value, as field:value; may repeat. `pools.where=` for one collection."
  )
}
const since = described("The cursor of the last message held. `now`: no snapshot. Also as Last-Event-ID.")
const interval = described("At most one change in this time, newest values win: 50ms to 60s.")

class Roads extends HttpApiGroup.make("roads").add(
  HttpApiEndpoint.get("snapshot", "/v1/snapshot", {
    query,
    success: [Snapshot, HttpApiSchema.Empty(304)],
    error: [InvalidQuery, Unauthenticated, Forbidden, UnknownCollection, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "The whole state now, once"),
  HttpApiEndpoint.get("changes", "/v1/changes", {
    query: {
      ...query,
      since,
      interval,
      wait: described("How long to wait for a change: 0s to 55s, default 25s. Also as Prefer: wait=N.")
    },
    success: [Schema.Union([Snapshot, Change]), HttpApiSchema.NoContent],
    error: [InvalidQuery, Unauthenticated, Forbidden, UnknownCollection, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "Long poll: the change since a cursor, as soon as there is one"),
  HttpApiEndpoint.get("stream", "/v1/stream", {
    query: { ...query, since, interval },
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })),
    error: [InvalidQuery, Unauthenticated, Forbidden, UnknownCollection]
  }).annotate(OpenApi.Summary, "Server-Sent Events: snapshot, change, ping, goodbye"),
  HttpApiEndpoint.get("socket", "/v1/socket", {
    query: { ...query, since, interval },
    success: HttpApiSchema.Empty(101),
    error: problem("upgrade_required", 426, "This is a WebSocket")
  }).annotate(OpenApi.Summary, "WebSocket, subprotocol ratecast.v1: the same messages, and subscribe")
) {}

class Look extends HttpApiGroup.make("look").add(
  HttpApiEndpoint.get("collections", "/v1/collections", {
    success: Schema.Struct({
      cursor: Cursor,
      collections: Schema.Array(
        Schema.Struct({
          name: Schema.String,
          kind: Schema.Literals(["polled", "derived", "written"]),
          key: Schema.String,
          fixed: Schema.Json.annotate({ description: "JSON Schema of the fixed fields" }),
          live: Schema.Json.annotate({ description: "JSON Schema of the live fields" }),
          rows: Schema.Int,
          state: State,
          error: Schema.optionalKey(UpstreamError),
          asOf: Schema.optionalKey(Schema.Finite)
        })
      )
    })
  }).annotate(OpenApi.Summary, "What there is to read, and of what shape"),
  HttpApiEndpoint.get("row", "/v1/rows/:collection/:key", {
    params: { collection: Schema.String, key: Schema.String },
    success: [Schema.Struct({ cursor: Cursor, key: Schema.String, row: Row }), HttpApiSchema.Empty(304)],
    error: [InvalidQuery, Unauthenticated, Forbidden, UnknownCollection, UnknownRow, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "One row"),
  HttpApiEndpoint.get("rowByKey", "/v1/rows/:collection", {
    params: { collection: Schema.String },
    query: { key: Schema.String },
    success: [Schema.Struct({ cursor: Cursor, key: Schema.String, row: Row }), HttpApiSchema.Empty(304)],
    error: [InvalidQuery, Unauthenticated, Forbidden, UnknownCollection, UnknownRow, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "One row, for keys that do not fit into a path"),
  HttpApiEndpoint.post("refresh", "/v1/refresh/:collection", {
    params: { collection: Schema.String },
    success: Refreshed,
    error: [InvalidQuery, Unauthenticated, Forbidden, UnknownCollection, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "Polls the upstream now, once however many ask"),
  HttpApiEndpoint.post("clientPing", "/v1/connections/:id/ping", {
    params: { id: Schema.String },
    success: HttpApiSchema.Empty(204),
    error: NotFound
  }).annotate(OpenApi.Summary, "Says that the client of a stream with ping=client is there")
) {}

class Who extends HttpApiGroup.make("who").add(
  HttpApiEndpoint.post("tickets", "/v1/tickets", {
    success: Schema.Struct({
      ticket: Schema.String,
      expiresIn: Schema.Int.annotate({ description: "seconds" })
    }),
    error: [Unauthenticated, Forbidden, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "Opens one stream or socket as ?ticket=, for what can send no header"),
  HttpApiEndpoint.post("revocations", "/v1/revocations", {
    payload: Schema.Union([Schema.Struct({ sub: Schema.String }), Schema.Struct({ jti: Schema.String })]),
    success: HttpApiSchema.Empty(204),
    error: [Unauthenticated, Forbidden, TooMany, Unavailable]
  }).annotate(OpenApi.Summary, "For a backend, by the API key: these tokens count no more")
) {}

class Probes extends HttpApiGroup.make("probes").add(
  HttpApiEndpoint.get("livez", "/livez", {
    success: Schema.Struct({ status: Schema.Literal("ok") })
  }).annotate(OpenApi.Summary, "Whether the process runs"),
  HttpApiEndpoint.get("readyz", "/readyz", {
    success: [
      Schema.Struct({ status: Schema.Literal("ok"), journal: Schema.Literals(["file", "memory"]) }),
      Schema.Struct({
        status: Schema.Literals(["loading", "draining"]),
        waitingFor: Schema.optionalKey(Schema.Array(Schema.String)),
        journal: Schema.Literals(["file", "memory"])
      }).pipe(HttpApiSchema.status(503))
    ]
  }).annotate(OpenApi.Summary, "Whether it should get requests; stale data keeps it ready")
) {}

export class Api extends HttpApi.make("ratecast")
  .add(Roads)
  .add(Look)
  .add(Write)
  .add(Who)
  .add(Probes)
  .annotateMerge(
    OpenApi.annotations({
      title: "Ratecast",
      description:
        "Poll once, cast to all: snapshot, long poll, Server-Sent Events and WebSocket from one cursor.",
      version: "1"
    })
  ) {}
