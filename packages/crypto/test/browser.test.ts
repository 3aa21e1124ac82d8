import assert from "node:assert/strict"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { bundleForBrowser } from "../../../scripts/browser/bundle.ts"
import { findChromium, NO_CHROMIUM, openPage } from "../../../scripts/browser/page.ts"
import { cryptoOutputs } from "./browser-program.ts"

const skip = findChromium() === null ? NO_CHROMIUM : false

test("every backend in Chromium gives the same bytes as in Node", { skip }, async () => {
  const entry = fileURLToPath(new URL("browser-program.ts", import.meta.url))
  const page = await openPage(await bundleForBrowser(entry))
  try {
    const inNode = cryptoOutputs()
    assert.equal(Object.keys(inNode).length, 51)
    assert.deepEqual(await page.call("cryptoOutputs"), inNode)
  } finally {
    await page.close()
  }
})
