/** What the page of the menus is made of, as its modules are. */
import { join } from "node:path"

import type { Message } from "../../../src/Testing.ts"

export interface Events {
  readonly take: (message: Message) => void
}

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

export const { Events } = await load<{ readonly Events: new () => Events }>("events.js")
export const { makeApi } = await load<{
  readonly makeApi: (options: {
    readonly events: Events
    readonly baseQuery: (path: string) => Promise<{ readonly data: unknown }>
  }) => Api
}>("api.js")
export const { basket, makeStore } = await load<{
  readonly basket: { readonly actions: { readonly added: (item: object) => object } }
  readonly makeStore: (api: Api) => Store
}>("store.js")
