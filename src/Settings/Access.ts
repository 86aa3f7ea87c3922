/** Who may: what tokens are checked with, the key of backends, and what everybody may without any. */
import { readFileSync } from "node:fs"

import { Config, Option, Redacted } from "effect"

export const list = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")

const patterns = (name: string) => Config.String(name).pipe(Config.withDefault(""), Config.map(list))
// Whoever passes variables on passes them empty, too.
const text = (name: string) =>
  Config.option(Config.String(name)).pipe(Config.map(Option.filter((value) => value !== "")))
const secret = (name: string) =>
  Config.option(Config.Redacted(name)).pipe(
    Config.map(Option.filter((value) => Redacted.value(value) !== ""))
  )

/** Each secret may also stand in a file, where the process list and crash reports do not show it. */
export const accessConfig = Config.all({
  jwtSecret: secret("JWT_SECRET"),
  jwtSecretFile: text("JWT_SECRET_FILE"),
  /** PEM. */
  jwtPublicKey: text("JWT_PUBLIC_KEY"),
  jwtPublicKeyFile: text("JWT_PUBLIC_KEY_FILE"),
  jwksUrl: text("JWKS_URL"),
  jwtIssuer: text("JWT_ISSUER"),
  jwtAudience: text("JWT_AUDIENCE"),
  /** Of backends, which may everything. */
  apiKey: secret("API_KEY"),
  apiKeyFile: text("API_KEY_FILE"),
  /** Patterns over the names of collections. */
  anonymousRead: patterns("ANONYMOUS_READ"),
  anonymousWrite: patterns("ANONYMOUS_WRITE"),
  anonymousRefresh: patterns("ANONYMOUS_REFRESH")
})

export type AccessSettings = Config.Success<typeof accessConfig>

/** What tokens are checked with. */
export type Keys =
  | { readonly by: "secret"; readonly secret: Redacted.Redacted<string> }
  | { readonly by: "public key"; readonly pem: string }
  | { readonly by: "jwks"; readonly url: string }

export interface Access {
  readonly keys: Keys | undefined
  /** `undefined`: any, which is right only where the key signs for nobody else. */
  readonly issuer: string | undefined
  readonly audience: string | undefined
  readonly apiKey: Redacted.Redacted<string> | undefined
  readonly anonymous: {
    readonly read: ReadonlyArray<string>
    readonly write: ReadonlyArray<string>
    readonly refresh: ReadonlyArray<string>
  }
}

class Mistake extends Error {}

/** A setting, or the file that another one names. */
const given = <A>(
  name: string,
  here: Option.Option<A>,
  file: Option.Option<string>,
  read: (text: string) => A
): A | undefined => {
  if (Option.isNone(file)) return Option.getOrUndefined(here)
  if (Option.isSome(here)) throw new Mistake(`${name} and ${name}_FILE are both set; one of them is enough`)
  let content: string
  try {
    content = readFileSync(file.value, "utf8").trim()
  } catch {
    throw new Mistake(`${name}_FILE: the file ${file.value} cannot be read`)
  }
  if (content === "") throw new Mistake(`${name}_FILE: the file ${file.value} is empty`)
  return read(content)
}

const minApiKey = 16

/** Who may, as the settings say; or what is wrong with them, in words. */
export const accessOf = (settings: AccessSettings): Access | string => {
  try {
    return resolved(settings)
  } catch (thrown) {
    if (thrown instanceof Mistake) return thrown.message
    throw thrown
  }
}

const resolved = (settings: AccessSettings): Access => {
  const { anonymousRead, anonymousRefresh, anonymousWrite } = settings
  const secret = given("JWT_SECRET", settings.jwtSecret, settings.jwtSecretFile, Redacted.make<string>)
  const pem = given("JWT_PUBLIC_KEY", settings.jwtPublicKey, settings.jwtPublicKeyFile, (text) => text)
  const url = Option.getOrUndefined(settings.jwksUrl)
  const keys: ReadonlyArray<readonly [name: string, keys: Keys]> = [
    ...(secret === undefined ? [] : [["JWT_SECRET", { by: "secret", secret }] as const]),
    // Where a variable takes one line only, `\n` stands for its end.
    ...(pem === undefined
      ? []
      : [["JWT_PUBLIC_KEY", { by: "public key", pem: pem.replaceAll("\\n", "\n") }] as const]),
    ...(url === undefined ? [] : [["JWKS_URL", { by: "jwks", url }] as const])
  ]
  if (keys.length > 1)
    throw new Mistake(
      `${keys.map(([name]) => name).join(" and ")} are set; tokens are checked with one of them`
    )
  const apiKey = given("API_KEY", settings.apiKey, settings.apiKeyFile, Redacted.make<string>)
  if (apiKey !== undefined && Redacted.value(apiKey).length < minApiKey)
    throw new Mistake(`API_KEY: expected at least ${minApiKey} characters; try openssl rand -hex 32`)
  for (const [name, patterns] of [
    ["ANONYMOUS_READ", anonymousRead],
    ["ANONYMOUS_WRITE", anonymousWrite],
    ["ANONYMOUS_REFRESH", anonymousRefresh]
  ] as const)
    if (patterns.some((pattern) => pattern.includes("{sub}")))
      throw new Mistake(`${name}: {sub} is the subject of a token, and who has none has no subject`)
  return {
    keys: keys[0]?.[1],
    issuer: Option.getOrUndefined(settings.jwtIssuer),
    audience: Option.getOrUndefined(settings.jwtAudience),
    apiKey,
    anonymous: { read: anonymousRead, write: anonymousWrite, refresh: anonymousRefresh }
  }
}

/** Whether there is anybody who may do anything. */
export const isOpenToAnybody = ({ anonymous, apiKey, keys }: Access): boolean =>
  keys !== undefined ||
  apiKey !== undefined ||
  anonymous.read.length + anonymous.write.length + anonymous.refresh.length > 0
