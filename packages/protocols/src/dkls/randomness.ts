import { hkdfSha512Expand, hkdfSha512Extract, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, encode, fixedBytes, struct, text, u16 } from "@lockkeeper/encoding"

interface Draw {
  readonly purpose: string
  /** What it is drawn for: a peer, or a place in the batch. */
  readonly index: number
  readonly context: Bytes
}

const drawCodec = struct<Draw>({ purpose: text(64), index: u16, context: fixedBytes(32) })

/** The randomness of one step, drawn from as often as the step needs. Wipe it afterwards. */
export interface StepRandomness {
  bytes(purpose: string, index: number, length: number): Bytes
  scalar(purpose: string, index: number): Scalar
  wipe(): void
}

/**
 * Stretches a step's randomness with HKDF. Secrets of the sender are hashed in, so that a weak
 * generator alone gives nothing away, and what the step is about, so that repeated randomness repeats
 * nothing of another run.
 *
 * @param randomness - `STEP_RANDOMNESS` bytes: no task decodes with another number of them.
 */
export function stepRandomness(
  randomness: Bytes,
  context: Bytes,
  ...secrets: readonly Bytes[]
): StepRandomness {
  let key = hkdfSha512Extract(context, randomness)
  for (const secret of secrets) {
    const next = hkdfSha512Extract(key, secret)
    key.fill(0)
    key = next
  }
  const draw = (purpose: string, index: number, length: number): Bytes =>
    hkdfSha512Expand(key, encode(drawCodec, { purpose, index, context }), length)
  return {
    bytes: draw,
    scalar(purpose, index) {
      const wide = draw(purpose, index, 64)
      const scalar = secp256k1.scalarFromUniform(wide)
      wide.fill(0)
      return scalar
    },
    wipe: () => key.fill(0),
  }
}
