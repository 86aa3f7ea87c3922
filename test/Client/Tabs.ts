/** What the tabs of one browser have in common, on the test's clock: Web Locks and channels. Casts of a test are its tabs. */
import { vi } from "@effect/vitest"

interface Waiting {
  readonly run: () => Promise<void> | undefined
  readonly done: () => void
  readonly fail: (error: unknown) => void
}

/** ms. */
const channelTakes = 1

export class Tabs {
  /** How long a browser takes to give a lock, ms. */
  grantTakes = 0
  steals = 0
  /** What was told on any channel. */
  readonly told: Array<object> = []
  private readonly held = new Map<string, Waiting>()
  private readonly queue = new Map<string, Array<Waiting>>()
  private readonly channels = new Set<{ readonly name: string; onmessage?: (event: object) => void }>()

  constructor() {
    vi.stubGlobal("navigator", { locks: { request: this.request } })
    vi.stubGlobal("BroadcastChannel", this.channel())
  }

  private readonly request = (
    name: string,
    { signal, steal }: { readonly signal?: AbortSignal; readonly steal?: boolean },
    run: Waiting["run"]
  ): Promise<void> =>
    new Promise((done, fail) => {
      const mine = { run, done, fail }
      if (steal) {
        this.steals++
        this.held.get(name)?.fail(new DOMException("stolen", "AbortError"))
        return this.grant(name, mine)
      }
      const queue = this.queue.get(name) ?? []
      this.queue.set(name, queue)
      queue.push(mine)
      signal?.addEventListener("abort", () => {
        const at = queue.indexOf(mine)
        if (at < 0) return
        queue.splice(at, 1)
        fail(signal.reason)
      })
      setTimeout(() => this.next(name), this.grantTakes)
    })

  private next(name: string): void {
    const first = this.held.has(name) ? undefined : this.queue.get(name)?.shift()
    if (first) this.grant(name, first)
  }

  private grant(name: string, one: Waiting): void {
    this.held.set(name, one)
    const end = () => {
      one.done()
      // It may have been stolen.
      if (this.held.get(name) !== one) return
      this.held.delete(name)
      this.next(name)
    }
    Promise.resolve(one.run()).then(end, one.fail)
  }

  private channel() {
    const { channels, told } = this
    return class {
      readonly name: string
      declare onmessage?: (event: object) => void

      constructor(name: string) {
        this.name = name
        channels.add(this)
      }

      postMessage(message: object): void {
        const data = structuredClone(message)
        told.push(data)
        const others = [...channels].filter((other) => other !== this && other.name === this.name)
        setTimeout(() => {
          for (const other of others) if (channels.has(other)) other.onmessage?.({ data })
        }, channelTakes)
      }

      close(): void {
        channels.delete(this)
      }
    }
  }
}
