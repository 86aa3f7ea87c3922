/** The menus, and what an update does to one: it takes a moment, and prices are others after it. */
export const companies = [
  { id: "aurora", name: "Aurora Bakery" },
  { id: "basil", name: "Basil & Thyme" },
  { id: "cedar", name: "Cedar Grill" }
] as const

export interface Menu {
  readonly company: string
  /** Larger after every update, and over a restart: ms since 1970. */
  readonly version: number
  /** Prices in cents. */
  readonly items: ReadonlyArray<{ readonly name: string; readonly price: number }>
}

const dishes: { readonly [company: string]: ReadonlyArray<string> } = {
  aurora: ["Rye bread", "Plum cake", "Cinnamon roll", "Coffee"],
  basil: ["Green risotto", "Tomato soup", "Pesto gnocchi", "Lemon sorbet"],
  cedar: ["Smoked trout", "Grilled peppers", "Lamb skewer", "Flatbread"]
}
const duration = 600

const price = () => 250 + 10 * Math.floor(Math.random() * 150)

export class Kitchen {
  private readonly menus = new Map<string, Menu>()
  private readonly updating = new Set<string>()
  private readonly ended: (menu: Menu) => void

  constructor(ended: (menu: Menu) => void) {
    this.ended = ended
    for (const { id } of companies) this.cook(id)
  }

  menu(company: string): Menu | undefined {
    return this.menus.get(company)
  }

  /** Whether it begins; one that is under way is the same. */
  update(company: string): { readonly begun: boolean } {
    if (this.updating.has(company)) return { begun: false }
    this.updating.add(company)
    setTimeout(() => {
      this.updating.delete(company)
      this.ended(this.cook(company))
    }, duration)
    return { begun: true }
  }

  private cook(company: string): Menu {
    const version = Math.max(Date.now(), (this.menus.get(company)?.version ?? 0) + 1)
    const menu = { company, version, items: dishes[company]!.map((name) => ({ name, price: price() })) }
    this.menus.set(company, menu)
    return menu
  }
}
