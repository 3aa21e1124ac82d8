import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { fromUtf8, utf8 } from "@lockkeeper/encoding"
import { spellName, spellPassword } from "../src/spelling.ts"
import { refused } from "./refusals.ts"

const spelled = (typed: string): string => fromUtf8(spellPassword(typed).expose())

describe("a password", () => {
  // RFC 8265 Section 4.3, examples 12 to 18.
  const accepted: readonly (readonly [string, string])[] = [
    ["correct horse battery staple", "correct horse battery staple"],
    ["Correct Horse Battery Staple", "Correct Horse Battery Staple"],
    ["πßå", "πßå"],
    ["Jack of ♦s", "Jack of ♦s"],
    ["foo\u1680bar", "foo bar"],
    ["e\u0301", "\u00e9"],
  ]
  for (const [typed, form] of accepted) {
    it(`${JSON.stringify(typed)} has the form RFC 8265 gives it`, () => {
      assert.equal(spelled(typed), form)
      assert.equal(spelled(form), form)
    })
  }

  it("is refused when empty, with a control character, or with a lone surrogate", async () => {
    for (const typed of ["", "my cat is a \u0009by", "a\n", "\u0000", "\ud800", "\u2028"]) {
      const error = await refused(() => spellPassword(typed), "invalid-request")
      assert.equal(error.field, "password")
    }
  })

  it("may come as bytes, which stay the caller's, and must be UTF-8", async () => {
    const secret = Secret.copyOf(utf8("e\u0301"))
    assert.equal(fromUtf8(spellPassword(secret).expose()), "\u00e9")
    assert.equal(secret.length, 3)
    const bad = new Secret(new Uint8Array([0xff]))
    await refused(() => spellPassword(bad), "invalid-request")
  })

  it("is not repeated in what is said about it", async () => {
    const error = await refused(() => spellPassword("my secret\u0009"), "invalid-request")
    assert.doesNotMatch(JSON.stringify(error.toBody(0)), /secret/)
  })
})

describe("an account name", () => {
  const accepted: readonly (readonly [string, string])[] = [
    ["juliet@example.com", "juliet@example.com"],
    ["fussball", "fussball"],
    ["fu\u00dfball", "fu\u00dfball"],
    ["\u03c0", "\u03c0"],
    ["\u03a3", "\u03c3"],
    ["ALICE", "alice"],
    ["\uff21lice", "alice"],
  ]
  for (const [typed, form] of accepted) {
    it(`${JSON.stringify(typed)} is kept as ${JSON.stringify(form)}`, () => {
      assert.equal(spellName(typed), form)
      assert.equal(spellName(form), form)
    })
  }

  it("is refused when empty, with spaces, symbols, controls, or too long", async () => {
    for (const typed of ["", "foo bar", "henry\u2163", "\u265a", "a\u0000", "x".repeat(257)]) {
      const error = await refused(() => spellName(typed), "invalid-request")
      assert.equal(error.field, "name")
      assert.notEqual(error.remedy, "")
    }
  })
})
