import { existsSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { chromium } from "playwright-core"
import type { BrowserBundle } from "./bundle.ts"

/** Where a Chromium is: LK_CHROMIUM, or the usual places; null when there is none. */
export function findChromium(): string | null {
  const places = [
    process.env["LK_CHROMIUM"] ?? "",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
  ]
  return places.find((place) => place !== "" && existsSync(place)) ?? null
}

/** What a test prints instead of running when there is no browser. */
export const NO_CHROMIUM =
  "no Chromium here: install Debian's package chromium, or set LK_CHROMIUM to its path"

export interface BrowserPage {
  /** Where the page is served, without a trailing slash: what servers must allow as origin. */
  readonly origin: string
  /** Calls a function that the bundle put on globalThis, with JSON in and JSON out. */
  call<Result>(name: string, argument?: unknown): Promise<Result>
  /** Console messages and page errors so far. */
  readonly messages: readonly string[]
  close(): Promise<void>
}

/**
 * Serves a bundle on localhost and opens it in headless Chromium, under a content security policy
 * that admits no script but the bundle.
 *
 * @param options.ignoreCertificates - for a development cluster, whose authority Chromium lacks.
 */
export async function openPage(
  bundle: BrowserBundle,
  options: { ignoreCertificates?: boolean } = {},
): Promise<BrowserPage> {
  const executablePath = findChromium()
  if (executablePath === null) throw new Error(NO_CHROMIUM)
  const server = await serve(bundle.code)
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
  const browser = await chromium.launch({ executablePath, args }).catch((error: unknown) => {
    server.close()
    throw error
  })
  const context = await browser.newContext({
    ignoreHTTPSErrors: options.ignoreCertificates ?? false,
  })
  const page = await context.newPage()
  const messages: string[] = []
  page.on("console", (message) => messages.push(message.text()))
  page.on("pageerror", (error) => messages.push(String(error)))
  const close = async () => {
    await browser.close()
    server.closeAllConnections()
    server.close()
  }
  try {
    await page.goto(origin)
    // The marker is set by the line that follows the bundle's own code.
    await page.waitForFunction("globalThis.bundleLoaded === true", null, { timeout: 30_000 })
  } catch (error) {
    await close()
    throw new Error(`the page did not load: ${messages.join("\n")}`, { cause: error })
  }
  const call = (name: string, argument?: unknown) =>
    page.evaluate(`globalThis[${JSON.stringify(name)}](${JSON.stringify(argument ?? null)})`)
  return { origin, messages, close, call: call as BrowserPage["call"] }
}

function serve(code: string): Promise<Server> {
  const html =
    '<!doctype html><html lang="en"><title>Lock Keeper</title><script type="module" src="/bundle.js"></script></html>'
  const policy =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' https: http://localhost:* http://127.0.0.1:*"
  const server = createServer((request, response) => {
    const script = request.url === "/bundle.js"
    response.writeHead(script || request.url === "/" ? 200 : 404, {
      "content-type": script ? "text/javascript" : "text/html",
      "content-security-policy": policy,
    })
    response.end(script ? `${code}\nglobalThis.bundleLoaded = true\n` : html)
  })
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))
}
