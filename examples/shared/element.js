/** Makes elements, and writes text only where it differs: what is equal costs no layout. */
export const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute === "class") element.className = value
    else if (value === true) element.setAttribute(attribute, "")
    else if (value !== undefined && value !== false) element.setAttribute(attribute, value)
  }
  element.append(...children)
  return element
}

export const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text
}

export const show = (element, visible) => {
  if (element.hidden === visible) element.hidden = !visible
}

export const byId = (id) => document.getElementById(id)
