/** Who looks at the page: a token from the accounts backend, and what is asked with it. */
import { backendUrl, unreachable } from "./backend.js"
import { ask } from "./outbox.js"

const backend = async (path, options) => {
  const answer =
    backendUrl === undefined ? undefined : await fetch(`${backendUrl}${path}`, options).catch(() => undefined)
  if (answer?.ok !== true) throw new Error(unreachable("accounts backend", answer?.status))
  return answer.json()
}

export const everybody = () => backend("/people")

export class Account {
  #id
  #token

  constructor(id) {
    this.#id = id
  }

  /** As `ask`, with the token; with a new one where that does not count any more. */
  async ask(method, path, body, headers = {}) {
    const authorized = async () => ({ ...headers, authorization: `Bearer ${await this.#tokenNow()}` })
    try {
      return await ask(method, path, body, await authorized())
    } catch (error) {
      if (error.status !== 401) throw error
      this.#token = undefined
      return ask(method, path, body, await authorized())
    }
  }

  #tokenNow() {
    // No content type of its own: the request stays simple, and no preflight precedes it.
    this.#token ??= backend("/login", { method: "POST", body: JSON.stringify({ id: this.#id }) })
    this.#token.catch(() => (this.#token = undefined))
    return this.#token.then(({ token }) => token)
  }
}
