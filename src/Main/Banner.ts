/** What a person sees who starts the daemon in a terminal, and what a log gets everywhere else. */
import { Console, Effect, Layer } from "effect"

import { Catalog } from "../Catalog.ts"
import { covers } from "../Http/Auth/Rights.ts"
import { hasAdminListener, Settings, tlsOf } from "../Settings.ts"
import { isForPeople } from "./Logs.ts"

export const layerBanner = Layer.effectDiscard(
  Effect.gen(function* () {
    const catalog = yield* Catalog
    const settings = yield* Settings
    const { adminHost, adminPort, basePath, host, port } = settings
    const scheme = tlsOf(settings) === undefined ? "http" : "https"
    const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${basePath}`
    const admin = hasAdminListener(settings) ? `http://${adminHost}:${adminPort}` : url
    const names = [...catalog.declared.values()].map(({ family, name }) => (family ? `${name}:*` : name))
    // Whoever tries it has no token yet.
    const open = names.findLast((name) => covers(settings.access.anonymousRead, name))
    const hint =
      open === undefined
        ? "npx ratecast token --help    (without a token nobody reads)"
        : `curl -N '${url}/v1/stream?collections=${open}'`
    if (!isForPeople(settings.logFormat)) {
      return yield* Effect.logInfo("ratecast is up").pipe(
        Effect.annotateLogs({ url, admin, collections: names })
      )
    }
    yield* Console.log(`
  ratecast  poll once, cast to all

  ➜ serving   ${url}/
  ➜ docs      ${admin}/docs     metrics  ${admin}/metrics
  ➜ try       ${hint}

  collections ${names.join(", ")}
`)
  })
)
