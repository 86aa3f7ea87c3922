/** What the command line asks for. */
export interface Options {
  /** Numbers of readers where a scenario does not fix them. */
  readonly readers: ReadonlyArray<number>
  /** Bytes of an event. */
  readonly bytes: ReadonlyArray<number>
  /** Alternating runs, of which the median counts. */
  readonly rounds: number
  /** Of one run. */
  readonly seconds: number
  /** Names of contestants; empty for all. */
  readonly against: ReadonlyArray<string>
  /** A folder for CPU profiles of Ratecast. */
  readonly profile: string | undefined
  readonly quick: boolean
}
