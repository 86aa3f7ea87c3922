/** Random input of the kind that breaks things: one seed is one input. */
import { type Random, seeded } from "../Hub/World.ts"

/** What parsers, prototypes, streams of lines and encodings stumble over. */
const nasty: ReadonlyArray<string> = [
  "",
  " ",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "null",
  "NaN",
  "-0",
  "1e400",
  "12345678901234567890",
  "1.10",
  "\0",
  "\r",
  "\n",
  "\r\n\r\ndata: {}\n\n",
  "\nid: 99\nevent: snapshot\ndata: {}\n\n",
  "\u2028",
  "\u2029",
  "\ufeff",
  "\ud800",
  "\udc00x",
  "\u{1f642}",
  "a\u0301",
  "\u0130",
  "*",
  "**",
  "{sub}",
  "{uid}",
  "a,b",
  ",",
  ":",
  "type:stable",
  "..",
  "../../etc/passwd",
  "/",
  "\\",
  "%",
  "%00",
  "%ff",
  "%2e%2e%2f",
  "+",
  ";",
  "#",
  "?",
  "&",
  "=",
  '"',
  "'",
  "<script>",
  "${x}",
  "\u001b[2J",
  "\u0007"
]

export class Dice {
  private readonly random: Random

  constructor(seed: number) {
    this.random = seeded(seed)
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return Math.floor(this.random() * n)
  }

  chance(probability: number): boolean {
    return this.random() < probability
  }

  one<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }

  /** 0 to `most` of them, seldom many. */
  some<A>(most: number, make: () => A): Array<A> {
    const count = this.chance(0.9) ? this.below(Math.min(most, 4) + 1) : this.below(most + 1)
    return Array.from({ length: count }, make)
  }

  /** Any text: nasty, random, both, and now and then very long. */
  text(): string {
    const roll = this.random()
    if (roll < 0.5) return this.one(nasty)
    if (roll < 0.75) return this.some(6, () => this.one(nasty)).join("")
    if (roll < 0.97) return this.some(30, () => String.fromCharCode(this.character())).join("")
    return this.one(nasty).concat("x").repeat(this.below(3_000))
  }

  private character(): number {
    const roll = this.random()
    if (roll < 0.6) return 32 + this.below(95)
    return roll < 0.8 ? this.below(32) : this.below(65_536)
  }

  /** The text of any JSON value, and of what is almost one: names twice, numbers that no double holds, NaN, any depth. */
  json(depth = 0): string {
    const roll = this.random()
    if (roll < 0.25) return this.quoted()
    if (roll < 0.45)
      return this.one(["0", "-0", "1.10", "1e400", "-1E-400", "12345678901234567890", "7", "0.1", "1e21"])
    if (roll < 0.6) return this.one(["null", "true", "false"])
    if (roll < 0.61)
      return this.one(["NaN", "Infinity", "undefined", "", "01", "'x'", "[1,]", "{,}", "\ud800"])
    if (roll < 0.63) {
      const deep = this.one([30, 63, 64, 65, 66, 100, 1_000, 20_000])
      return this.chance(0.5)
        ? "[".repeat(deep) + "]".repeat(deep)
        : '{"a":'.repeat(deep) + "1" + "}".repeat(deep)
    }
    if (depth > 3) return "{}"
    if (roll < 0.8) return `[${this.some(6, () => this.json(depth + 1)).join()}]`
    return `{${this.some(6, () => `${JSON.stringify(this.name())}:${this.json(depth + 1)}`).join()}}`
  }

  /**
   * Of a member, or a key that is going to be one. JSON.parse of V8 13.6 (Node 24) takes `"\\r"` for `"\\\\"` once it
   * has seen that in its place, so there are none with a backslash.
   */
  name(): string {
    return this.text().replaceAll("\\", "/")
  }

  /** A string as JSON, its characters escaped or not as it comes. */
  quoted(): string {
    const text = JSON.stringify(this.text())
    return this.chance(0.9)
      ? text
      : text.replace(/\w/g, (x) => `\\u00${x.charCodeAt(0).toString(16).padStart(2, "0")}`)
  }

  /** A text in which something has been taken out, put in, doubled or changed. */
  mutated(text: string): string {
    let made = text
    for (let left = 1 + this.below(4); left > 0; left--) {
      const at = this.below(made.length + 1)
      const to = Math.min(made.length, at + this.below(8))
      const roll = this.random()
      if (roll < 0.25) made = made.slice(0, at) + made.slice(to)
      else if (roll < 0.5) made = made.slice(0, at) + this.one(nasty) + made.slice(at)
      else if (roll < 0.65) made = made.slice(0, to) + made.slice(at)
      else if (roll < 0.95)
        made =
          made.slice(0, at) +
          String.fromCharCode(this.below(this.chance(0.8) ? 128 : 256)) +
          made.slice(at + 1)
      else made = made.slice(0, at) + made.slice(at, to).repeat(this.below(300)) + made.slice(to)
    }
    return made
  }
}
