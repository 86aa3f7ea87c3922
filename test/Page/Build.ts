import { join } from "node:path"

/** As `npm start` does it; returns the folder. */
export const { buildPage } = (await import(join(import.meta.dirname, "../../tools/page-build.mjs"))) as {
  readonly buildPage: () => Promise<string>
}
