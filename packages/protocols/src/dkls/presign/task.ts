import {
  type Element,
  type Identifier,
  identifierCodec,
  type Scalar,
  Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  mapped,
  nullable,
  numberMap,
  oneOf,
  struct,
  u8,
  union,
} from "@lockkeeper/encoding"
import { type PublicKeyPackage, publicKeyPackageCodec, secretCodec } from "../../keys.ts"
import { LIMITS } from "../../messages/limits.ts"
import { ABORT_REASONS, type AbortReason } from "../../outcome.ts"
import { point, presignatureRecordCodec, presignParamsCodec } from "../codec.ts"
import { MAX_SIGNERS, maxBatch, PART_MAX, STEP_RANDOMNESS, TASK_MAX } from "../limits.ts"
import {
  type PairSetup,
  pairSetupCodec,
  type RvoleReceiver,
  rvoleReceiverCodec,
} from "../ot/index.ts"
import type { PresignatureRecord, PresignParams, PresignStep } from "../types.ts"
import { PAYLOAD_MAX } from "./payloads.ts"

const MAX_COUNT = maxBatch(2)

function bySigner<T>(item: Codec<T>): Codec<ReadonlyMap<Identifier, T>> {
  return numberMap(identifierCodec, item, MAX_SIGNERS)
}

/** Payloads by signer, as their senders encoded them. */
export type Payloads = ReadonlyMap<Identifier, Bytes>
export const payloadsCodec: Codec<Payloads> = bySigner(bytes(PAYLOAD_MAX))

/** What a step is given of one other signer; what it does not need is empty or zeros. */
export interface PeerInput {
  /** The session of its opening. */
  readonly nonce: Bytes
  /** Its key for this run, at step 2. */
  readonly ephemeral: Element | null
  /** What it committed to in its opening. */
  readonly commitment: Bytes
  /** Of the payload that its last message seals. */
  readonly digest: Bytes
  /** Its last message's part for this signer. */
  readonly part: Bytes
}

const peerInputCodec = struct<PeerInput>({
  nonce: fixedBytes(32),
  ephemeral: nullable(point),
  commitment: fixedBytes(32),
  digest: fixedBytes(32),
  part: bytes(PART_MAX),
})

/** One step's whole input to the worker thread. A secret. */
export interface PresignTask {
  readonly step: PresignStep
  readonly params: PresignParams
  readonly public: PublicKeyPackage
  readonly identifier: Identifier
  /** Zeros at step 1. */
  readonly sessionId: Bytes
  /** What the step before kept. */
  readonly secret: Bytes
  readonly signingShare: Secret | null
  readonly pairs: ReadonlyMap<Identifier, PairSetup>
  readonly peers: ReadonlyMap<Identifier, PeerInput>
  /** Payloads of step 2 that are known: the own one at step 3, all of them at step 4. */
  readonly exchanged: Payloads
  /** The own payload of step 3, at step 4. */
  readonly published: Payloads
  readonly randomness: Bytes
  /** Passed on to the answer unread. */
  readonly carried: Bytes
}

export const presignTaskCodec: Codec<PresignTask> = struct<PresignTask>({
  step: u8 as Codec<PresignStep>,
  params: presignParamsCodec,
  public: publicKeyPackageCodec,
  identifier: identifierCodec,
  sessionId: fixedBytes(32),
  secret: bytes(TASK_MAX),
  signingShare: nullable(secretCodec(32)),
  pairs: bySigner(pairSetupCodec),
  peers: bySigner(peerInputCodec),
  exchanged: payloadsCodec,
  published: payloadsCodec,
  randomness: fixedBytes(STEP_RANDOMNESS),
  carried: bytes(TASK_MAX),
})

/** What comes back. Secrets in it are for the next step of the same signer. */
export type PresignResult =
  | {
      readonly kind: "opened"
      readonly nonce: Bytes
      readonly broadcast: Bytes
      readonly parts: ReadonlyMap<Identifier, Bytes>
      readonly secret: Bytes
    }
  /** Steps 2 and 3. */
  | {
      readonly kind: "sealed"
      readonly payload: Bytes
      readonly parts: ReadonlyMap<Identifier, Bytes>
      readonly secret: Bytes
      /** What the others' parts held. */
      readonly opened: Payloads
    }
  | {
      readonly kind: "recorded"
      readonly records: readonly PresignatureRecord[]
      readonly secret: Bytes
      readonly opened: Payloads
    }
  /** Step 5: nothing is left to compute. */
  | { readonly kind: "kept"; readonly secret: Bytes }
  | { readonly kind: "accuse"; readonly accused: Identifier }
  /** What somebody signed is wrong, and can be shown to be. */
  | {
      readonly kind: "fault"
      readonly reason: AbortReason
      readonly field: string
      readonly culprits: readonly Identifier[]
      /** Two of whom one is at fault. */
      readonly pair: readonly Identifier[]
      readonly opened: Payloads
    }

const parts = bySigner(bytes(PART_MAX))

export const presignResultCodec: Codec<{
  readonly result: PresignResult
  readonly carried: Bytes
}> = struct({
  result: union<PresignResult>({
    opened: struct({
      nonce: fixedBytes(32),
      broadcast: bytes(LIMITS.broadcast),
      parts,
      secret: bytes(TASK_MAX),
    }),
    sealed: struct({
      payload: bytes(PAYLOAD_MAX),
      parts,
      secret: bytes(TASK_MAX),
      opened: payloadsCodec,
    }),
    recorded: struct({
      records: list(presignatureRecordCodec, MAX_COUNT),
      secret: bytes(TASK_MAX),
      opened: payloadsCodec,
    }),
    kept: struct({ secret: bytes(TASK_MAX) }),
    accuse: struct({ accused: identifierCodec }),
    fault: struct({
      reason: oneOf(...ABORT_REASONS),
      field: mapped(
        bytes(256),
        (value: string) => new TextEncoder().encode(value),
        (raw) => new TextDecoder().decode(raw),
      ),
      culprits: list(identifierCodec, MAX_SIGNERS),
      pair: list(identifierCodec, 2),
      opened: payloadsCodec,
    }),
  }),
  carried: bytes(TASK_MAX),
})

const scalars = list(secp256k1.scalar, MAX_COUNT)

/** Secrets between steps 1 and 2. */
export interface OpenedSecret {
  readonly blinding: Bytes
  /** r_i of each presignature. */
  readonly r: readonly Scalar[]
  readonly phi: readonly Scalar[]
  /** R_i of each presignature. */
  readonly nonces: readonly Element[]
  /** zeta_ij */
  readonly zeta: ReadonlyMap<Identifier, Scalar>
  /** Z_ij */
  readonly zeros: ReadonlyMap<Identifier, Element>
  readonly receivers: ReadonlyMap<Identifier, RvoleReceiver>
  /** Behind the key of the opening. */
  readonly ephemeral: Scalar
}

const receivers = bySigner(rvoleReceiverCodec)
const runSecrets = bySigner(secretCodec(32))

export const openedSecretCodec: Codec<OpenedSecret> = struct<OpenedSecret>({
  blinding: fixedBytes(32),
  r: scalars,
  phi: scalars,
  nonces: list(point, MAX_COUNT),
  zeta: bySigner(secp256k1.scalar),
  zeros: bySigner(point),
  receivers,
  ephemeral: secp256k1.nonZeroScalar,
})

/** This signer's shares of the products with one other, as the multiplication's sender. */
export interface SenderShares {
  readonly cu: readonly Scalar[]
  readonly cv: readonly Scalar[]
}

/** Secrets between steps 2 and 3. */
export interface ExchangedSecret {
  readonly r: readonly Scalar[]
  readonly phi: readonly Scalar[]
  /** sk_i */
  readonly keyShare: Scalar
  readonly receivers: ReadonlyMap<Identifier, RvoleReceiver>
  readonly products: ReadonlyMap<Identifier, SenderShares>
  /** What parts to and from each other signer are sealed with in this run. */
  readonly runSecrets: ReadonlyMap<Identifier, Secret>
}

export const exchangedSecretCodec: Codec<ExchangedSecret> = struct<ExchangedSecret>({
  r: scalars,
  phi: scalars,
  keyShare: secp256k1.scalar,
  receivers,
  products: bySigner(struct<SenderShares>({ cu: scalars, cv: scalars })),
  runSecrets,
})

/** Secrets after step 3: what the presignatures will hold. */
export interface PublishedSecret {
  readonly phi: readonly Scalar[]
  readonly u: readonly Scalar[]
  readonly v: readonly Scalar[]
  /** By which the parts of step 3 open; empty afterwards. */
  readonly runSecrets: ReadonlyMap<Identifier, Secret>
}

export const publishedSecretCodec: Codec<PublishedSecret> = struct<PublishedSecret>({
  phi: scalars,
  u: scalars,
  v: scalars,
  runSecrets,
})

function wipeValue(value: unknown): void {
  if (value instanceof Secret) value.wipe()
  else if (value instanceof Uint8Array) value.fill(0)
  else if (value instanceof Map) for (const item of value.values()) wipeValue(item)
  else if (Array.isArray(value)) for (const item of value) wipeValue(item)
  else if (value !== null && typeof value === "object") {
    for (const item of Object.values(value)) wipeValue(item)
  }
}

/** Overwrites every byte of a decoded secret, which its decoder made copies of. */
export function wipeDecoded(secret: OpenedSecret | ExchangedSecret | PublishedSecret): void {
  wipeValue(secret)
}

export function wipeTaskSecrets({ secret, signingShare, pairs, randomness }: PresignTask): void {
  wipeValue([secret, signingShare, pairs, randomness])
}
