import { type Browser, type Params, patience } from "./Browser.ts"
import { until } from "./Daemon.ts"

interface Evaluated<A> {
  readonly result: { readonly value: A }
  readonly exceptionDetails?: {
    readonly text: string
    readonly exception?: { readonly description?: string }
  }
}

const one = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})`

export interface TabOptions {
  readonly width?: number
  readonly height?: number
  /** Media features, such as `prefers-reduced-motion`. */
  readonly media?: { readonly [feature: string]: string }
  /** Patterns of addresses that are answered 404. */
  readonly missing?: ReadonlyArray<string>
  /** A tab of the same browser window: they share what an origin keeps, and only one is seen. */
  readonly beside?: Tab
}

/** One tab, and what its console and its scripts complained about. */
export class Tab {
  readonly complaints: Array<string> = []
  /** Of each response: its address, and its content coding. */
  readonly responses: Array<{ readonly url: string; readonly encoding: string | undefined }> = []
  private readonly browser: Browser
  private readonly targetId: string
  private readonly context: string
  private readonly session: string

  private constructor(browser: Browser, targetId: string, session: string, context: string) {
    this.browser = browser
    this.context = context
    this.targetId = targetId
    this.session = session
    browser.on(session, (method, params) => this.note(method, params as never))
  }

  static async open(browser: Browser, url: string, options: TabOptions = {}): Promise<Tab> {
    const { height = 900, media = {}, missing = [], width = 1280 } = options
    const browserContextId =
      options.beside?.context ??
      (
        await browser.call<{ browserContextId: string }>("Target.createBrowserContext", {
          disposeOnDetach: true
        })
      ).browserContextId
    const { targetId } = await browser.call<{ targetId: string }>("Target.createTarget", {
      url: "about:blank",
      browserContextId
    })
    const { sessionId } = await browser.call<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true
    })
    const tab = new Tab(browser, targetId, sessionId, browserContextId)
    await tab.call("Runtime.enable")
    await tab.call("Network.enable")
    if (missing.length > 0)
      await tab.call("Fetch.enable", { patterns: missing.map((urlPattern) => ({ urlPattern })) })
    await tab.call("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600
    })
    await tab.call("Emulation.setEmulatedMedia", {
      features: Object.entries(media).map(([name, value]) => ({ name, value }))
    })
    await tab.call("Page.navigate", { url })
    return tab
  }

  call<A>(method: string, params: Params = {}): Promise<A> {
    return this.browser.call(method, params, this.session)
  }

  /** The value of an expression; what it throws is thrown here. */
  async evaluate<A>(expression: string): Promise<A> {
    const { exceptionDetails, result } = await this.call<Evaluated<A>>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true
    })
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  text(selector: string): Promise<string> {
    return this.evaluate(`${one(selector)}?.innerText ?? ""`)
  }

  texts(selector: string): Promise<ReadonlyArray<string>> {
    return this.evaluate(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map(({ innerText }) => innerText)`
    )
  }

  attribute(selector: string, name: string): Promise<string | null> {
    return this.evaluate(`${one(selector)}.getAttribute(${JSON.stringify(name)})`)
  }

  isVisible(selector: string): Promise<boolean> {
    return this.evaluate(`${one(selector)}?.checkVisibility() ?? false`)
  }

  async click(selector: string): Promise<void> {
    await this.shows(selector)
    await this.evaluate(`${one(selector)}.click()`)
  }

  /** As typed: with a focus, and an event for the page to hear. */
  async fill(selector: string, text: string): Promise<void> {
    await this.evaluate(`(() => { const input = ${one(selector)}; input.focus(); input.select() })()`)
    if (text === "") await this.press("Backspace", 8)
    else await this.call("Input.insertText", { text })
  }

  /** A key on whatever has the focus. */
  async press(key: string, windowsVirtualKeyCode: number, text?: string): Promise<void> {
    const event = { key, code: key, windowsVirtualKeyCode }
    await this.call("Input.dispatchKeyEvent", {
      type: "keyDown",
      ...event,
      ...(text !== undefined && { text })
    })
    await this.call("Input.dispatchKeyEvent", { type: "keyUp", ...event })
  }

  async holds(what: string, expression: string, ms = patience): Promise<void> {
    await until(what, () => this.evaluate<boolean>(expression), ms)
  }

  async shows(selector: string, text = "", ms = patience): Promise<void> {
    const check = async () => (await this.isVisible(selector)) && (await this.text(selector)).includes(text)
    await until(`${selector} says ${JSON.stringify(text)}`, check, ms)
  }

  /** In front of the others. */
  async show(): Promise<void> {
    await this.call("Page.bringToFront")
  }

  close(): Promise<unknown> {
    return this.browser.call("Target.closeTarget", { targetId: this.targetId })
  }

  private note(
    method: string,
    params: {
      readonly requestId: string
      readonly args: ReadonlyArray<{ readonly value?: unknown; readonly description?: string }>
      readonly exceptionDetails: { readonly exception?: { readonly description?: string } }
      readonly response: { readonly url: string; readonly headers: { readonly [name: string]: string } }
    }
  ): void {
    if (method === "Runtime.consoleAPICalled")
      this.complaints.push(
        params.args.map(({ description, value }) => String(value ?? description)).join(" ")
      )
    if (method === "Runtime.exceptionThrown")
      this.complaints.push(params.exceptionDetails.exception?.description ?? "an exception")
    if (method === "Fetch.requestPaused")
      void this.call("Fetch.fulfillRequest", { requestId: params.requestId, responseCode: 404 })
    if (method === "Network.responseReceived") {
      const { headers, url } = params.response
      this.responses.push({ url, encoding: headers["Content-Encoding"] ?? headers["content-encoding"] })
    }
  }
}
