/** Works on jobs: each is queued, runs for some seconds, and is done or has failed. */
export const kinds = ["PDF", "E-mail", "Link"] as const
export type Kind = (typeof kinds)[number]

export const isKind = (value: unknown): value is Kind => kinds.includes(value as Kind)

export interface Job {
  readonly id: string
  readonly order: string
  readonly what: Kind
  readonly state: "queued" | "running" | "done" | "failed"
  readonly progress: number
  readonly at: number
  readonly reason?: string
}

const step = 400
const maxAtWork = 200

export class Workers {
  private readonly told: (job: Job) => void
  private atWork = 0
  private made = 0

  constructor(told: (job: Job) => void) {
    this.told = told
  }

  start(order: string, what: Kind, fails: boolean): Job {
    if (this.atWork >= maxAtWork) throw new Error("all workers are busy; try again")
    // Sorts as it was made, also after a restart.
    const id = `${Date.now().toString(36)}-${(this.made++ % 1296).toString(36).padStart(2, "0")}`
    const job: Job = { id, order, what, state: "queued", progress: 0, at: Date.now() }
    this.atWork++
    this.told(job)
    setTimeout(() => this.run({ ...job, state: "running", at: Date.now() }, fails), 1.5 * step)
    return job
  }

  private run(job: Job, fails: boolean): void {
    this.told(job)
    const progress = job.progress + 10 + Math.floor(Math.random() * 15)
    const end = (state: "done" | "failed", more: object) => {
      this.atWork--
      this.told({ ...job, ...more, state, at: Date.now() })
    }
    setTimeout(() => {
      if (fails && progress >= 60) end("failed", { reason: "the recipient's server did not answer" })
      else if (progress >= 100) end("done", { progress: 100 })
      else this.run({ ...job, progress }, fails)
    }, step)
  }
}
