import type { Collection } from "./Collection.ts"

/**
 * When this collection has rows, whatever the others have. Reads until then; fails with a `CastError` where there will be
 * none, and where it is aborted.
 */
export const ready = <A>(collection: Collection<A>, signal: AbortSignal): Promise<void> =>
  new Promise((done, fail) => {
    const end = (then: () => void) => {
      stop()
      signal.removeEventListener("abort", abort)
      then()
    }
    const abort = () => end(() => fail(signal.reason))
    const look = () => {
      const { error, state } = collection.cast.status
      // A pattern may have no such member: then there is nothing to wait for.
      if (collection.status.state !== "loading" || /^(live|stale)/.test(state)) end(done)
      else if (state === "failed") end(() => fail(error!))
    }
    const stop = collection.cast.subscribe(look)
    signal.addEventListener("abort", abort)
    look()
  })
