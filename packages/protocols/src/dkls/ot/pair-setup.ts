import type { Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, struct } from "@lockkeeper/encoding"
import { secretCodec } from "../../keys.ts"

/** Base oblivious transfers of one pair in both directions, as one of its ends keeps them. */
export interface PairSetup {
  /** 32 bytes, equal at both ends. */
  readonly setupDigest: Bytes
  /** 128 seeds of 16 bytes for each choice: this end receives in the extension. */
  readonly zeroSeeds: Secret
  readonly oneSeeds: Secret
  /** 128 choice bits and the seeds they chose: this end sends in the extension. */
  readonly delta: Secret
  readonly chosenSeeds: Secret
  /** 32 bytes that both ends share. */
  readonly pairSecret: Secret
}

/** The encoding is a secret: seal it. */
export const pairSetupCodec: Codec<PairSetup> = struct<PairSetup>({
  setupDigest: fixedBytes(32),
  zeroSeeds: secretCodec(128 * 16),
  oneSeeds: secretCodec(128 * 16),
  delta: secretCodec(16),
  chosenSeeds: secretCodec(128 * 16),
  pairSecret: secretCodec(32),
})
