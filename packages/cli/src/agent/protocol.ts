import {
  CUSTODIES,
  type ErrorBody,
  errorBody,
  KEY_STATES,
  KEY_TYPES,
  type KeyType,
  MAX_MEMBERS,
  MAX_MESSAGE,
  MAX_NAME,
} from "@lockkeeper/api"
import {
  type Bytes,
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
  u16,
  union,
  utf8,
} from "@lockkeeper/encoding"
import type {
  CreatedView,
  IncidentView,
  KeeperAddress,
  KeyView,
  SignatureView,
  SignOrder,
} from "../owner.ts"

/** Longest password, bytes. */
const MAX_PASSWORD = 1024
const MAX_PATH = 4096
const MAX_KEYS = 256

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
  | { readonly kind: "create-key"; readonly keyType: KeyType; readonly label: string }
  | { readonly kind: "list-keys" }
  | { readonly kind: "show-key"; readonly keyId: Bytes }
  | ({ readonly kind: "sign" } & SignOrder)
  | { readonly kind: "change-password"; readonly current: Bytes; readonly next: Bytes }
  | { readonly kind: "logout" }

const nothing = struct<object>({})
const keyType = oneOf(...KEY_TYPES)

export const agentRequest: Codec<AgentRequest> = labelled(
  "lockkeeper/agent-request/v1",
  union<AgentRequest>({
    status: nothing,
    "create-key": struct({ keyType, label: text(64) }),
    "list-keys": nothing,
    "show-key": struct({ keyId: fixedBytes(32) }),
    sign: struct({
      keyId: fixedBytes(32),
      message: bytes(MAX_MESSAGE),
      merkleRoot: nullable(bytes(32)),
    }),
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
  | ({ readonly kind: "signature" } & SignatureView)

const identifiers = list(u16, MAX_MEMBERS)

const keyView: Codec<KeyView> = struct<KeyView>({
  keyId: fixedBytes(32),
  keyType,
  custody: oneOf(...CUSTODIES),
  state: oneOf(...KEY_STATES),
  label: text(64),
  createdAt: safeInteger,
  publicKey: bytes(64),
  minSigners: u16,
  holders: identifiers,
})

const incidentView: Codec<IncidentView> = struct<IncidentView>({
  server: u16,
  name: text(64),
  message: text(512),
  evidence: nullable(text(MAX_PATH)),
})

export const agentReply: Codec<AgentReply> = labelled(
  "lockkeeper/agent-reply/v1",
  union<AgentReply>({
    failed: struct({ error: errorBody }),
    done: nothing,
    status: struct({ name: text(MAX_NAME), idleLeftMs: safeInteger }),
    keys: struct({ keys: list(keyView, MAX_KEYS) }),
    created: struct({ key: keyView, incidents: list(incidentView, MAX_MEMBERS) }),
    signature: struct({
      signature: bytes(128),
      signers: identifiers,
      incidents: list(incidentView, MAX_MEMBERS),
    }),
  }),
)
