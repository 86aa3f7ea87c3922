/** What happened in a simulated world, counted. */
export interface Tally {
  commits: number
  messages: number
  changes: number
  snapshots: number
  /** Snapshots by their reason; collections here are too small for `smaller`. */
  forgotten: number
  diverged: number
  epoch: number
  query: number
  resumes: number
  kills: number
  powerCuts: number
  lostCommits: number
  fullDisks: number
  drops: number
  /** Of the drops and deaths: in the middle of a frame. */
  cuts: number
  stalls: number
  mouthfuls: number
  /** The wall clock was set, forward or back. */
  clockSets: number
  writes: number
  /** Members that the disk kept by themselves, and gave back. */
  kept: number
  fetched: number
}

export const noTally = (): Tally => ({
  commits: 0,
  messages: 0,
  changes: 0,
  snapshots: 0,
  forgotten: 0,
  diverged: 0,
  epoch: 0,
  query: 0,
  resumes: 0,
  kills: 0,
  powerCuts: 0,
  lostCommits: 0,
  fullDisks: 0,
  drops: 0,
  cuts: 0,
  stalls: 0,
  mouthfuls: 0,
  clockSets: 0,
  writes: 0,
  kept: 0,
  fetched: 0
})
