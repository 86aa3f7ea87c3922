/** Who looks at the page: a token from the accounts backend, and what is asked with it. */
import { ask } from "./outbox.js"

/** From `?backend=`; else where `npm start` puts it, but only on this computer: a page from elsewhere must not knock. */
const urlOf = ({ hostname, search }) => {
  const given = new URLSearchParams(search).get("backend")
  if (given !== null) return /^https?:\/\//.test(given) ? given.replace(/\/+$/, "") : undefined
  return ["127.0.0.1", "localhost", "[::1]"].includes(hostname) ? "http://127.0.0.1:8081" : undefined
}

const backend = async (path, options) => {
  const answer = await fetch(`${urlOf(location)}${path}`, options)
  if (!answer.ok) throw new Error(`The accounts backend says ${answer.status}.`)
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
