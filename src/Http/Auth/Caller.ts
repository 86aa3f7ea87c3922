/** Who asks: what they may, and for how long. */
import { Problem } from "../Problem.ts"
import { allRights, covers, type Deed, type Rights } from "./Rights.ts"

export interface Caller {
  /** By what they showed who they are. */
  readonly by: "nothing" | "token" | "api key"
  /** `undefined`: nobody in particular. */
  readonly subject: string | undefined
  /** Patterns of this caller, `{sub}` filled in. */
  readonly rights: Rights
  /** ms since 1970; `undefined`: for as long as they like. */
  readonly expiresAt: number | undefined
  /** When the token says it was made, ms since 1970. */
  readonly issuedAt: number | undefined
  /** Of the token, by which it can be revoked. */
  readonly tokenId: string | undefined
  /** The browser sent it by itself, so other pages of it could have made it do so. */
  readonly byCookie: boolean
  /** They came with a ticket, and cannot come back without another one. */
  readonly byTicket: boolean
}

const nobody: Caller = {
  by: "nothing",
  subject: undefined,
  rights: allRights,
  expiresAt: undefined,
  issuedAt: undefined,
  tokenId: undefined,
  byCookie: false,
  byTicket: false
}

export const anonymous = (rights: Rights): Caller => ({ ...nobody, rights })
export const backend: Caller = { ...nobody, by: "api key" }

/** The same whether or not there is anything of that name: nobody learns it by asking. */
export const refusal = ({ by }: Caller, detail: string): Problem =>
  by === "nothing"
    ? new Problem({ code: "unauthenticated", detail: `${detail} without a token` })
    : new Problem({ code: "forbidden", detail: `${detail} with this token` })

const deeds: { readonly [deed in Deed]: string } = { read: "read", write: "written to", refresh: "refreshed" }

export const may = (caller: Caller, deed: Deed, name: string): boolean => covers(caller.rights[deed], name)

const settings: { readonly [deed in Deed]: string } = {
  read: "ANONYMOUS_READ",
  write: "ANONYMOUS_WRITE",
  refresh: "ANONYMOUS_REFRESH"
}

export const notAllowed = (caller: Caller, deed: Deed, name: string): Problem => {
  const { code, detail } = refusal(caller, `"${name.slice(0, 80)}" cannot be ${deeds[deed]}`)
  const hint = caller.by === "nothing" ? `; ${settings[deed]} says what can` : ""
  return new Problem({ code, detail: detail + hint })
}

/** Throws a Problem where the caller may not. */
export const allow = (caller: Caller, deed: Deed, name: string): void => {
  if (!may(caller, deed, name)) throw notAllowed(caller, deed, name)
}
