/** What a page has and a server, a worker or a phone may lack; each is used only where it is. */
interface Host {
  readonly document?: {
    readonly hidden: boolean
    readonly getElementById: (id: string) => { readonly textContent: string | null } | null
  }
  readonly navigator?: { readonly onLine?: boolean }
  readonly location?: { readonly href: string }
  readonly addEventListener?: Listen
  readonly removeEventListener?: Listen
  readonly requestAnimationFrame?: (run: () => void, ms: number) => unknown
}

type Listen = (type: string, listener: (event: HostEvent) => void, isCaptured: boolean) => void

export interface HostEvent {
  readonly type: string
  readonly persisted?: boolean
}

/** Looked at when it is needed, so that importing this does nothing. */
export const host = globalThis as unknown as Host
