/** What endpoints of the contract have in common: shapes, and the problems that they answer with. */
import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"

export const described = (description: string) => Schema.optionalKey(Schema.String.annotate({ description }))

export const Cursor = Schema.String.annotate({
  identifier: "Cursor",
  description: "A place in the history of a query: <epoch>-<revision>-<proof>."
})
export const Row = Schema.Record(Schema.String, Schema.Json).annotate({ identifier: "Row" })
export const problem = <const Code extends string, const Status extends number>(
  code: Code,
  status: Status,
  title: string
) =>
  class extends HttpApiError.Problem<object>()(
    code,
    { type: `/problems/${code}`, status, title },
    { code: Schema.String }
  ) {}

export const InvalidQuery = problem("invalid_query", 400, "The query is not understood")
export const Unauthenticated = problem("unauthenticated", 401, "It is not known who asks")
export const Forbidden = problem("forbidden", 403, "This is not allowed")
export const UnknownCollection = problem("unknown_collection", 404, "There is no such collection")
export const UnknownRow = problem("unknown_row", 404, "There is no such row")
export const InvalidRow = problem("invalid_row", 400, "The row is not as it has to be")
export const NotWritable = problem("not_writable", 405, "This collection is not written to")
export const Conflict = problem("conflict", 409, "This conflicts with what was written before")
export const PreconditionFailed = problem("precondition_failed", 412, "The row is not as it was expected")
export const TooLarge = problem("too_large", 413, "The request is too large")
export const UnsupportedMediaType = problem("unsupported_media_type", 415, "The body is of another type")
export const NotFound = problem("not_found", 404, "There is nothing here")
export const TooMany = problem("too_many", 429, "Too many")
export const Unavailable = problem("unavailable", 503, "Not available now")
