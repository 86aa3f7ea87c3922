/** What Node has compiled is kept for the next start once this one is up: by itself it does that only where a process ends well. */
import module from "node:module"

import { Effect, Layer } from "effect"

export const layerCompiled = Layer.effectDiscard(Effect.sync(() => module.flushCompileCache?.()))
