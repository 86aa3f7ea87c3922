/** A clock that runs so many times faster than the wall's, for what takes minutes over real sockets. */
import { Clock, Duration, Effect, Layer } from "effect"

export const layerFastClock = (times: number): Layer.Layer<never> => {
  const began = Date.now()
  const beganNanos = process.hrtime.bigint()
  const millis = () => began + Math.floor((Date.now() - began) * times)
  const monotonic = () => beganNanos + (process.hrtime.bigint() - beganNanos) * BigInt(times)
  return Layer.effectDiscard(Effect.void).pipe(
    Layer.provideMerge(
      Layer.effect(
        Clock.Clock,
        Effect.map(Clock.Clock, (clock) => ({
          currentTimeMillisUnsafe: millis,
          currentTimeMillis: Effect.sync(millis),
          currentTimeNanosUnsafe: () => BigInt(millis()) * 1_000_000n,
          currentTimeNanos: Effect.sync(() => BigInt(millis()) * 1_000_000n),
          monotonicTimeNanosUnsafe: monotonic,
          monotonicTimeNanos: Effect.sync(monotonic),
          sleep: (duration) => clock.sleep(Duration.millis(Duration.toMillis(duration) / times))
        }))
      )
    )
  )
}
