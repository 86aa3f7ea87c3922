/**
 * The thread that makes rows of large bodies. It loads the config file by itself, since functions cannot be sent, and
 * tells of each body only what it changes, in pieces that are asked for one by one.
 */
import "effect/schema/SchemaJITCompiler/enable"

import { parentPort, workerData } from "node:worker_threads"

import { type Catalog, configFile, importConfig, makeCatalog } from "../Catalog.ts"
import type { Row } from "../Collection.ts"
import type { Config } from "../Config.ts"
import { Body } from "./Body.ts"
import type { Extract } from "./Extract.ts"
import { Extractors } from "./Extractors.ts"
import { signatureOf } from "./Signature.ts"

export type Request =
  | {
      readonly op: "extract"
      readonly id: number
      readonly source: string
      readonly bodies: ReadonlyArray<Uint8Array>
    }
  | { readonly op: "more"; readonly id: number }
  | { readonly op: "forget"; readonly source: string }

/** An extract without its rows, which follow: all of them where it is told anew, and else those that changed. */
export interface Told extends Pick<Extract, "failure" | "notes" | "bad" | "mended"> {
  readonly collection: string
  readonly anew: boolean
  readonly gone: ReadonlyArray<string>
}

export interface Piece {
  readonly collection: string
  readonly keys: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row>
}

export type Answer =
  | { readonly op: "ready"; readonly signature: string }
  | { readonly op: "told"; readonly id: number; readonly extracts: ReadonlyArray<Told> }
  | { readonly op: "piece"; readonly id: number; readonly piece: Piece | undefined }
  | { readonly op: "notJson"; readonly id: number; readonly reason: string }
  /** A mistake of ours. */
  | { readonly op: "broken"; readonly id: number; readonly reason: string }

/** What is sent at once, about, in bytes of the body: a few ms of the thread that reads it. */
const pieceBytes = 128 * 1024

const port = parentPort!
const { path } = workerData as { readonly path: string }
const sources = new Map<string, Extractors>()
/** Collections of which the other side has the rows. */
const told = new Set<string>()
let pieces: Iterator<Piece> | undefined

const send = (answer: Answer): void => port.postMessage(answer)

const extract = (catalog: Catalog["Service"], source: string, bodies: ReadonlyArray<Uint8Array>) => {
  const extractors = sources.get(source) ?? new Extractors(catalog, source)
  sources.set(source, extractors)
  const extracts = extractors.extract(bodies.map((bytes) => new Body(bytes)))
  const bytes = bodies.reduce((sum, each) => sum + each.length, 0)
  const changed: Array<readonly [string, Iterable<readonly [string, Row]>, number]> = []
  const answers = [...extracts].map(([collection, { bad, failure, mended, notes, rows, since }]): Told => {
    const anew = since !== undefined && !told.has(collection)
    if (since !== undefined) {
      told.add(collection)
      const rowsAtOnce = Math.ceil((pieceBytes / Math.max(bytes, 1)) * Math.max(rows.size, 1))
      changed.push([collection, anew ? rows : since.changed, Math.min(rowsAtOnce, 1_000)])
    }
    return { collection, anew, failure, notes, bad, mended, gone: since?.gone ?? [] }
  })
  pieces = piecesOf(changed)
  return answers
}

const piecesOf = function* (
  changed: ReadonlyArray<readonly [string, Iterable<readonly [string, Row]>, number]>
): Generator<Piece> {
  for (const [collection, all, most] of changed) {
    let [keys, rows]: [Array<string>, Array<Row>] = [[], []]
    for (const [key, row] of all) {
      keys.push(key)
      rows.push(row)
      if (keys.length < most) continue
      yield { collection, keys, rows }
      ;[keys, rows] = [[], []]
    }
    if (keys.length > 0) yield { collection, keys, rows }
  }
}

const { hash } = configFile(path)
const loaded = (await importConfig(path)) as { readonly default: Config }
const catalog = { ...(makeCatalog(loaded.default) as Catalog["Service"]), file: { path, hash } }

port.on("message", (request: Request) => {
  switch (request.op) {
    case "forget":
      for (const name of [request.source, ...(catalog.sources.get(request.source)?.collections ?? [])])
        told.delete(name)
      return void sources.delete(request.source)
    case "more": {
      const next = pieces?.next()
      return send({ op: "piece", id: request.id, piece: next?.done === true ? undefined : next?.value })
    }
    case "extract": {
      const { bodies, id, source } = request
      try {
        return send({ op: "told", id, extracts: extract(catalog, source, bodies) })
      } catch (error) {
        return send(
          error instanceof SyntaxError || error instanceof TypeError
            ? { op: "notJson", id, reason: error.message }
            : { op: "broken", id, reason: String(error) }
        )
      }
    }
  }
})
send({ op: "ready", signature: signatureOf(catalog) })
