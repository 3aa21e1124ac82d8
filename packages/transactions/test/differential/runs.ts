import assert from "node:assert/strict"
import type { TestContext } from "node:test"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import { type Intent, intentCodec } from "@lockkeeper/transactions"

/** How many transactions each file makes; the long run has 20 000. */
export const TRANSACTIONS = Number(process.env["LOCKKEEPER_TRANSACTIONS"] ?? 1000)

/** The same transactions each time, so that a change is what makes a difference; or those of another. */
const SEED = Number(process.env["LOCKKEEPER_SEED"] ?? 1)

/** What a property runs with; the seed is printed, and LOCKKEEPER_SEED repeats it. */
export function runs(
  t: TestContext,
  share = 1,
): { readonly numRuns: number; readonly seed: number } {
  t.diagnostic(`LOCKKEEPER_SEED=${SEED}`)
  return { numRuns: Math.ceil(TRANSACTIONS * share), seed: SEED }
}

/** What a reader made of bytes; null for a refusal, which is a DecodeError. */
export function readOrRefused<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error))
    return null
  }
}

/** The one encoding of an intent, once it is certain that it is read back the same. */
export function encodingOf(intent: Intent): Uint8Array {
  const encoded = encode(intentCodec, intent)
  assert.deepEqual(decode(intentCodec, encoded), intent)
  return encoded
}
