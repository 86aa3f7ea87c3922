/** What the assets and rates of a cast say about one asset; and how a page shows it. */
import { short } from "./format.js"
import { make, write } from "./element.js"

export class Assets {
  #cast

  constructor(cast) {
    this.#cast = cast
  }

  #of(collection, id) {
    return this.#cast.collections.get(collection)?.rows.get(id)
  }

  symbol(id) {
    return this.#of("assets", id)?.get("symbol") ?? short(id)
  }

  name(id) {
    return this.#of("assets", id)?.get("name") ?? ""
  }

  image(id) {
    const image = this.#of("assets", id)?.get("image")
    return typeof image === "string" && /^(https?:|data:image\/)/.test(image) ? image : undefined
  }

  /** Of the smallest units, as text of any length, to whole ones; NaN of an asset that nobody knows. */
  whole(id, units) {
    const decimals = this.#of("assets", id)?.get("decimals")
    return decimals === undefined ? NaN : Number(units) / 10 ** decimals
  }

  usd(id) {
    return Number(this.#of("rates", id)?.get("usd") ?? NaN)
  }
}

/** A picture from anywhere, or the first letter where there is none or it does not come. */
export const makeIcon = () => {
  const letter = make("span", { class: "icon", "aria-hidden": "true" })
  let shown
  let current = letter
  const put = (element) => {
    current.replaceWith(element)
    current = element
  }
  const paint = (symbol, image) => {
    write(letter, symbol.slice(0, 1))
    if (shown === image) return
    shown = image
    if (image === undefined) return put(letter)
    const picture = make("img", {
      class: "icon",
      alt: "",
      width: "24",
      height: "24",
      loading: image.startsWith("data:") ? undefined : "lazy",
      decoding: "async",
      referrerpolicy: "no-referrer",
      src: image
    })
    picture.addEventListener("error", () => current === picture && put(letter))
    put(picture)
  }
  return { element: letter, paint }
}
