/**
 * The module of a config file. A folder as `npm i` makes it has a package.json without a type, and Node warns at length of
 * how it found out that the config is an ES module, in every thread: nothing is wrong with it, so nobody is told.
 */
import { pathToFileURL } from "node:url"

const untold = "MODULE_TYPELESS_PACKAGE_JSON"

export const importConfig = async (path: string): Promise<{ readonly default?: unknown }> => {
  const { emitWarning } = process
  process.emitWarning = (warning: string | Error, ...more: ReadonlyArray<unknown>) => {
    const [options, code] = more
    const given = typeof options === "object" && options !== null && "code" in options ? options.code : code
    if (given !== untold) Reflect.apply(emitWarning, process, [warning, ...more])
  }
  try {
    return (await import(pathToFileURL(path).href)) as { readonly default?: unknown }
  } finally {
    process.emitWarning = emitWarning
  }
}
