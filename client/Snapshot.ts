/** What a cast holds, as the server would have said it: to be kept, put into a page, or told to another tab. */
import type { Holding } from "./Options.ts"
import type { SnapshotMessage } from "./Wire.ts"

/** `undefined` where there are no rows, or none that are all of one cursor. */
export const snapshotOf = ({ collections, lane: { cursor, names } }: Holding): SnapshotMessage | undefined =>
  cursor === undefined
    ? undefined
    : {
        type: "snapshot",
        cursor,
        reason: "initial",
        at: 0,
        collections: Object.fromEntries(
          [...names].map((name) => {
            const held = collections.get(name)!
            const { asOf, error, more, retain, state } = held.status
            return [
              name,
              {
                state,
                ...(asOf && { asOf }),
                ...(error && { error }),
                ...(retain && { retain: { rows: retain } }),
                ...(more && { more }),
                rows: Object.fromEntries([...held.keys()].map((key) => [key, held.get(key)!]))
              }
            ]
          })
        )
      }
