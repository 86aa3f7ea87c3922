/** Tokens: what somebody may is said by who knows them, and signed with the key that Ratecast checks with. */
import { SignJWT } from "jose"

import type { Person } from "./People.ts"

/** s */
export const expiresIn = 3600

const customers = ["support:{sub}"]
const staff = ["support:*"]

export const tokenOf = ({ id, isStaff }: Person, secret: string): Promise<string> => {
  const threads = isStaff ? staff : customers
  return new SignJWT({ ratecast: { read: threads, write: threads } })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(id)
    .setIssuedAt()
    .setExpirationTime(`${expiresIn} s`)
    .sign(new TextEncoder().encode(secret))
}
