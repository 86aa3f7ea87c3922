/** `ratecast types`: what there is to read as TypeScript, for frontends that do not have the config file. */
import { Console, Effect } from "effect"
import { Command, type Flag } from "effect/cli"

import { loadCatalog } from "../Catalog/Load.ts"
import { apiText } from "./ApiText.ts"
import { fatal } from "./Fatal.ts"

export const types = (config: Flag.Flag<string>) =>
  Command.make("types", { config }, ({ config }) =>
    loadCatalog(config).pipe(
      Effect.flatMap(({ declared }) => Console.log(apiText([...declared.values()]).trimEnd())),
      Effect.catchTag("ConfigMistake", ({ message }) => fatal(message))
    )
  ).pipe(
    Command.withDescription(
      "Writes the rows of every collection as TypeScript, for the client of a frontend in another repository"
    ),
    Command.withExamples([
      {
        command: "npx ratecast types > api.d.ts",
        description: "Then: connect<Api>(url, …) of ratecast/client"
      },
      {
        command: "npx ratecast types --config ratecast.config.ts | diff api.d.ts -",
        description: "Whether the file that a frontend has is still true"
      }
    ])
  )
