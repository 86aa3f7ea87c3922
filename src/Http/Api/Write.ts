/** The contract of rows that are written, and of their history. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"

import {
  Conflict,
  Forbidden,
  InvalidQuery,
  InvalidRow,
  NotFound,
  NotWritable,
  PreconditionFailed,
  Row,
  TooLarge,
  TooMany,
  Unauthenticated,
  Unavailable,
  UnknownCollection,
  UnknownRow,
  UnsupportedMediaType,
  described
} from "./Vocabulary.ts"

/** Why a write may not be made, whichever it is. */
const notWritten = [
  InvalidQuery,
  InvalidRow,
  Unauthenticated,
  Forbidden,
  UnknownCollection,
  NotWritable,
  TooMany,
  Unavailable
] as const

export const Wrote = Schema.Struct({
  epoch: Schema.String,
  revision: Schema.Int.annotate({
    description: "A client whose revision is at least this has seen the write."
  }),
  key: Schema.String,
  row: Schema.optionalKey(Row)
}).annotate({ identifier: "Wrote" })
const ifMatch = described("ETags of which the row has one, or *.")
const idempotencyKey = described("What comes again with this key within 24 h gets the first answer again.")

/** Of one row, whose key stands in the path or in the query. */
const put = {
  headers: {
    "if-match": ifMatch,
    "if-none-match": described("*: only where there is no row of this key."),
    "idempotency-key": idempotencyKey
  },
  payload: Row,
  success: [Wrote, Wrote.pipe(HttpApiSchema.status(201))],
  error: [...notWritten, Conflict, PreconditionFailed, TooLarge, UnsupportedMediaType]
} as const
const patch = {
  headers: { "if-match": ifMatch, "idempotency-key": idempotencyKey },
  payload: Schema.Struct({
    set: Schema.optionalKey(Row),
    unset: Schema.optionalKey(Schema.Array(Schema.String))
  }),
  success: Wrote,
  error: [...notWritten, UnknownRow, Conflict, PreconditionFailed, TooLarge, UnsupportedMediaType]
} as const
const remove = {
  headers: { "if-match": ifMatch, "idempotency-key": idempotencyKey },
  success: Wrote,
  error: [...notWritten, UnknownRow, Conflict, PreconditionFailed]
} as const
const inPath = { params: { collection: Schema.String, key: Schema.String } }
const inQuery = { params: { collection: Schema.String }, query: { key: Schema.String } }

export class Write extends HttpApiGroup.make("write").add(
  HttpApiEndpoint.put("put", "/v1/rows/:collection/:key", { ...inPath, ...put }).annotate(
    OpenApi.Summary,
    "Writes a whole row"
  ),
  HttpApiEndpoint.put("putByKey", "/v1/rows/:collection", { ...inQuery, ...put }).annotate(
    OpenApi.Summary,
    "Writes a whole row, for keys that do not fit into a path"
  ),
  HttpApiEndpoint.patch("patch", "/v1/rows/:collection/:key", { ...inPath, ...patch }).annotate(
    OpenApi.Summary,
    "Writes some fields of a row"
  ),
  HttpApiEndpoint.patch("patchByKey", "/v1/rows/:collection", { ...inQuery, ...patch }).annotate(
    OpenApi.Summary,
    "Writes some fields of a row, for keys that do not fit into a path"
  ),
  HttpApiEndpoint.delete("delete", "/v1/rows/:collection/:key", { ...inPath, ...remove }).annotate(
    OpenApi.Summary,
    "Deletes a row"
  ),
  HttpApiEndpoint.delete("deleteByKey", "/v1/rows/:collection", { ...inQuery, ...remove }).annotate(
    OpenApi.Summary,
    "Deletes a row, for keys that do not fit into a path"
  ),
  HttpApiEndpoint.post("append", "/v1/rows/:collection", {
    params: { collection: Schema.String },
    headers: { "idempotency-key": idempotencyKey },
    payload: Row,
    success: Wrote.pipe(HttpApiSchema.status(201)),
    error: [...notWritten, Conflict, TooLarge, UnsupportedMediaType]
  }).annotate(OpenApi.Summary, "Appends a row; the server gives its key"),
  HttpApiEndpoint.get("history", "/v1/history/:collection", {
    params: { collection: Schema.String },
    query: {
      before: described("A key: the rows before it. Default: from the newest on."),
      limit: described("How many rows: 1 to 500, default 50.")
    },
    success: Schema.Struct({
      rows: Schema.Array(Schema.Struct({ key: Schema.String, row: Row })),
      before: Schema.NullOr(Schema.String).annotate({ description: "Of the next page; null: this was all." })
    }),
    error: [
      InvalidQuery,
      Unauthenticated,
      Forbidden,
      UnknownCollection,
      UnknownRow,
      NotFound,
      TooMany,
      Unavailable
    ]
  }).annotate(OpenApi.Summary, "Rows of a written collection page by page, the newest first")
) {}
