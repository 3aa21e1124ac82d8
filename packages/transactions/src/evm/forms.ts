/** What a field of an unsigned transaction may hold; integers are minimal and big-endian. */
export type FieldKind =
  | "u8"
  | "u64"
  | "u256"
  | "chain-id"
  | "recipient"
  | "address"
  | "data"
  | "access-list"
  | "blob-hashes"
  | "authorizations"

export type FieldList = readonly (readonly [name: string, kind: FieldKind])[]

export interface Form {
  /** EIP-2718 type byte; null for legacy transactions, which have none. */
  readonly type: number | null
  readonly name: string
  readonly fields: FieldList
}

const LEGACY: Form = {
  type: null,
  name: "legacy, EIP-155",
  fields: [
    ["nonce", "u64"],
    ["gasPrice", "u256"],
    ["gasLimit", "u64"],
    ["to", "recipient"],
    ["value", "u256"],
    ["data", "data"],
    ["chainId", "chain-id"],
  ],
}

const EIP_2930: Form = {
  type: 1,
  name: "EIP-2930",
  fields: [
    ["chainId", "chain-id"],
    ["nonce", "u64"],
    ["gasPrice", "u256"],
    ["gasLimit", "u64"],
    ["to", "recipient"],
    ["value", "u256"],
    ["data", "data"],
    ["accessList", "access-list"],
  ],
}

const EIP_1559: Form = {
  type: 2,
  name: "EIP-1559",
  fields: [
    ["chainId", "chain-id"],
    ["nonce", "u64"],
    ["maxPriorityFeePerGas", "u256"],
    ["maxFeePerGas", "u256"],
    ["gasLimit", "u64"],
    ["to", "recipient"],
    ["value", "u256"],
    ["data", "data"],
    ["accessList", "access-list"],
  ],
}

/** EIP-4844's and 7702's first fields: those of EIP-1559, and no creation. */
const CALL_FIELDS = EIP_1559.fields.map(
  ([name, kind]) => [name, name === "to" ? "address" : kind] as const,
)

const EIP_4844: Form = {
  type: 3,
  name: "EIP-4844",
  fields: [...CALL_FIELDS, ["maxFeePerBlobGas", "u256"], ["blobVersionedHashes", "blob-hashes"]],
}

const EIP_7702: Form = {
  type: 4,
  name: "EIP-7702",
  fields: [...CALL_FIELDS, ["authorizationList", "authorizations"]],
}

/** Transactions that say nothing about whose code an account runs. */
export const FORMS: readonly Form[] = [LEGACY, EIP_2930, EIP_1559, EIP_4844]

export const ALL_FORMS: readonly Form[] = [...FORMS, EIP_7702]

/** What the account signs that hands itself over (EIP-7702). */
export const DELEGATION_FIELDS: FieldList = [
  ["chainId", "u256"],
  ["address", "address"],
  ["nonce", "u64"],
]

/** One of a transaction's authorizations: the same, signed. */
export const AUTHORIZATION_FIELDS: FieldList = [
  ...DELEGATION_FIELDS,
  ["yParity", "u8"],
  ["r", "u256"],
  ["s", "u256"],
]
