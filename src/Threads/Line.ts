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

/** The other end is there no more. */
export class HungUp extends Data.TaggedError("HungUp")<{}> {}

export class Line<Out, In, Ask extends Questions, Asked extends Questions> {
  private readonly send: (message: Out | Question | Answer) => void
  private readonly hear: (message: In) => void
  private readonly answers: Answers<Asked>
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly waiting = new Map<number, (answer: Answer | undefined) => void>()
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

  ask<Name extends keyof Ask & string>(
    name: Name,
    about: Ask[Name]["about"]
  ): Effect.Effect<Ask[Name]["answer"], HungUp> {
    return Effect.callback<Answer, HungUp>((resume) => {
      if (this.hungUp) return resume(Effect.fail(new HungUp()))
      const id = this.ids++
      this.waiting.set(id, (answer) =>
        resume(answer === undefined ? Effect.fail(new HungUp()) : Effect.succeed(answer))
      )
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
    const resume = this.waiting.get(said.id)
    this.waiting.delete(said.id)
    resume?.(said)
  }

  /** Nothing comes any more. */
  hangUp(): void {
    this.hungUp = true
    for (const resume of this.waiting.values()) resume(undefined)
    this.waiting.clear()
  }

  private reply({ about, id, name }: Question): void {
    const answers = this.answers as { readonly [name: string]: (about: unknown) => Effect.Effect<unknown> }
    this.fork(
      Effect.suspend(() => answers[name]!(about)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() =>
            this.send(
              Exit.isSuccess(exit)
                ? { _tag: "Answer", id, answer: exit.value }
                : { _tag: "Answer", id, defect: Cause.pretty(exit.cause) }
            )
          )
        ),
        Effect.asVoid,
        // Told to whoever asked; it is for them to say so.
        Effect.ignoreCause
      )
    )
  }
}
