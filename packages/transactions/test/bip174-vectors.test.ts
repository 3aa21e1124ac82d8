import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { DecodeError, fromHex } from "@lockkeeper/encoding"
import { bitcoinInputIntent } from "@lockkeeper/transactions"
import { publicKey } from "./bitcoin-spend.ts"

interface Vector {
  readonly kind: "invalid" | "valid" | "fails signer checks"
  readonly case: string
  readonly hex: string
}

const vectorsOf = (name: string): readonly Vector[] => {
  const file = new URL(`../../../vectors/${name}/psbt.json`, import.meta.url)
  return JSON.parse(readFileSync(file, "utf8"))
}

/** Why the first input is not signed for, without what differs from vector to vector. */
function refusalOf({ hex }: Vector): string {
  try {
    bitcoinInputIntent({ psbt: fromHex(hex.toLowerCase()), input: 0, publicKey })
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error))
    return error.message.replace(/ \(.*/, "").replace(/ at offset 0$/, "")
  }
  return "signed"
}

function refusalsOf(name: string, kind: Vector["kind"]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const vector of vectorsOf(name).filter((each) => each.kind === kind)) {
    const refusal = refusalOf(vector)
    counts[refusal] = (counts[refusal] ?? 0) + 1
  }
  return counts
}

const NOT_READ = "no PSBT that is understood"
const NOT_OURS = "inputs.0: spends no output of this key that can be signed for"

test("PSBTs that BIP174 and BIP370 call invalid are not read", () => {
  assert.deepEqual(refusalsOf("bip174", "invalid"), { [NOT_READ]: 20 })
  assert.deepEqual(refusalsOf("bip370", "invalid"), { [NOT_READ]: 24 })
})

test("valid PSBTs of BIP174 and BIP370 are read and not signed with another's key", () => {
  assert.deepEqual(refusalsOf("bip174", "valid"), {
    [NOT_OURS]: 6,
    "inputs.0: final already": 1,
    "inputs.0: there is no such input": 1,
    // Fields of unknown types may change what is signed, and so may versions.
    [NOT_READ]: 1,
    "version: not a standard version": 1,
  })
  assert.deepEqual(refusalsOf("bip370", "valid"), {
    [NOT_OURS]: 10,
    "inputs.0: the spent output is missing": 1,
    // Bits of PSBT_GLOBAL_TX_MODIFIABLE that BIP370 does not define.
    [NOT_READ]: 2,
  })
})

test("PSBTs that BIP174 says a signer has to refuse are refused", () => {
  assert.deepEqual(refusalsOf("bip174", "fails signer checks"), { [NOT_OURS]: 4 })
})
