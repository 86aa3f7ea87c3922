/** What a person sees who starts the daemon in a terminal, and what a log gets everywhere else. */
import { Console, Effect, Layer, Option } from "effect"

import { Catalog } from "../Catalog.ts"
import { covers } from "../Http/Auth/Rights.ts"
import { type Access, accessOf, hasAdminListener, Settings, tlsOf } from "../Settings.ts"
import { isForPeople } from "./Logs.ts"

/** For whoever has to show something first. */
const hintFor = (access: Access | string, stream: string): string => {
  if (typeof access === "string") return access
  if (access.keys?.by === "secret") return "npx ratecast token --help    (without a token nobody reads)"
  if (access.keys === undefined && access.apiKey === undefined) return "ANONYMOUS_READ says what is read"
  const shown = access.keys === undefined ? "API_KEY" : "a token of your login"
  return `curl -N -H 'Authorization: Bearer <${shown}>' '${stream}'`
}

export const layerBanner = Layer.effectDiscard(
  Effect.gen(function* () {
    const catalog = yield* Catalog
    const settings = yield* Settings
    const { adminHost, adminPort, basePath, host, page, port } = settings
    const scheme = tlsOf(settings) === undefined ? "http" : "https"
    const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${basePath}`
    const admin = hasAdminListener(settings) ? `http://${adminHost}:${adminPort}` : url
    const names = [...catalog.declared.values()].map(({ family, name }) => (family ? `${name}:*` : name))
    // Whoever tries it has no token yet.
    const open = names.findLast((name) => covers(settings.access.anonymousRead, name))
    const hint =
      open === undefined
        ? hintFor(accessOf(settings.access), `${url}/v1/stream?collections=${names.at(-1)}`)
        : `curl -N '${url}/v1/stream?collections=${open}'`
    const served = Option.isSome(page) ? "/" : open === undefined ? "/livez" : "/v1/collections"
    if (!isForPeople(settings.logFormat)) {
      return yield* Effect.logInfo("ratecast is up").pipe(
        Effect.annotateLogs({ url, admin, collections: names })
      )
    }
    yield* Console.log(`
  ratecast  poll once, cast to all

  ➜ serving   ${url}${served}
  ➜ docs      ${admin}/docs     metrics  ${admin}/metrics
  ➜ try       ${hint}

  collections ${names.join(", ")}
`)
  })
)
