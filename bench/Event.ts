/** The event that everybody sends: the text of a change of a few rows, stamped with the time at which it was made. */

/** µs of CLOCK_MONOTONIC in 16 digits, behind the mark that readers look for. */
export const stamp = (): string => `@T${String(process.hrtime.bigint() / 1000n).padStart(16, "0")}`

/** A rate of row `i` that is another each time, and no easier to compress than rates are. */
export const rate = (i: number, n: number): string =>
  `${(i * 7919) % 997}.${String((i * 104_729 + n * 15_485_863) % 99_999_989).padStart(8, "0")}`

export const keyOf = (i: number): string => `EQ${String((i * 48_271) % 2_147_483_647).padStart(10, "0")}`

/** The text of the `n`th event, cut to so many bytes. */
export const eventText = (n: number, bytes: number): string => {
  let text = `{"type":"change","at":${1_790_000_000_000 + n},"stamp":"${stamp()}","set":{`
  for (let i = 0; text.length < bytes - 2; i++) text += `"${keyOf(i)}":{"rate":"${rate(i, n)}"},`
  return `${text.slice(0, bytes - 2)}}}`
}
