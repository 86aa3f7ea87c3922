/**
 * The file that a thread starts with, named without its ending: beside a source it is a source, and beside what is built
 * of it, JavaScript.
 */
import { extname } from "node:path"

/** `from`: the `import.meta.url` of who asks. */
export const entryBeside = (name: string, from: string): URL => new URL(name + extname(from), from)
