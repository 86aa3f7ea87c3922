/** Longer ones are no slip of a pen, and comparing two of 8 KiB would hold up everybody for a second. */
const longest = 80

/**
 * Did you mean: the known name nearest to what somebody wrote, if one is near enough to be worth saying: a third of it may
 * be another, or `most` characters.
 */
export const nearest = (
  written: string,
  known: Iterable<string>,
  most = Math.max(2, Math.floor(written.length / 3))
): string | undefined => {
  if (written.length > longest) return undefined
  let best: string | undefined
  let least = most + 1
  for (const name of known) {
    const distance = edits(written.toLowerCase(), name.toLowerCase(), least)
    if (distance < least) {
      least = distance
      best = name
    }
  }
  return best
}

/** `; did you mean "key"?`, or nothing. */
export const didYouMean = (written: string, known: Iterable<string>): string => {
  const name = nearest(written, known)
  return name === undefined ? "" : `; did you mean "${name}"?`
}

/** Insertions, deletions, replacements and swaps of neighbours between two words, or `limit` if there are as many. */
const edits = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: Array<number> = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, before[j - 2]! + 1)
      }
    }
    before = last
    last = row
  }
  return Math.min(last[b.length]!, limit)
}
