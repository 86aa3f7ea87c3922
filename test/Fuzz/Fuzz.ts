/**
 * Tries random input on targets until something breaks a promise, and then looks for less of it that does so, too.
 * What is tried is decided by a seed, a target and a number: those three say it again.
 */
import { Dice } from "./Dice.ts"

/** What is tried at once: texts, one after the other; which of them mean what is the target's. */
export type Input = ReadonlyArray<string>

export interface Target {
  readonly name: string
  readonly make: (dice: Dice) => Input
  /** Throws where a promise is broken. */
  readonly check: (input: Input) => void | Promise<void>
  /** What can be seen only of many together, now and then and at the end. Throws likewise. */
  readonly look?: () => Promise<void>
}

export interface Found {
  readonly target: string
  readonly seed: number
  readonly at: number
  /** What was tried, and the least of it that still fails. */
  readonly input: Input
  readonly least: Input
  readonly error: unknown
}

export interface Options {
  readonly targets: ReadonlyArray<Target>
  readonly seed: number
  readonly forMs: number
  /** Only this one. */
  readonly at?: number | undefined
  readonly onProgress?: (tried: ReadonlyMap<string, number>) => void
}

/** A target is tried for so long until it is the next one's turn, ms. */
const turn = 250
const lookEvery = 2_000
const shrinkFor = 3_000

export const fuzz = async ({
  at,
  forMs,
  onProgress,
  seed,
  targets
}: Options): Promise<{ readonly tried: ReadonlyMap<string, number>; readonly found: Found | undefined }> => {
  const tried = new Map(targets.map(({ name }) => [name, at ?? 0]))
  const until = performance.now() + forMs
  let looked = performance.now()
  const attempt = async (target: Target): Promise<Found | undefined> => {
    const number = tried.get(target.name)!
    const input = target.make(new Dice(seedOf(seed, target.name, number)))
    const error = await failure(target, input)
    tried.set(target.name, number + 1)
    if (error === undefined) return undefined
    const least = await shrunk(target, input, kindOf(error))
    return { target: target.name, seed, at: number, input, least, error }
  }
  const looks = async (): Promise<Found | undefined> => {
    for (const { look, name } of targets) {
      const error = look === undefined ? undefined : await thrown(look)
      if (error !== undefined)
        return { target: name, seed, at: tried.get(name)!, input: [], least: [], error: error.cause }
    }
    return undefined
  }
  if (at !== undefined) {
    let found: Found | undefined
    for (const target of targets) found ??= await attempt(target)
    return { tried, found: found ?? (await looks()) }
  }
  while (performance.now() < until) {
    for (const target of targets) {
      const next = performance.now() + turn
      while (performance.now() < next) {
        const found = await attempt(target)
        if (found !== undefined) return { tried, found }
      }
    }
    onProgress?.(tried)
    if (performance.now() - looked < lookEvery) continue
    looked = performance.now()
    const found = await looks()
    if (found !== undefined) return { tried, found }
  }
  return { tried, found: await looks() }
}

const seedOf = (seed: number, name: string, at: number): number => {
  let hash = seed | 0
  for (const code of `${name} ${at}`) hash = Math.imul(hash ^ code.codePointAt(0)!, 0x01_00_01_93)
  return hash ^ (hash >>> 15)
}

/** In a box, since anything may be thrown. */
const thrown = async (run: () => void | Promise<void>): Promise<{ readonly cause: unknown } | undefined> => {
  try {
    await run()
    return undefined
  } catch (cause) {
    return { cause }
  }
}

const failure = async (target: Target, input: Input): Promise<unknown> =>
  (await thrown(() => target.check(input)))?.cause

/** So that what is looked for is not left for another mistake. */
const kindOf = (error: unknown): string => String(error).slice(0, 40)

/** Less of it that fails in the same way: whole texts left out, then pieces of each, halves first. */
const shrunk = async (target: Target, input: Input, kind: string): Promise<Input> => {
  const until = performance.now() + shrinkFor
  const fails = async (less: Input) =>
    performance.now() < until && kindOf(await failure(target, less)) === kind
  let least = input
  for (let i = least.length - 1; i >= 0 && least.length > 1; i--) {
    const less = least.toSpliced(i, 1)
    if (await fails(less)) least = less
  }
  for (let i = 0; i < least.length; i++) {
    for (let size = Math.ceil(least[i]!.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < least[i]!.length;) {
        const text = least[i]!
        const less = least.with(i, text.slice(0, from) + text.slice(from + size))
        if (await fails(less)) least = less
        else from += size
      }
    }
  }
  return least
}

/** For a person, on one line each; the whole only where it is short. */
export const shown = (input: Input): string =>
  input
    .map((text) => `  ${JSON.stringify(text.slice(0, 600))}${text.length > 600 ? ` … ${text.length}` : ""}`)
    .join("\n")
