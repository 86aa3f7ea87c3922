/** The `ETag` of a row: of its content, because a revision can be given twice after a server lost its last commits. */
import { createHash } from "node:crypto"

import type { Row } from "./Collection.ts"

/** `text`: the row as it is sent. Without quotes. */
export const tagOfText = (text: string): string => createHash("sha1").update(text).digest("base64url")

export const tagOf = (row: Row): string => tagOfText(JSON.stringify(row))
