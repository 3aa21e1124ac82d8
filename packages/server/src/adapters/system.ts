import { randomFillSync } from "node:crypto"
import type { Clock, Compute, Randomness } from "../ports/dependencies.ts"

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() }

/** The operating system's generator. */
export const systemRandomness: Randomness = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
}

/**
 * Runs steps where they are called: every step of today's protocols takes under 2 ms. A thread pool
 * for longer ones stands behind the same port.
 */
export const inlineCompute: Compute = { run: async (step) => step() }
