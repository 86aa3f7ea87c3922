/**
 * What a caller may do: patterns over the names of collections. `*` is any run of characters, nothing else is special;
 * `{sub}` is the caller's subject, compared literally.
 */
import { matchesPattern } from "../../Hub.ts"

export interface Rights {
  readonly read: ReadonlyArray<string>
  readonly write: ReadonlyArray<string>
  readonly refresh: ReadonlyArray<string>
}

export type Deed = keyof Rights

export const noRights: Rights = { read: [], write: [], refresh: [] }
export const allRights: Rights = { read: ["*"], write: ["*"], refresh: ["*"] }

export const isNothing = ({ read, refresh, write }: Rights): boolean =>
  read.length + write.length + refresh.length === 0

/** A subject of these, or none, would make more of `{sub}` than one name. */
const isPlain = (subject: string): boolean => subject !== "" && !/[*{\p{Cc}]/u.test(subject)

/** The patterns of one subject; those with `{sub}` fall away for a subject that may not stand there. */
export const expand = (patterns: ReadonlyArray<string>, subject: string | undefined): ReadonlyArray<string> =>
  patterns.flatMap((pattern) => {
    if (!pattern.includes("{sub}")) return [pattern]
    return subject !== undefined && isPlain(subject) ? [pattern.split("{sub}").join(subject)] : []
  })

/** What is odd about patterns with a `{uid}`, as the config names a family: each is that of the one member of this name. */
export const notMeant = (patterns: ReadonlyArray<string>): ReadonlyArray<string> =>
  patterns
    .filter((pattern) => /\{(?!sub\})[^{}]*\}/.test(pattern))
    .map(
      (pattern) =>
        `${JSON.stringify(pattern)} covers only what is called exactly so: {sub} is the subject, * any member`
    )

/** Whether one of the patterns covers a name; or a pattern that is asked for, all of which it has to cover. */
export const covers = (patterns: ReadonlyArray<string>, name: string): boolean =>
  // No pattern has a literal `*`, so one that is asked for is matched by a `*` alone.
  patterns.some((pattern) => matchesPattern(pattern, name))
