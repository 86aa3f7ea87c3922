/** What is needed is kept where it cannot be read just now. Whoever found that has logged why. */
import { Data } from "effect"

export class Unreadable extends Data.TaggedError("Unreadable")<{}> {}
