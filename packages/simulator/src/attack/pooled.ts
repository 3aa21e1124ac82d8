import { equalBytes } from "@lockkeeper/encoding"
import { equivocationOf, openHeader, type SignedHeader, slotMismatch } from "@lockkeeper/protocols"
import type { Ended } from "./harness.ts"

/**
 * What those who were shown different headers of one author find when they compare them: nobody does
 * so within a run, where one header each is all that anyone sees.
 */
export function pooled(
  headers: readonly SignedHeader[],
  verifyKeys: ReadonlyMap<number, Uint8Array>,
): Ended[] {
  const found: Ended[] = []
  for (const [i, a] of headers.entries()) {
    for (const b of headers.slice(i + 1)) {
      if (equalBytes(a.bytes, b.bytes)) continue
      const [first, second] = [openHeader(a, verifyKeys), openHeader(b, verifyKeys)]
      if (!first.ok || !second.ok || first.value.sender !== second.value.sender) continue
      if (slotMismatch(first.value, second.value)) continue
      const culprits = [first.value.sender]
      found.push({ reason: "equivocation", culprits, pair: null, evidence: [equivocationOf(a, b)] })
    }
  }
  return found
}
