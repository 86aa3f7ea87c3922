/** Settings that are whole numbers. */
import { Config, Schema } from "effect"

/** `most`: the largest that is taken. */
export const whole = (name: string, least: number, most: number) =>
  Config.schema(
    Schema.String.check(
      Schema.makeFilter((text) => /^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most, {
        expected: `a whole number from ${least} to ${most}`
      })
    ),
    name
  ).pipe(Config.map(Number))
