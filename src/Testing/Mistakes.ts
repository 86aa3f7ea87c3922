/** What a test did wrong, each with what mends it. */
import type { Problem as ConfigProblem } from "../Catalog.ts"

/** The config has mistakes; the message lists all of them, as `ratecast check` does. */
export class ConfigMistakes extends Error {
  override readonly name = "ConfigMistakes"
  /** `at` is a path into the config: `collections.prices.fixed[1]`. */
  readonly problems: ReadonlyArray<ConfigProblem>

  constructor(problems: ReadonlyArray<ConfigProblem>) {
    const lines = problems.map(({ at, message }) => `  ${at}: ${message}`)
    super(
      [`the config has ${lines.length === 1 ? "a mistake" : `${lines.length} mistakes`}:`, ...lines].join(
        "\n"
      )
    )
    this.problems = problems
  }
}

/** What a request is answered that the daemon does not understand or cannot serve, as on the wire. */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
}

/** The daemon refused a query; `problem` is the body of its answer. */
export class QueryRefused extends Error {
  override readonly name = "QueryRefused"
  readonly problem: ProblemDetails

  constructor(road: string, query: string, problem: ProblemDetails) {
    super(`${road}${query === "" ? "" : `?${query}`}: ${problem.status} ${problem.code}: ${problem.detail}`)
    this.problem = problem
  }
}

/** Requests that no script answers. */
export class NotScripted extends Error {
  override readonly name = "NotScripted"
  /** `GET https://api.example.com/prices` */
  readonly requests: ReadonlyArray<string>

  constructor(requests: ReadonlyArray<string>, scripted: ReadonlyArray<string>, hint: string) {
    const [first] = requests as [string]
    super(
      [
        "an upstream was asked for what is not scripted:",
        ...requests.map((each) => `  ${each}`),
        scripted.length === 0 ? "nothing is scripted yet" : "scripted is:",
        ...scripted.map((each) => `  ${each}`),
        `script it before: cast.upstream(${JSON.stringify(first)}, […])${hint}`
      ].join("\n")
    )
    this.requests = requests
  }
}
