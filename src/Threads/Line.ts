/**
 * One end of what two threads tell each other: messages, and questions that are answered. A port keeps their order, so
 * whoever gets an answer has heard everything that was told before it.
 */
import { Cause, Data, Effect, Exit } from "effect"

/** By name: what a question is about, and what is answered. */
export type Questions = {
  readonly [name: string]: { readonly about: unknown; readonly answer: unknown }
}
export type Answers<Q> = {
  readonly [Name in keyof Q]: Q[Name] extends { readonly about: infer About; readonly answer: infer Answer }
    ? (about: About) => Effect.Effect<Answer>
    : never
}

interface Question {
  readonly _tag: "Question"
  readonly id: number
  readonly name: string
  readonly about: unknown
}
interface Answer {
  readonly _tag: "Answer"
  readonly id: number
  readonly answer?: unknown
  /** Why there is none. */
  readonly defect?: string
}

/** The other end is there no more, or too late. */
export class Unanswered extends Data.TaggedError("Unanswered")<{}> {}

interface Waiting {
  readonly resume: (answer: Answer | undefined) => void
  readonly until: number
}

/** Where so many wait, a question that may be given up is not asked. */
const maxWaiting = 20_000

export class Line<Out, In, Ask extends Questions, Asked extends Questions> {
  private readonly send: (message: Out | Question | Answer) => void
  private readonly hear: (message: In) => void
  private readonly answers: Answers<Asked>
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly waiting = new Map<number, Waiting>()
  private ids = 0
  private hungUp = false

  constructor(options: {
    readonly send: (message: Out | Question | Answer) => void
    readonly hear: (message: In) => void
    readonly answers: Answers<Asked>
    readonly fork: (effect: Effect.Effect<void>) => void
  }) {
    this.send = options.send
    this.hear = options.hear
    this.answers = options.answers
    this.fork = options.fork
  }

  tell(message: Out): void {
    this.send(message)
  }

  /** `until`: what `expire` gives up by. */
  ask<Name extends keyof Ask & string>(
    name: Name,
    about: Ask[Name]["about"],
    until = Infinity
  ): Effect.Effect<Ask[Name]["answer"], Unanswered> {
    return Effect.callback<Answer, Unanswered>((resume) => {
      if (this.hungUp || (until < Infinity && this.waiting.size >= maxWaiting))
        return resume(Effect.fail(new Unanswered()))
      const id = this.ids++
      this.waiting.set(id, {
        resume: (answer) =>
          resume(answer === undefined ? Effect.fail(new Unanswered()) : Effect.succeed(answer)),
        until
      })
      this.send({ _tag: "Question", id, name, about })
      return Effect.sync(() => this.waiting.delete(id))
    }).pipe(
      Effect.flatMap(({ answer, defect }) =>
        defect === undefined ? Effect.succeed(answer) : Effect.die(new Error(defect))
      )
    )
  }

  /** For whatever the port brings. */
  readonly receive = (message: In | Question | Answer): void => {
    const said = message as Question | Answer
    if (said._tag === "Question") return this.reply(said)
    if (said._tag !== "Answer") return this.hear(message as In)
    const waiting = this.waiting.get(said.id)
    this.waiting.delete(said.id)
    waiting?.resume(said)
  }

  /** Gives up those who wait for too long; a fiber and a timer for each would cost more than the question. */
  expire(now: number): void {
    for (const [id, { resume, until }] of this.waiting) {
      if (until > now) continue
      this.waiting.delete(id)
      resume(undefined)
    }
  }

  /** Nothing comes any more. */
  hangUp(): void {
    this.hungUp = true
    for (const { resume } of this.waiting.values()) resume(undefined)
    this.waiting.clear()
  }

  private reply({ about, id, name }: Question): void {
    const answers = this.answers as { readonly [name: string]: (about: unknown) => Effect.Effect<unknown> }
    const answered = (exit: Exit.Exit<unknown, unknown>): void =>
      this.send(
        Exit.isSuccess(exit)
          ? { _tag: "Answer", id, answer: exit.value }
          : { _tag: "Answer", id, defect: Cause.pretty(exit.cause) }
      )
    const answer = attempt(() => answers[name]!(about))
    // What is known at once takes no fiber.
    if (Exit.isExit(answer)) return answered(answer)
    this.fork(
      answer.pipe(
        Effect.onExit((exit) => Effect.sync(() => answered(exit))),
        Effect.asVoid,
        // Told to whoever asked; it is for them to say so.
        Effect.ignoreCause
      )
    )
  }
}

const attempt = <A>(make: () => Effect.Effect<A>): Effect.Effect<A> => {
  try {
    return make()
  } catch (defect) {
    return Exit.die(defect)
  }
}
