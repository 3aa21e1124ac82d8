import {
  hashValue,
  type Identifier,
  identifierCodec,
  type SigningKey,
  verifySignature,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  concat,
  constant,
  decode,
  encode,
  fixedBytes,
  list,
  oneOf,
  safeInteger,
  struct,
  u32,
  utf8,
} from "@lockkeeper/encoding"
import { MAX_MEMBERS } from "./roster.ts"

/** Longest a request may stay valid, milliseconds. */
export const MAX_REQUEST_LIFETIME_MS = 10 * 60_000

/** How far a client's clock may be from a server's, milliseconds. */
export const MAX_CLOCK_SKEW_MS = 2 * 60_000

/** Everything an authenticated principal can ask for. Append only. */
export const OPERATIONS = [
  "account.show",
  "account.change-password",
  "keys.create",
  "keys.list",
  "keys.show",
  "sign.prepare",
  "sign",
  "account.forgive-guesses",
  "keys.derive",
  "pairs.show",
  "pairs.setup",
  "presign",
  "pool.status",
  "ecdsa.prepare",
  "ecdsa.sign",
  "incidents.report",
  "incidents.list",
  "sharings.list",
  "reshare",
  "reshare.show",
  "keys.suspend",
  "keys.resume",
  "keys.deactivate",
  "repair",
  "reshare.leave",
  "reshare.waiting",
  "policy.set",
  "policy.show",
  "requests.open",
  "requests.list",
  "requests.show",
  "requests.decide",
  "requests.cancel",
] as const

export type Operation = (typeof OPERATIONS)[number]

/**
 * In whose name a request is made: an account's, an operator's of one of the servers, or that of a person
 * in an account's charter.
 */
export const ROLES = ["owner", "operator", "approver", "auditor"] as const
export type Role = (typeof ROLES)[number]

/**
 * Who may ask for what. Operators keep shares in order and see nothing that is an owner's; evidence
 * counts for what it proves, whoever brings it. People see what waits, and decide for themselves alone.
 */
export const OPERATION_ROLES = {
  "account.show": ["owner"],
  "account.change-password": ["owner"],
  "keys.create": ["owner"],
  "keys.list": ["owner"],
  "keys.show": ["owner"],
  "sign.prepare": ["owner"],
  sign: ["owner"],
  "account.forgive-guesses": ["owner"],
  "keys.derive": ["owner"],
  "pairs.show": ["owner"],
  "pairs.setup": ["owner"],
  presign: ["owner"],
  "pool.status": ["owner"],
  "ecdsa.prepare": ["owner"],
  "ecdsa.sign": ["owner"],
  "incidents.report": ["owner", "operator"],
  "incidents.list": ["owner", "operator"],
  "sharings.list": ["operator"],
  reshare: ["operator"],
  "reshare.show": ["operator"],
  "keys.suspend": ["owner"],
  "keys.resume": ["owner"],
  "keys.deactivate": ["owner"],
  repair: ["operator"],
  "reshare.leave": ["operator"],
  "reshare.waiting": ["operator"],
  "policy.set": ["owner"],
  "policy.show": ["owner", "approver", "auditor"],
  "requests.open": ["owner"],
  "requests.list": ["owner", "approver", "auditor"],
  "requests.show": ["owner", "approver", "auditor"],
  "requests.decide": ["owner", "approver"],
  "requests.cancel": ["owner"],
} as const satisfies Readonly<Record<Operation, readonly Role[]>>

type OperationOf<R extends Role> = {
  [O in Operation]: R extends (typeof OPERATION_ROLES)[O][number] ? O : never
}[Operation]

export type OwnerOperation = OperationOf<"owner">
export type OperatorOperation = OperationOf<"operator">
export type PersonOperation = OperationOf<"approver" | "auditor">

export function mayAsk(role: "owner", operation: Operation): operation is OwnerOperation
export function mayAsk(role: "operator", operation: Operation): operation is OperatorOperation
export function mayAsk(
  role: "approver" | "auditor",
  operation: Operation,
): operation is PersonOperation
export function mayAsk(role: Role, operation: Operation): boolean {
  const roles: readonly Role[] = OPERATION_ROLES[operation]
  return roles.includes(role)
}

/** What a principal asks of some servers: signed once, checked by each server for itself. */
export interface Request {
  readonly operation: Operation
  /** 32 bytes: the account that asks; where an operator does, `operatorIdOf` its key. */
  readonly accountId: Bytes
  /** 16 fresh random bytes: a retry with the same id gets the same answer. */
  readonly requestId: Bytes
  readonly rosterEpoch: number
  /** The servers it is addressed to, ascending; any other refuses it. */
  readonly servers: readonly Identifier[]
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** Canonical encoding of the operation's body. */
  readonly body: Bytes
}

const MAX_BODY = 131_072

const requestFields = struct<Request & { readonly label: null }>({
  label: constant(utf8("lockkeeper/request/v1")),
  operation: oneOf(...OPERATIONS),
  accountId: fixedBytes(32),
  requestId: fixedBytes(16),
  rosterEpoch: u32,
  servers: list(identifierCodec, MAX_MEMBERS),
  issuedAt: safeInteger,
  expiresAt: safeInteger,
  body: bytes(MAX_BODY),
})

/** A request's bytes as sent, with the principal's signature over them. */
export interface SignedRequest {
  readonly request: Bytes
  readonly signature: Bytes
}

const signedRequestFields = struct<SignedRequest>({
  request: bytes(MAX_BODY + 1024),
  signature: fixedBytes(64),
})

export const signedRequestCodec: Codec<SignedRequest> = signedRequestFields

const PAYLOAD_TYPE = "application/vnd.lockkeeper.request.v1"

/** DSSE v1 pre-authentication encoding: what the signature covers. */
function preAuthentication(payload: Uint8Array): Bytes {
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `
  return concat(utf8(head), payload)
}

export function signRequest(request: Request, key: SigningKey): SignedRequest {
  const encoded = encode(requestFields, { ...request, label: null })
  return { request: encoded, signature: key.sign(preAuthentication(encoded)) }
}

/** @throws DecodeError naming the field at fault. */
export function decodeRequest(signed: SignedRequest): Request {
  const { label: _, ...request } = decode(requestFields, signed.request)
  return request
}

/** Whether the principal's key, an account's or an operator's, signed exactly these bytes. */
export function verifyRequest(signed: SignedRequest, principalKey: Bytes): boolean {
  return verifySignature(principalKey, preAuthentication(signed.request), signed.signature)
}

/** Names a request in protocol messages, approvals and logs: 32 bytes over the bytes as sent. */
export function requestDigest(signed: SignedRequest): Bytes {
  return hashValue("request", bytes(MAX_BODY + 1024), signed.request)
}
