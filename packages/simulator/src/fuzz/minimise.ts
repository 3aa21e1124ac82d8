import { type Bytes, concat } from "@lockkeeper/encoding"
import { check, type FaultKind } from "./check.ts"
import type { Decoder } from "./decoder.ts"

/** Most readings that are spent on one input, and the longest: those that hang take long each. */
const MAX_READINGS = 1500
const MAX_MS = 2000

/** A shorter, plainer input with the same kind of fault. */
export async function minimise(decoder: Decoder, input: Bytes, kind: FaultKind): Promise<Bytes> {
  let readings = 0
  const end = performance.now() + MAX_MS
  const goesOn = () => readings < MAX_READINGS && performance.now() < end
  const fails = async (candidate: Bytes) => {
    readings++
    return (await check(decoder, candidate)).fault?.kind === kind
  }
  let best = input
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.length && goesOn(); ) {
      const without = concat(best.subarray(0, at), best.subarray(at + size))
      if (await fails(without)) best = without
      else at += size
    }
  }
  for (let at = 0; at < best.length && goesOn(); at++) {
    if (best[at] === 0) continue
    const plainer = best.slice()
    plainer[at] = 0
    if (await fails(plainer)) best = plainer
  }
  return best
}
