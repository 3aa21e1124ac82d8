import { LIMITS } from "../messages/limits.ts"

/** Most sharings of one run. */
const MAX_KEYS = 200

/** Bytes of a sealed part or a broadcast that are not shares or elements. */
const SEALED_OVERHEAD = 1536
const BROADCAST_OVERHEAD = 256
/** Bytes of an element of any of the groups, at most. */
const ELEMENT = 33
/** Bytes of what an outcome needs of one key beside what was dealt. */
const KEY_HEAD = 160
/** Bytes of evidence that are openings, headers and signatures, at most. */
const EVIDENCE_OVERHEAD = 16 * 1024

/**
 * How many sharings one run carries at most. A dealer's shares for one member have to fit a sealed
 * part, its commitments a broadcast, and all that was dealt one piece of evidence, with which a wrong
 * confirmation is proven.
 */
export function maxKeys(dealers: number, minSigners: number): number {
  const elements = (minSigners - 1) * ELEMENT
  const sealed = Math.floor((LIMITS.sealed - SEALED_OVERHEAD) / 32)
  const broadcast = Math.floor((LIMITS.broadcast - BROADCAST_OVERHEAD) / elements)
  const evidence = Math.floor(
    (LIMITS.evidence - EVIDENCE_OVERHEAD) / (dealers * elements + KEY_HEAD),
  )
  return Math.min(MAX_KEYS, sealed, broadcast, evidence)
}
