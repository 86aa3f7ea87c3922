/** A place in the history of a query: `<epoch>-<revision>-<proof>`, opaque to clients but for epoch and revision. */

export interface Cursor {
  readonly epoch: string
  readonly revision: number
  readonly proof: string
}

const shape = /^([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})-([0-9a-f]{12})$/

/** `undefined` for anything malformed: never an error, its holder gets a snapshot. */
export const parseCursor = (text: string): Cursor | undefined => {
  const match = shape.exec(text)
  if (match === null) return undefined
  const revision = Number(match[2])
  return Number.isSafeInteger(revision) ? { epoch: match[1]!, revision, proof: match[3]! } : undefined
}

export const formatCursor = (cursor: Cursor): string => `${cursor.epoch}-${cursor.revision}-${cursor.proof}`
