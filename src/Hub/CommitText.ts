/** A commit as text: what the chain of tips is made over. */
import { type Commit, type Edit, field, type Row } from "../Collection.ts"
import { collectionsText } from "./Message.ts"

export const commitText = ({ asOf, at, deltas }: Commit): string =>
  `{"at":${at},"collections":${collectionsText(
    new Map(
      [...deltas].map(([name, { evict, health, put, remove, set }]) => [
        name,
        {
          ...(health === undefined ? {} : { health }),
          put,
          set: new Map([...set].map(([key, edit]) => [key, present(edit)])),
          unset: new Map(
            [...set]
              .map(([key, edit]) => [key, absent(edit)] as const)
              .filter(([, names]) => names.length > 0)
          ),
          remove: [...remove],
          evict: [...evict]
        }
      ])
    ),
    (name) => asOf.get(name)
  )}}`

const present = ({ fields, row }: Edit): Row =>
  Object.fromEntries(
    fields.map((name) => [name, field(row, name)]).filter(([, value]) => value !== undefined)
  )

const absent = ({ fields, row }: Edit): ReadonlyArray<string> =>
  fields.filter((name) => field(row, name) === undefined)
