/** What the pages of these tests load: the client, for whoever drives the page. */
import { connect } from "../../client/Cast.ts"
import { inlined } from "../../client/Inline.ts"
import { forget, persisted } from "../../client/Persist.ts"
import { share } from "../../client/Share.ts"

Object.assign(globalThis, { connect, inlined, share, persisted, forget })
