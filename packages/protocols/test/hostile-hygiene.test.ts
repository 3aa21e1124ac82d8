import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import { generateNonce } from "../src/frost/shares.ts"
import { FROST_KEY_TYPES, suiteOf } from "../src/frost/suites.ts"
import { groupOf } from "../src/key-types.ts"
import { seeded } from "./frost-fixture.ts"

/** Every array that something was copied into while `run` ran, other than through native code. */
function copiedInto(run: () => void): Uint8Array[] {
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype)
  const original = typedArray.set
  const seen: Uint8Array[] = []
  typedArray.set = function set(this: Uint8Array, ...args: [ArrayLike<number>, number?]) {
    seen.push(this)
    return original.apply(this, args)
  }
  try {
    run()
  } finally {
    typedArray.set = original
  }
  return seen
}

for (const keyType of FROST_KEY_TYPES) {
  test(`a nonce leaves no copy of the share or of what it was reduced from: ${keyType}`, () => {
    const group = groupByName(groupOf(keyType))
    const share = group.scalarFromUniform(seeded("share", 64))
    const copies = copiedInto(() => {
      const nonce = generateNonce(suiteOf(keyType), seeded("randomness"), share)
      nonce.fill(0)
    })
    for (const copy of copies) assert.ok(!toHex(copy).includes(toHex(share)), "the share")
    // What is left, labels and zeros, is the same for every share and randomness.
    const other = copiedInto(() => {
      generateNonce(suiteOf(keyType), seeded("other"), group.one).fill(0)
    })
    assert.deepEqual(copies.map(toHex), other.map(toHex))
  })
}
