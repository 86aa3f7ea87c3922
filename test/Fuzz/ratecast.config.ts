import { configOf } from "./Config.ts"

export default configOf(process.env["FUZZ_UPSTREAM"]!)
