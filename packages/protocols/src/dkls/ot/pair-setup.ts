import type { Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, struct } from "@lockkeeper/encoding"
import { secretCodec } from "../../keys.ts"
import { SEED_LENGTH, SEEDS_LENGTH } from "./sizes.ts"

/**
 * What a participant keeps for one peer, for as long as the pair lives. All of it but the digest is
 * secret. `delta` is the same in every extension: each failed check may tell the peer a bit of it,
 * so a pair is dead at its first failure.
 */
export interface PairSetup {
  /** Equal at both ends. */
  readonly setupDigest: Bytes
  /** Both seeds of each base transfer, in which this participant was the sender. */
  readonly zeroSeeds: Secret
  readonly oneSeeds: Secret
  /** Choice bits and chosen seeds of those in which this participant was the receiver. */
  readonly delta: Secret
  readonly chosenSeeds: Secret
  /** Known to both ends. */
  readonly pairSecret: Secret
}

export const pairSetupCodec: Codec<PairSetup> = struct<PairSetup>({
  setupDigest: fixedBytes(32),
  zeroSeeds: secretCodec(SEEDS_LENGTH),
  oneSeeds: secretCodec(SEEDS_LENGTH),
  delta: secretCodec(SEED_LENGTH),
  chosenSeeds: secretCodec(SEEDS_LENGTH),
  pairSecret: secretCodec(32),
})

/** Overwrites what is secret in a setup. */
export function wipePairSetup(setup: PairSetup): void {
  const { zeroSeeds, oneSeeds, delta, chosenSeeds, pairSecret } = setup
  for (const secret of [zeroSeeds, oneSeeds, delta, chosenSeeds, pairSecret]) secret.wipe()
}
