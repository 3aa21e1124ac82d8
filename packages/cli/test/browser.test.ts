import assert from "node:assert/strict"
import { createPublicKey, verify } from "node:crypto"
import { readFileSync } from "node:fs"
import { after, before, describe, test } from "node:test"
import { fileURLToPath } from "node:url"
import { fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import { type BrowserBundle, bundleForBrowser } from "../../../scripts/browser/bundle.ts"
import {
  type BrowserPage,
  findChromium,
  NO_CHROMIUM,
  openPage,
} from "../../../scripts/browser/page.ts"
import { type Cluster, startCluster } from "../src/index.ts"
import type { Visit, Visited } from "./browser-program.ts"

const skip = findChromium() === null ? NO_CHROMIUM : false
const message = "the bytes of a transaction"

/** Ed25519 verification by code that is not ours. */
function verifies(publicKey: string, signature: string): boolean {
  const prefix = fromHex("302a300506032b6570032100")
  const der = Buffer.concat([prefix, fromHex(publicKey)])
  const key = createPublicKey({ key: der, format: "der", type: "spki" })
  return verify(null, utf8(message), key, fromHex(signature))
}

describe("the SDK in headless Chromium, against a local cluster", { skip }, () => {
  let bundle: BrowserBundle
  let page: BrowserPage
  let cluster: Cluster
  let account: Visit

  before(async () => {
    bundle = await bundleForBrowser(fileURLToPath(new URL("browser-program.ts", import.meta.url)))
    page = await openPage(bundle, { ignoreCertificates: true })
    const allowedOrigins = [page.origin]
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null, allowedOrigins })
    account = {
      roster: toHex(readFileSync(cluster.roster)),
      pin: toHex(cluster.rosterPin),
      name: "alice",
      password: "correct horse battery staple",
      message,
      register: false,
    }
  })

  after(async () => {
    await page?.close()
    await cluster?.stop()
  })

  test("registers, logs in, makes a key and signs; node:crypto verifies", async () => {
    const visited = await page.call<Visited>("visit", { ...account, register: true })
    assert.ok("signature" in visited, JSON.stringify(visited))
    assert.equal(visited.signers, 2)
    assert.equal(verifies(visited.publicKey, visited.signature), true)
  })

  test("keeps the secret of a key in self custody, which no script can read", async () => {
    const visited = await page.call<Visited>("visit", { ...account, self: true })
    assert.ok("signature" in visited, JSON.stringify(visited))
    assert.equal(verifies(visited.publicKey, visited.signature), true)
    assert.deepEqual(await page.call("secrets", null), [{ extractable: false, usages: ["sign"] }])
  })

  test("a wrong password is refused with the guesses that remain", async () => {
    const visited = await page.call<Visited>("visit", { ...account, password: "wrong" })
    assert.ok("code" in visited, JSON.stringify(visited))
    assert.equal(visited.code, "wrong-password")
    assert.ok((visited.guessesRemaining ?? 0) > 0)
  })

  test("a page of an origin that is not configured reaches no server", async () => {
    const other = await openPage(bundle, { ignoreCertificates: true })
    try {
      const visited = await other.call<Visited>("visit", account)
      assert.ok("code" in visited, JSON.stringify(visited))
      assert.equal(visited.code, "not-enough-servers")
      assert.ok(other.messages.some((line) => line.includes("blocked by CORS policy")))
    } finally {
      await other.close()
    }
  })

  test("the bundle holds twelve third-party packages and nothing of Node", () => {
    assert.deepEqual(bundle.packages, [
      "@bufbuild/protobuf",
      "@connectrpc/connect",
      "@connectrpc/connect-web",
      "@noble/ciphers",
      "@noble/curves",
      "@noble/hashes",
      "@noble/post-quantum",
      "hash-wasm",
      "libsodium-sumo",
      "libsodium-wrappers-sumo",
      "tiny-secp256k1",
      "uint8array-tools",
    ])
  })
})
