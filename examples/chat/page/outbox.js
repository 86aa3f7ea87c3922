/**
 * What has been written and is not known to be sent: one after the other, again and again where no answer comes, under one
 * `Idempotency-Key`, so that a message whose answer was lost is not sent twice.
 */
const longest = 10_000

const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** A problem is told in its own words. */
export const ask = async (method, path, body, headers = {}) => {
  const answer = await fetch(path, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  const json = await answer.json()
  if (answer.ok) return json
  throw Object.assign(new Error(json.detail ?? json.title), {
    status: answer.status,
    retryAfterMs: 1000 * Number(answer.headers.get("retry-after") ?? 0)
  })
}

const isPassing = ({ status }) => status === undefined || status === 429 || status >= 500

export class Outbox {
  /** What was added, and `key` once it is sent, `problem` where it was refused. */
  letters = []
  #sending = false
  #changed
  #send

  /** `send(letter, headers)` asks the server, and answers with the `key`. */
  constructor(changed, send) {
    this.#changed = changed
    this.#send = send
  }

  add(row) {
    this.letters.push({ ...row, idempotency: newKey() })
    this.#changed()
    void this.#work()
  }

  drop(letter) {
    this.letters = this.letters.filter((other) => other !== letter)
    this.#changed()
  }

  /** A sent one stays until it is seen among the others, so that it does not vanish between. */
  settle(isSeen) {
    this.letters = this.letters.filter((letter) => letter.key === undefined || !isSeen(letter.key, letter))
  }

  async #work() {
    if (this.#sending) return
    this.#sending = true
    let pause = 500
    for (;;) {
      const letter = this.letters.find(({ key, problem }) => key === undefined && problem === undefined)
      if (letter === undefined) break
      try {
        const { key } = await this.#send(letter, { "idempotency-key": letter.idempotency })
        letter.key = key
        pause = 500
      } catch (error) {
        if (isPassing(error)) {
          await new Promise((done) => setTimeout(done, Math.max(pause, error.retryAfterMs ?? 0)))
          pause = Math.min(longest, pause * 2)
        } else letter.problem = error.message
      }
      this.#changed()
    }
    this.#sending = false
  }
}
