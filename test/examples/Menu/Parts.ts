/** What the page of the menus is made of, as its modules are. */
import { join } from "node:path"

import { type Collection, connect } from "../../../client/Cast.ts"
import { onRow } from "../../../client/Redux.ts"
import type { Message } from "../../../src/Testing.ts"

interface Event {
  readonly version: number
}

/** The client of the page, on a road that the test is the other end of. */
export class Events {
  private hear: (text: string) => void = () => {}
  private readonly cast = connect<{ menuEvents: Event }>("https://menus.test/", {
    collections: ["menuEvents"],
    share: () => (_asked, hear) => {
      this.hear = hear
      return { close: () => {} }
    }
  })

  /** As the page does. */
  readonly onEvent = (then: Parameters<typeof onRow<Event, never>>[1]) =>
    onRow(this.cast.menuEvents as Collection<Event>, then)

  async open(): Promise<void> {
    this.cast.subscribe(() => {})
    await frame()
  }

  /** And whoever listens is told. A client whose connection has ended is not looked at here. */
  async take(messages: ReadonlyArray<Message>): Promise<void> {
    for (const message of messages) if (message.type !== "goodbye") this.hear(JSON.stringify(message))
    await frame()
  }

  close(): void {
    this.cast.close()
  }
}

/** Without a page, what is told of is gathered for 16 ms. */
const frame = () => new Promise((done) => setTimeout(done, 20))

interface Entry {
  readonly status: string
  readonly data?: { readonly version: number }
}

interface State {
  readonly api: { readonly queries: { readonly [key: string]: Entry } }
  readonly basket: ReadonlyArray<unknown>
}

export interface Api {
  readonly endpoints: {
    readonly menu: {
      readonly initiate: (company: string) => PromiseLike<unknown>
      readonly select: (company: string) => (state: State) => Entry
    }
  }
}

export interface Store {
  readonly getState: () => State
  readonly dispatch: <A>(action: A) => A
}

const folder = join(import.meta.dirname, "../../../examples/menu/page")
const load = <A>(name: string): Promise<A> => import(join(folder, name)) as Promise<A>

export const { makeApi } = await load<{
  readonly makeApi: (options: {
    readonly onEvent: Events["onEvent"]
    readonly baseQuery: (path: string) => Promise<{ readonly data: unknown }>
  }) => Api
}>("api.js")
export const { basket, makeStore } = await load<{
  readonly basket: { readonly actions: { readonly added: (item: object) => object } }
  readonly makeStore: (api: Api) => Store
}>("store.js")
