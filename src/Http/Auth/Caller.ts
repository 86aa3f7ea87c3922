/** Who asks: what they may, and for how long. */
import type { Rights } from "./Rights.ts"

export interface Caller {
  /** By what they showed who they are. */
  readonly by: "nothing" | "token" | "api key"
  /** `undefined`: nobody in particular. */
  readonly subject: string | undefined
  /** Patterns of this caller, `{sub}` filled in. */
  readonly rights: Rights
  /** ms since 1970; `undefined`: for as long as they like. */
  readonly expiresAt: number | undefined
  /** Of the token, by which it can be revoked. */
  readonly tokenId: string | undefined
  /** The browser sent it by itself, so other pages of it could have made it do so. */
  readonly byCookie: boolean
}
