import { randomFillSync } from "node:crypto"
import type { Clock, Randomness } from "../ports/dependencies.ts"

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() }

/** The operating system's generator. */
export const systemRandomness: Randomness = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
}
