import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { inspect } from "node:util"
import { Secret } from "../src/index.ts"

const canary = () => new TextEncoder().encode("canary-secret-bytes")

describe("a Secret", () => {
  it("prints as [redacted] however it is printed", () => {
    const secret = new Secret(canary())
    assert.equal(String(secret), "[redacted]")
    assert.equal(`${secret}`, "[redacted]")
    assert.equal(JSON.stringify({ secret }), '{"secret":"[redacted]"}')
    assert.equal(inspect(secret), "[redacted]")
    assert.equal(inspect({ deep: [secret] }, { depth: 9, showHidden: true }).includes("99"), false)
    assert.deepEqual(Object.entries(secret), [])
    assert.deepEqual(Object.keys(secret), [])
  })

  it("exposes its bytes until it is wiped, and then throws", () => {
    const bytes = canary()
    const secret = new Secret(bytes)
    assert.equal(secret.expose(), bytes)
    assert.equal(secret.length, bytes.length)
    secret.wipe()
    assert.deepEqual(bytes, new Uint8Array(bytes.length))
    assert.throws(() => secret.expose(), { message: "secret used after it was wiped" })
  })

  it("made by copyOf leaves its source alone", () => {
    const source = canary()
    Secret.copyOf(source).wipe()
    assert.deepEqual(source, canary())
  })

  it("is wiped when it is disposed of", () => {
    const bytes = canary()
    const secret = new Secret(bytes)
    secret[Symbol.dispose]()
    assert.throws(() => secret.expose(), Error)
    assert.deepEqual(bytes, new Uint8Array(bytes.length))
  })
})
