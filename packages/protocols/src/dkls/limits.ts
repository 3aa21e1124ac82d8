import { LIMITS } from "../messages/limits.ts"

/**
 * Most signers of one presignature. Evidence about one carries what all of them published, and has to
 * fit its own bound; rosters of 24 with an honest majority need 12 and leave room for additive ones.
 */
export const MAX_SIGNERS = 15

/** Most presignatures of one batch: with one peer. */
const MAX_BATCH = 16

/** Bytes of fresh uniform randomness that every step takes, of setup as of presigning. */
export const STEP_RANDOMNESS = 64

/** Bytes of one part to one recipient: the multiplication's messages of a whole batch. */
export const PART_MAX = LIMITS.bulk

/** Bytes of a task, its result, or the state between steps. */
export const TASK_MAX = 16 * 1024 * 1024

/** How many presignatures one run makes at most: its messages to each peer grow with each. */
export function maxBatch(signers: number): number {
  return Math.min(MAX_BATCH, Math.max(1, Math.floor(MAX_BATCH / (signers - 1))))
}
