import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  text,
  u8,
  u32,
  union,
} from "@lockkeeper/encoding"
import { MAX_MEMBERS } from "./roster.ts"

/** Longest input or output of one protocol step, bytes. */
export const MAX_STEP = 1_000_000

/** Most presignatures of one key that a server keeps, those being made included. */
export const MAX_PRESIGNATURES = 64

/** How one server stands to another for two-party multiplication. */
export const PAIR_STATES = ["none", "live", "dead"] as const
export type PairState = (typeof PAIR_STATES)[number]

/**
 * Body of `pairs.setup`: the base oblivious transfers of every pair among the participants that has
 * none yet, once per rosterEpoch. Addressed to exactly the participants. The run bears the digest of
 * the whole request as its `setupId`, so that nobody has a server open one run twice.
 */
export interface SetupPairsBody {
  /** Servers, ascending. */
  readonly participants: readonly Identifier[]
}

export const setupPairsBody: Codec<SetupPairsBody> = struct<SetupPairsBody>({
  participants: list(identifierCodec, MAX_MEMBERS),
})

/** How this server stands to each other member. */
export const pairStates: Codec<
  readonly { readonly peer: Identifier; readonly state: PairState }[]
> = list(struct({ peer: identifierCodec, state: oneOf(...PAIR_STATES) }), MAX_MEMBERS)

/**
 * Body of `presign`: a batch of presignatures for one key and one signer set. Addressed to exactly the
 * signers. The batch bears the digest of the whole request as its `batchId`.
 */
export interface PresignBody {
  readonly keyId: Bytes
  readonly keyEpoch: number
  /** The signer set, ascending. */
  readonly signers: readonly Identifier[]
  /** 1 to `dkls.maxBatch(signers)`. */
  readonly count: number
  /** `now` when somebody waits for the signature; `background` gives way to everything else. */
  readonly urgency: "now" | "background"
  /**
   * How many presignatures of the set every signer is known to have; null where that is not known. What
   * a server has beyond that another signer has lost, in a crash: the oldest make room, where it lacks.
   */
  readonly ready: number | null
}

export const presignBody: Codec<PresignBody> = struct<PresignBody>({
  keyId: fixedBytes(32),
  keyEpoch: u32,
  signers: list(identifierCodec, MAX_MEMBERS),
  count: u8,
  urgency: oneOf("now", "background"),
  ready: nullable(u8),
})

/**
 * Input of a step of `pairs.setup` and `presign`: the other participants' messages of the step before,
 * each as `deliver` cuts it for this server.
 */
export const bulkStepInput: Codec<{ readonly messages: readonly Bytes[] }> = struct<{
  readonly messages: readonly Bytes[]
}>({ messages: list(bytes(MAX_STEP), MAX_MEMBERS) })

/**
 * Output of a step of `pairs.setup` and `presign`. A stopped run says why, and proves it where that
 * can be proven: messages between servers are sealed to them, so the coordinator holds no proof itself.
 */
export type BulkStepOutput =
  /** This server's message for the next step. */
  | { readonly kind: "message"; readonly message: Bytes }
  /** The run is complete at this server. */
  | { readonly kind: "complete" }
  | {
      readonly kind: "aborted"
      readonly reason: string
      readonly culprits: readonly Identifier[]
      /** One of these two is at fault; their pair is dead now. */
      readonly pair: readonly Identifier[] | null
      /** Encoded evidence, up to 64 KiB each. */
      readonly evidence: readonly Bytes[]
    }

export const bulkStepOutput: Codec<BulkStepOutput> = union<BulkStepOutput>({
  message: struct({ message: bytes(MAX_STEP) }),
  complete: struct({}),
  aborted: struct({
    reason: text(128),
    culprits: list(identifierCodec, MAX_MEMBERS),
    pair: nullable(list(identifierCodec, 2)),
    evidence: list(bytes(65_536), 8),
  }),
})

/** One signer set's part of a key's pool at one server. */
export interface PoolOfSet {
  readonly signers: readonly Identifier[]
  /** Presignatures ready to be used. */
  readonly ready: number
  /** When the oldest was made, milliseconds since the Unix epoch; 0 when there is none. */
  readonly oldestAt: number
}

/** Answer to `pool.status`, whose body is a `showKeyBody`. */
export interface PoolStatus {
  readonly sets: readonly PoolOfSet[]
  /** Most presignatures of this key, over all sets. */
  readonly cap: number
  /** Longest a presignature is kept, milliseconds. */
  readonly maxAgeMs: number
  /** Signatures and presigning steps this server is at work on for anyone: refill waits while it is. */
  readonly busy: number
  readonly pairs: readonly { readonly peer: Identifier; readonly state: PairState }[]
}

export const poolStatus: Codec<PoolStatus> = struct<PoolStatus>({
  sets: list(
    struct({ signers: list(identifierCodec, MAX_MEMBERS), ready: u8, oldestAt: safeInteger }),
    MAX_PRESIGNATURES,
  ),
  cap: u8,
  maxAgeMs: safeInteger,
  busy: u32,
  pairs: pairStates,
})
