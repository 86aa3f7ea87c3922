/** What is wrong with a config: every mistake at once, each with its path and the nearest known name. */
import { Effect, Predicate, Redacted, SchemaAST } from "effect"

import type { Config, Derived, HookOptions, Polled, SourceOptions, Written } from "../Config.ts"
import { didYouMean } from "../Nearest.ts"
import { HookShape, madeShapes, madeTags, shapeProblems, SourceShape, whatIsMade } from "./Options.ts"

/** `at` is a path into the config: `collections.pools.fixed[1]`. */
export interface Problem {
  readonly at: string
  readonly message: string
}

/** What is not of its shape is not looked at any further; everything else is. */
const soundIn = (at: string, shape: ReadonlyArray<Problem>, options: object) => {
  const wrong = new Set(shape.map((problem) => problem.at))
  return (option: string): boolean => !wrong.has(at) && !wrong.has(`${at}.${option}`) && option in options
}

const nameShape = /^[A-Za-z][A-Za-z0-9_-]*(:\{[A-Za-z]+\})?$/

/** Everything that is wrong with a config. */
export const problemsOf = (config: unknown): ReadonlyArray<Problem> => {
  const collections = (config as Partial<Config> | null | undefined)?.collections
  const unknown = Object.keys(config ?? {})
    .filter((name) => name !== "collections")
    .map((name) => ({ at: name, message: `unknown option${didYouMean(name, ["collections"])}` }))
  if (typeof collections !== "object" || collections === null || Object.keys(collections).length === 0) {
    return [
      ...unknown,
      { at: "collections", message: "no collections; export default defineConfig({ collections: { … } })" }
    ]
  }
  return [
    ...unknown,
    ...Object.entries(collections).flatMap(([name, made]) => collectionProblems(name, made, collections)),
    ...clashes(collections)
  ]
}

/** `order` beside `order:{id}`; and one source for two families, which would poll each member under one name only. */
const clashes = (collections: Config["collections"]): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  const names = new Map<string, string>()
  const families = new Map<unknown, string>()
  for (const [name, made] of Object.entries(collections)) {
    const at = `collections.${name}`
    const own = name.replace(/:.*/s, "")
    const alike = names.get(own)
    if (alike !== undefined)
      problems.push({ at, message: `has the name of ${JSON.stringify(alike)}; give it one of its own` })
    names.set(own, name)
    if (own === name || !Predicate.isTagged(made, "Polled")) continue
    const source = (made.options as Partial<Polled["options"]> | undefined)?.source
    const family = families.get(source)
    if (family !== undefined && source !== undefined)
      problems.push({
        at: `${at}.source`,
        message: `is the source of ${JSON.stringify(family)}; give each family one of its own`
      })
    families.set(source, name)
  }
  return problems
}

const collectionProblems = (
  name: string,
  made: unknown,
  all: Config["collections"]
): ReadonlyArray<Problem> => {
  const at = `collections.${name}`
  const problems: Array<Problem> = []
  const problem = (path: string, message: string) => problems.push({ at: `${at}${path}`, message })
  if (!nameShape.test(name))
    problem("", "a name is a letter, then letters, digits, - and _, and a family ends in :{id}")
  if (!madeTags.some((tag) => Predicate.isTagged(made, tag))) {
    problem("", `expected ${whatIsMade}`)
    return problems
  }
  const { _tag, options } = made as Polled | Derived | Written
  const shape = shapeProblems(at, madeShapes[_tag], options)
  problems.push(...shape)
  const isSound = soundIn(at, shape, options)
  if (_tag === "Polled" && isSound("source"))
    problems.push(...sourceProblems(`${at}.source`, name, options.source.options))
  if (_tag === "Derived" && isSound("from")) problems.push(...inputProblems(at, name, options, all))
  if (_tag === "Written" && isSound("onWrite") && typeof options.onWrite === "object")
    problems.push(...hookProblems(`${at}.onWrite`, options.onWrite.options))
  if (_tag === "Written" && isSound("load") && typeof options.load === "object")
    problems.push(...sourceProblems(`${at}.load`, name, options.load.options))
  if (_tag === "Written" && isSound("pageOutAfter") && !name.includes(":"))
    problem(".pageOutAfter", `only members of a family are paged out, such as "${name}:{id}"`)
  if (!isSound("row")) return problems

  const fields = Object.keys(options.row.fields)
  const known = (path: string, field: string) => {
    if (!fields.includes(field))
      problem(path, `no field ${JSON.stringify(field)} in the row${didYouMean(field, fields)}`)
  }
  if (isSound("key")) known(".key", options.key as string)
  if (isSound("fixed"))
    (options.fixed as ReadonlyArray<unknown>).forEach((field, i) => {
      if (typeof field === "string") known(`.fixed[${i}]`, field)
    })
  if (isSound("tolerance"))
    for (const field of Object.keys(options.tolerance ?? {})) known(`.tolerance.${field}`, field)
  for (const [field, schema] of Object.entries(options.row.fields)) {
    const odd = notJson(SchemaAST.toType(schema.ast))
    if (odd !== undefined)
      problem(`.row.${field}`, `is a ${odd}, which is not JSON; keep what the upstream sends`)
  }
  // Reading row["__proto__"] answers with the prototype of a row that has no such field.
  if (fields.includes("__proto__")) problem(".row", "a field cannot be called __proto__")
  return problems
}

/** What a value of this schema is that no JSON is, at the top: deeper ones are set aside when they come. */
const notJson = (ast: SchemaAST.AST): string | undefined => {
  if (SchemaAST.isBigInt(ast)) return "bigint"
  if (SchemaAST.isSymbol(ast)) return "symbol"
  // What has a codec to JSON is none itself; `Schema.Json` is.
  const { expected, toCodecJson } = ast.annotations ?? {}
  return SchemaAST.isDeclaration(ast) && toCodecJson !== undefined && expected !== "JSON value"
    ? String(expected).replace(/^a /, "")
    : undefined
}

const inputProblems = (
  at: string,
  name: string,
  options: Derived["options"],
  all: Config["collections"]
): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  if (name.includes(":")) problems.push({ at, message: "a family cannot be derived" })
  if (Object.keys(options.from).length === 0)
    problems.push({ at: `${at}.from`, message: "expected at least one collection to derive from" })
  for (const [alias, input] of Object.entries(options.from as Record<string, Polled | Derived>)) {
    const declared = Object.entries(all).find(([, made]) => made === input)
    if (declared === undefined)
      problems.push({ at: `${at}.from.${alias}`, message: "is not one of the collections of this config" })
    else if (declared[0].includes(":"))
      problems.push({ at: `${at}.from.${alias}`, message: "a family cannot be an input" })
  }
  if (
    "rows" in options === ("touches" in options || "rowAt" in options) ||
    "touches" in options !== "rowAt" in options
  ) {
    problems.push({ at, message: "expected either rows, or touches and rowAt" })
  }
  return problems
}

const sourceProblems = (at: string, name: string, options: SourceOptions): ReadonlyArray<Problem> => {
  const shape = shapeProblems(at, SourceShape, options)
  const problems: Array<Problem> = [...shape]
  const isSound = soundIn(at, shape, options)
  const problem = (path: string, message: string) => problems.push({ at: `${at}${path}`, message })
  const urls = isSound("url") ? urlsOf(options) : []
  const parameter = /:(\{[A-Za-z]+\})$/.exec(name)?.[1]
  for (const url of urls) {
    const target = parameter === undefined ? url : url.replaceAll(parameter, "x")
    const wrong = urlProblem(url, target) ?? hostProblem(url, parameter)
    if (wrong !== undefined) problem(".url", wrong)
    else if (/[{}]/.test(target))
      problem(".url", `${JSON.stringify(url)} has a {…} that the name ${JSON.stringify(name)} does not give`)
    else if (parameter !== undefined && !url.includes(parameter))
      problem(".url", `has no ${parameter}, so every member would be the same`)
  }
  if (isSound("headers")) problems.push(...headerProblems(`${at}.headers`, options.headers))
  if (isSound("every") && isSound("schedule")) problem(".schedule", "expected either every or schedule")
  if (isSound("body") && options.body !== undefined && options.method !== "POST")
    problem(".body", 'needs method: "POST"')
  if (isSound("pages") && urls.length > 1) problem(".pages", "expected one url")
  return problems
}

/** `target`: the URL with a member in it. */
const urlProblem = (url: string, target: string): string | undefined => {
  const parsed = URL.parse(target)
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    return `${JSON.stringify(url)} is not an http or https URL`
  return parsed.username === "" && parsed.password === ""
    ? undefined
    : "credentials belong into headers, as Redacted"
}

/** Whoever reads a member chooses its name, and would choose who is asked. */
const hostProblem = (url: string, parameter: string | undefined): string | undefined => {
  const hosts = ["x", "1.2.3.4"].map((member) => URL.parse(url.replaceAll(parameter ?? "{}", member))?.host)
  return hosts[0] === hosts[1]
    ? undefined
    : `${parameter} stands in the host, so that readers would choose who is asked; it belongs into the path or the query`
}

const hookProblems = (at: string, options: HookOptions): ReadonlyArray<Problem> => {
  const shape = shapeProblems(at, HookShape, options)
  const problems: Array<Problem> = [...shape]
  const isSound = soundIn(at, shape, options)
  if (isSound("url")) {
    const wrong = urlProblem(options.url, options.url)
    if (wrong !== undefined) problems.push({ at: `${at}.url`, message: wrong })
    else if (/[{}]/.test(options.url))
      problems.push({ at: `${at}.url`, message: "has a {…}; the name of the collection is in what is sent" })
  }
  if (isSound("headers")) problems.push(...headerProblems(`${at}.headers`, options.headers))
  return problems
}

const urlsOf = ({ url }: SourceOptions): ReadonlyArray<string> =>
  (typeof url === "string" ? [url] : url).filter((each: unknown) => typeof each === "string")

/** Without what stands there: it may be a secret. */
const headerProblems = (at: string, headers: unknown): ReadonlyArray<Problem> => {
  if (headers === undefined || Effect.isEffect(headers)) return []
  if (!Predicate.isObject(headers))
    return [{ at, message: "expected an object, or an Effect that makes one" }]
  return Object.entries(headers)
    .filter(([, value]) => typeof (Redacted.isRedacted(value) ? Redacted.value(value) : value) !== "string")
    .map(([name]) => ({ at: `${at}.${name}`, message: "expected text, or text as Redacted" }))
}
