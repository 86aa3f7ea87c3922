/** What does not compile for whoever uses the client. It is read by `tsc` alone: nothing of it runs. */
import { Schema } from "effect"

import { connect, type RowOf } from "../../client/Cast.ts"
import { persisted } from "../../client/Persist.ts"
import { useRow, useRows, useStatus } from "../../client/React.ts"
import { fakeCast } from "../../client/Testing.ts"
import { Decimal, defineConfig, polled, source, written } from "../../src/Config.ts"

const config = defineConfig({
  collections: {
    prices: polled({
      source: source({ url: "https://api.example.com/prices" }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, usd: Decimal, note: Schema.optional(Schema.String) })
    }),
    "order:{id}": written({
      key: "id",
      row: Schema.Struct({ id: Schema.String, tags: Schema.Array(Schema.String) })
    })
  }
})

/** By hand, with members that may be written to. */
interface Api {
  prices: { id: string; usd: string; note?: string }
  [order: `order:${string}`]: { id: string; tags: Array<string> }
}

type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>() => {}

export const names = () => {
  connect<Api>("/", { collections: ["prices", "order:17", "order:*"], keepAlive: ["order:17"] })
  connect<typeof config>("/", { collections: ["prices", "order:17"], keepAlive: ["prices"] })
  // @ts-expect-error -- there is no such collection
  connect<Api>("/", { collections: ["prizes"] })
  // @ts-expect-error -- nor such a family
  connect<typeof config>("/", { collections: ["oder:17"] })
  // @ts-expect-error -- as for those that go on while the page is hidden
  connect<Api>("/", { collections: ["prices"], keepAlive: ["prizes"] })
  // @ts-expect-error -- as for rows of the last visit
  persisted<typeof config>("/", { collections: ["prizes"] }, { as: "" })
  // @ts-expect-error -- and in tests
  fakeCast<Api>({ collections: { prizes: {} } })
  // @ts-expect-error -- no road of that name
  connect<Api>("/", { collections: ["prices"], roads: ["sockets"] })
  // @ts-expect-error -- no option of that name
  connect<Api>("/", { collections: ["prices"], keepalive: ["prices"] })
}

export const members = () => {
  const cast = connect<Api>("/", { collections: ["prices"] })
  const meant = connect<typeof config>("/", { collections: ["prices"] })
  // @ts-expect-error -- there is no such collection
  void cast.prizes
  // @ts-expect-error -- as of a config
  void meant.prizes
  const only = connect<Api, "prices">("/", { collections: ["prices"] })
  // @ts-expect-error -- it is not among those that were asked for
  void only["order:17"]
  // @ts-expect-error -- what a cast has is not changed
  cast.prices = only.prices
}

export const rows = () => {
  for (const cast of [
    connect<Api>("/", { collections: ["prices"] }),
    connect<typeof config>("/", { collections: ["prices"] })
  ] as const) {
    const { prices } = cast
    const row = prices.get("a")!
    const usd: string = row.usd
    // @ts-expect-error -- there may be none
    void prices.get("a").usd
    // @ts-expect-error -- there may be no note
    const note: string = row.note
    // @ts-expect-error -- there is no such field
    void row.eur
    // @ts-expect-error -- a row is not written to
    row.usd = "2"
    // @ts-expect-error -- nor are rows
    prices.rows[0] = row
    // @ts-expect-error -- nor is one of them
    prices.rows[0]!.usd = "2"
    // @ts-expect-error -- what is written has to fit, too: a decimal is text
    void prices.put("a", { usd: 1 })
    // @ts-expect-error -- only fields that there are can be unset
    void prices.patch("a", {}, { unset: ["eur"] })
    void [usd, note]
  }
}

/** Also where whoever has written the types did not say so. */
export const byHand = () => {
  const row = connect<Api>("/", { collections: ["prices"] }).prices.get("a")!
  // @ts-expect-error -- a row is not written to
  row.usd = "2"
  const order = connect<Api>("/", { collections: ["order:17"] })
    .collection("order:17")
    .get("a")!
  // @ts-expect-error -- nor is one of a family
  order.id = "b"
  // It is given to whoever asks for one of theirs.
  const mine: Api["prices"] = row
  void mine
}

export const families = () => {
  const api = connect<Api>("/", { collections: ["order:17"] })
  const meant = connect<typeof config>("/", { collections: ["order:17"] })
  for (const order of [api.collection("order:17"), meant.collection("order:17")] as const) {
    const tags: ReadonlyArray<string> = order.get("a")!.tags
    // @ts-expect-error -- it is of another collection
    void order.get("a")!.usd
    void tags
  }
  const tags: ReadonlyArray<string> | undefined = api["order:17"]?.get("a")?.tags
  // @ts-expect-error -- no such family
  void api["oder:17"]
  void tags
}

export const Shown = () => {
  const cast = connect<Api>("/", { collections: ["prices"] })
  const row = useRow(cast.prices, "a")
  // @ts-expect-error -- there may be none
  void row.usd
  const rows = useRows(cast.prices)
  // @ts-expect-error -- rows are not sorted in place
  rows.sort()
  const ids = useRows(cast.prices, (rows) => rows.map(({ id }) => id))
  holds<Is<typeof ids, Array<string>>>()
  holds<Is<typeof row, RowOf<Api, "prices"> | undefined>>()
  holds<Is<ReturnType<typeof cast.prices.get>, typeof row>>()
  const road: string = useStatus(cast).road
  const more: boolean = useStatus(cast.prices).more
  const state: string = useStatus(cast.prices, ({ state }) => state)
  // @ts-expect-error -- a collection has no road
  void useStatus(cast.prices).road
  void [road, more, state]
}
