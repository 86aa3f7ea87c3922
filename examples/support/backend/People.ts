/** Who there is. A service of your own has them in a database, and asks for a password. */
export interface Person {
  readonly id: string
  readonly name: string
  readonly isStaff: boolean
}

export const people: ReadonlyArray<Person> = [
  { id: "ada", name: "Ada", isStaff: false },
  { id: "grace", name: "Grace", isStaff: false },
  { id: "linus", name: "Linus", isStaff: false },
  { id: "margaret", name: "Margaret (staff)", isStaff: true }
]
