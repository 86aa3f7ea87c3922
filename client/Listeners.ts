/** Whoever wants to know, and for as long as they do, reads. */
export type Changed = (keys: ReadonlySet<string>) => void

export interface Listener {
  /** Of the only row that matters to them. */
  readonly key?: string
  readonly told: Changed
}

export const subscribed = (
  listeners: Set<Listener>,
  listener: Listener,
  read: () => () => void
): (() => void) => {
  listeners.add(listener)
  const stop = read()
  return () => {
    listeners.delete(listener)
    stop()
  }
}

export const tellAll = (listeners: ReadonlySet<Listener>, keys: ReadonlySet<string> = new Set()): void => {
  // A copy: who subscribes anew when told would be told without end.
  ;[...listeners].forEach(async ({ key, told }) => {
    // One who breaks is nobody else's matter, and is seen: nobody takes the rejection.
    if (key === undefined || keys.has(key)) told(keys)
  })
}
