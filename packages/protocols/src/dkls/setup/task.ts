import {
  type Element,
  type Identifier,
  identifierCodec,
  type Scalar,
  type Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  fixedBytes,
  list,
  numberMap,
  struct,
  u8,
  union,
} from "@lockkeeper/encoding"
import { secretCodec } from "../../keys.ts"
import { LIMITS } from "../../messages/limits.ts"
import { type Statement, statementsCodec } from "../../messages/statement.ts"
import { point } from "../codec.ts"
import { STEP_RANDOMNESS, TASK_MAX } from "../limits.ts"
import {
  type BaseOtReceiver,
  type BaseOtSender,
  baseOtReceiverCodec,
  baseOtSenderCodec,
  type PairSetup,
  pairSetupCodec,
} from "../ot/index.ts"
import type { SetupStep } from "../types.ts"

function byPeer<T>(item: Codec<T>): Codec<ReadonlyMap<Identifier, T>> {
  return numberMap(identifierCodec, item, LIMITS.participants)
}

/** Bytes of one part: what evidence has room for. */
export const SETUP_PART_MAX = 16 * 1024

/** What steps 2 and 3 are given of one peer. */
export interface SetupPeer {
  readonly ephemeral: Element
  /** Its base transfers for this participant; empty at step 2. */
  readonly part: Bytes
}

/** One step's whole input to the worker thread. A secret. */
export interface SetupTask {
  readonly step: SetupStep
  readonly identifier: Identifier
  /** The digest of the parameters at step 1, the session afterwards. */
  readonly context: Bytes
  /** What the step before kept. */
  readonly secret: Bytes
  /** With whom a pair is set up. */
  readonly peers: ReadonlyMap<Identifier, SetupPeer>
  readonly randomness: Bytes
  /** Passed on to the answer unread. */
  readonly carried: Bytes
}

export const setupTaskCodec: Codec<SetupTask> = struct<SetupTask>({
  step: u8 as Codec<SetupStep>,
  identifier: identifierCodec,
  context: fixedBytes(32),
  secret: bytes(TASK_MAX),
  peers: byPeer(struct<SetupPeer>({ ephemeral: point, part: bytes(SETUP_PART_MAX) })),
  randomness: fixedBytes(STEP_RANDOMNESS),
  carried: bytes(TASK_MAX),
})

export type SetupResult =
  | {
      readonly kind: "opened"
      readonly nonce: Bytes
      readonly ephemeral: Element
      readonly secret: Bytes
    }
  | {
      readonly kind: "exchanged"
      readonly parts: ReadonlyMap<Identifier, Bytes>
      readonly secret: Bytes
    }
  /** Steps 3 and 4. */
  | { readonly kind: "kept"; readonly secret: Bytes }
  /** Who sent points that are none. */
  | { readonly kind: "malformed"; readonly culprits: readonly Identifier[] }

export const setupResultCodec: Codec<{ readonly result: SetupResult; readonly carried: Bytes }> =
  struct({
    result: union<SetupResult>({
      opened: struct({ nonce: fixedBytes(32), ephemeral: point, secret: bytes(TASK_MAX) }),
      exchanged: struct({ parts: byPeer(bytes(SETUP_PART_MAX)), secret: bytes(TASK_MAX) }),
      kept: struct({ secret: bytes(TASK_MAX) }),
      malformed: struct({ culprits: list(identifierCodec, LIMITS.participants) }),
    }),
    carried: bytes(TASK_MAX),
  })

/** Secrets between steps 2 and 3, of one pair. */
export interface PairExchange {
  readonly receiver: BaseOtReceiver
  readonly sender: BaseOtSender
  /** The receiver's choice bits, which stay after the transfers. */
  readonly delta: Secret
}

export interface ExchangedSetup {
  readonly ephemeral: Scalar
  readonly pairs: ReadonlyMap<Identifier, PairExchange>
}

export const exchangedSetupCodec: Codec<ExchangedSetup> = struct<ExchangedSetup>({
  ephemeral: secp256k1.nonZeroScalar,
  pairs: byPeer(
    struct<PairExchange>({
      receiver: baseOtReceiverCodec,
      sender: baseOtSenderCodec,
      delta: secretCodec(16),
    }),
  ),
})

/** What step 3 keeps until everyone has confirmed. */
export const pairSetupsCodec: Codec<ReadonlyMap<Identifier, PairSetup>> = byPeer(pairSetupCodec)

type Statements = ReadonlyMap<Identifier, Statement>

/** What a participant remembers of a run beside its secrets. */
export interface SetupTrail {
  /** The last step that was answered. */
  readonly step: SetupStep
  readonly opens: Statements
  readonly exchanges: Statements
}

export const setupTrailCodec: Codec<SetupTrail> = struct<SetupTrail>({
  step: u8 as Codec<SetupStep>,
  opens: statementsCodec,
  exchanges: statementsCodec,
})

/** What `state` is: opaque to everyone else, and a secret. */
export const setupStateCodec: Codec<{ readonly trail: Bytes; readonly secret: Bytes }> = struct({
  trail: bytes(TASK_MAX),
  secret: bytes(TASK_MAX),
})
