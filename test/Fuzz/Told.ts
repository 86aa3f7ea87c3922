/** What no answer may tell, whatever was asked. */

/** Stands in rows that the fuzzer's token does not cover, and nowhere in what it says. */
export const canary = "canary-4b1d"

/** A stack, a path of ours, a name of the runtime, or what is another's; `undefined` where there is none. */
export const tellsTooMuch = (text: string): string | undefined =>
  /\n\s+at |node_modules|node:internal|\.ts:\d|file:\/\/\/|\/src\/Http|TypeError|RangeError|ReferenceError|Cannot read prop|is not a function/.exec(
    text
  )?.[0] ?? (text.includes(canary) ? canary : undefined)
