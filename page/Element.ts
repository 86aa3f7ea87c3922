/** Makes elements, and writes text only where it differs: what is equal costs no layout. */
type Attributes = { readonly [name: string]: string | number | boolean | undefined }
type Child = Node | string | undefined

const fill = (element: Element, attributes: Attributes, children: ReadonlyArray<Child>) => {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : String(value))
  for (const child of children) if (child !== undefined) element.append(child)
}

export const make = <Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Name] => {
  const element = document.createElement(name)
  fill(element, attributes, children)
  return element
}

export const draw = <Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): SVGElementTagNameMap[Name] => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  fill(element, attributes, children)
  return element
}

export const write = (element: Element, text: string): void => {
  if (element.textContent !== text) element.textContent = text
}

export const mark = (element: Element, name: string, value: string | undefined): void => {
  if (value === undefined) element.removeAttribute(name)
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

export const show = (element: HTMLElement, isShown: boolean): void => {
  if (element.hidden === isShown) element.hidden = !isShown
}

export const byId = <A extends HTMLElement = HTMLElement>(id: string): A => {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element as A
}

/** One of several buttons like radios, each `[value, label]`; tells the one that is chosen. */
export const choices = (
  name: string,
  label: string,
  options: ReadonlyArray<readonly [value: string, label: string]>,
  chosen: string,
  tell: (value: string) => void
): HTMLFieldSetElement => {
  const group = make("fieldset", { class: "choices" }, make("legend", {}, label))
  const box = make("div", { class: "segments" })
  for (const [value, text] of options) {
    const input = make("input", { type: "radio", name, value })
    input.checked = value === chosen
    input.addEventListener("change", () => tell(value))
    box.append(make("label", {}, input, make("span", {}, text)))
  }
  group.append(box)
  return group
}

/** Without a secure origin there is no clipboard: what could not be copied is selected, one key away. */
export const copy = async (text: string, button: HTMLElement, from?: HTMLElement): Promise<void> => {
  const before = button.dataset["label"] ?? button.textContent
  button.dataset["label"] = before
  try {
    await navigator.clipboard.writeText(text)
    write(button, "Copied")
  } catch {
    if (from !== undefined) getSelection()?.selectAllChildren(from)
    write(button, from === undefined ? "No clipboard here" : "Selected")
  }
  setTimeout(() => write(button, before), 1_500)
}
