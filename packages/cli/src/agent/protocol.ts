import {
  CUSTODIES,
  childPath,
  type ErrorBody,
  errorBody,
  INCIDENT_SOURCES,
  INCIDENT_STATES,
  KEY_STATES,
  KEY_TYPES,
  MAX_MEMBERS,
  MAX_NAME,
  MAX_PRESIGNATURES,
  PAIR_STATES,
  signContent,
} from "@lockkeeper/api"
import {
  type Bytes,
  bool,
  bytes,
  type Codec,
  constant,
  fixedBytes,
  list,
  mapped,
  nullable,
  oneOf,
  safeInteger,
  struct,
  text,
  u8,
  u16,
  u32,
  union,
  utf8,
} from "@lockkeeper/encoding"
import {
  type ChildView,
  type CreatedView,
  type DerivedView,
  type ExtendedView,
  type FilledView,
  type IncidentView,
  KEY_STATE_CHANGES,
  type KeeperAddress,
  type KeyOrder,
  type KeyStateChange,
  type KeyStateView,
  type KeyView,
  MAX_RECORDED,
  type PoolSetView,
  type PoolTargets,
  type PoolView,
  type RecordedView,
  type RecordsView,
  type SignatureView,
  type SignOrder,
} from "../owner.ts"

/** Longest password, bytes. */
const MAX_PASSWORD = 1024
const MAX_PATH = 4096
const MAX_KEYS = 256
/** Most signer sets of one key that are told of: those in use, and those with presignatures. */
const MAX_SETS = MAX_PRESIGNATURES + 2 * MAX_MEMBERS

/** Puts a label before a value, so that frames of one kind are never read as another. */
function labelled<T>(label: string, codec: Codec<T>): Codec<T> {
  const fields = struct<{ label: null; value: T }>({ label: constant(utf8(label)), value: codec })
  return mapped(
    fields,
    (value) => ({ label: null, value }),
    ({ value }) => value,
  )
}

/** What starts an agent: where to log in and as whom. Goes through a pipe, once. */
export interface AgentStart {
  readonly address: KeeperAddress
  readonly name: string
  readonly password: Bytes
  readonly socket: string
  readonly idleMs: number
}

export const agentStart: Codec<AgentStart> = labelled(
  "lockkeeper/agent-start/v1",
  struct<AgentStart>({
    address: struct<KeeperAddress>({
      roster: text(MAX_PATH),
      rosterPin: nullable(fixedBytes(32)),
      ca: nullable(text(MAX_PATH)),
      evidence: text(MAX_PATH),
      deviceSecrets: text(MAX_PATH),
    }),
    name: text(MAX_NAME),
    password: bytes(MAX_PASSWORD),
    socket: text(MAX_PATH),
    idleMs: safeInteger,
  }),
)

/** What a command asks of the agent: one request on one connection. */
export type AgentRequest =
  | { readonly kind: "status" }
  | ({ readonly kind: "create-key" } & KeyOrder)
  | { readonly kind: "list-keys" }
  | { readonly kind: "show-key"; readonly keyId: Bytes }
  | { readonly kind: "show-child"; readonly keyId: Bytes; readonly path: readonly number[] }
  | { readonly kind: "derive-child"; readonly keyId: Bytes; readonly path: readonly number[] }
  | ({ readonly kind: "sign" } & SignOrder)
  | { readonly kind: "change-key-state"; readonly keyId: Bytes; readonly change: KeyStateChange }
  | { readonly kind: "pool-status"; readonly keyId: Bytes }
  | ({ readonly kind: "fill-pool"; readonly keyId: Bytes } & PoolTargets)
  | { readonly kind: "recorded-incidents" }
  | { readonly kind: "change-password"; readonly current: Bytes; readonly next: Bytes }
  | { readonly kind: "logout" }

const nothing = struct<object>({})
const keyType = oneOf(...KEY_TYPES)
const custody = oneOf(...CUSTODIES)
const ofChild = struct({ keyId: fixedBytes(32), path: childPath })

export const agentRequest: Codec<AgentRequest> = labelled(
  "lockkeeper/agent-request/v1",
  union<AgentRequest>({
    status: nothing,
    "create-key": struct({ keyType, label: text(64), custody, deviceSecret: bool }),
    "list-keys": nothing,
    "show-key": struct({ keyId: fixedBytes(32) }),
    "show-child": ofChild,
    "derive-child": ofChild,
    sign: struct({
      keyId: fixedBytes(32),
      path: childPath,
      content: signContent,
      merkleRoot: nullable(bytes(32)),
    }),
    "change-key-state": struct({
      keyId: fixedBytes(32),
      change: oneOf(...KEY_STATE_CHANGES),
    }),
    "pool-status": struct({ keyId: fixedBytes(32) }),
    "fill-pool": struct({ keyId: fixedBytes(32), floor: u8, cap: u8 }),
    "recorded-incidents": nothing,
    "change-password": struct({ current: bytes(MAX_PASSWORD), next: bytes(MAX_PASSWORD) }),
    logout: nothing,
  }),
)

export interface AgentStatus {
  readonly name: string
  /** Milliseconds until the agent ends if nothing is asked of it. */
  readonly idleLeftMs: number
}

/** How the agent answers. */
export type AgentReply =
  | { readonly kind: "failed"; readonly error: ErrorBody }
  | { readonly kind: "done" }
  | ({ readonly kind: "status" } & AgentStatus)
  | { readonly kind: "keys"; readonly keys: readonly KeyView[] }
  | ({ readonly kind: "created" } & CreatedView)
  | ({ readonly kind: "child" } & ChildView)
  | ({ readonly kind: "derived" } & DerivedView)
  | ({ readonly kind: "signature" } & SignatureView)
  | ({ readonly kind: "state-changed" } & KeyStateView)
  | ({ readonly kind: "pool" } & PoolView)
  | ({ readonly kind: "filled" } & FilledView)
  | ({ readonly kind: "recorded" } & RecordsView)

const identifiers = list(u16, MAX_MEMBERS)

const keyView: Codec<KeyView> = struct<KeyView>({
  keyId: fixedBytes(32),
  keyType,
  custody,
  state: oneOf(...KEY_STATES),
  label: text(64),
  createdAt: safeInteger,
  expiresAt: nullable(safeInteger),
  publicKey: bytes(64),
  minSigners: u16,
  holders: identifiers,
})

const incidentView: Codec<IncidentView> = struct<IncidentView>({
  server: u16,
  // Two names, where one of two servers is at fault.
  name: text(160),
  message: text(512),
  evidence: nullable(text(MAX_PATH)),
})

const incidents = list(incidentView, MAX_MEMBERS)

const childView: Codec<ChildView> = struct<ChildView>({
  keyId: fixedBytes(32),
  keyType,
  path: childPath,
  publicKey: bytes(64),
  extended: nullable(
    struct<ExtendedView>({
      publicKey: fixedBytes(33),
      chainCode: fixedBytes(32),
      parentKey: nullable(fixedBytes(33)),
    }),
  ),
})

const poolSet: Codec<PoolSetView> = struct<PoolSetView>({
  signers: identifiers,
  ready: u8,
  oldestAt: safeInteger,
  complete: bool,
})

const pairs = list(
  struct({ servers: list(u16, 2), state: oneOf(...PAIR_STATES) }),
  MAX_MEMBERS * MAX_MEMBERS,
)

const recordedView: Codec<RecordedView> = struct<RecordedView>({
  recordedBy: u16,
  number: u32,
  servers: list(u16, 2),
  names: list(text(80), 2),
  reason: text(128),
  recordedAt: safeInteger,
  source: oneOf(...INCIDENT_SOURCES),
  state: oneOf(...INCIDENT_STATES),
  evidence: fixedBytes(32),
})

export const agentReply: Codec<AgentReply> = labelled(
  "lockkeeper/agent-reply/v1",
  union<AgentReply>({
    failed: struct({ error: errorBody }),
    done: nothing,
    status: struct({ name: text(MAX_NAME), idleLeftMs: safeInteger }),
    keys: struct({ keys: list(keyView, MAX_KEYS) }),
    created: struct({ key: keyView, incidents }),
    child: childView,
    derived: struct({ child: childView, incidents }),
    signature: struct({
      signature: bytes(128),
      recovery: nullable(u8),
      signers: identifiers,
      incidents,
    }),
    "state-changed": struct({
      keyId: fixedBytes(32),
      state: oneOf(...KEY_STATES),
      servers: identifiers,
      missing: identifiers,
      needed: u16,
      effective: bool,
      incidents,
    }),
    pool: struct({
      sets: list(poolSet, MAX_SETS),
      cap: u8,
      held: u8,
      maxAgeMs: safeInteger,
      busy: u32,
      pairs,
      incidents,
    }),
    filled: struct({
      made: u8,
      sets: list(struct({ signers: identifiers, ready: u8 }), MAX_SETS),
      incidents,
    }),
    recorded: struct({ recorded: list(recordedView, MAX_RECORDED), incidents }),
  }),
)
