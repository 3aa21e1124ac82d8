import { hashValue } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  encode,
  list,
  nullable,
  oneOf,
  struct,
  text,
  union,
} from "@lockkeeper/encoding"
import { BITCOIN_NETWORKS, type BitcoinNetwork } from "../bitcoin/address.ts"
import { ACTION_KINDS, type Action, type Detail } from "./action.ts"
import { type Asset, assetCodec } from "./asset.ts"
import { uint256 } from "./uint256.ts"
import { WARNING_KINDS, type Warning } from "./warning.ts"

/** Where what is signed is valid. Neither Bitcoin nor Solana sign the name of their network. */
export type Chain =
  /** Null: on every chain. */
  | { readonly kind: "evm"; readonly chainId: bigint | null }
  /** What addresses are written for, as the caller says. */
  | { readonly kind: "bitcoin"; readonly network: BitcoinNetwork }
  | { readonly kind: "solana" }

export const INTENT_KINDS = ["transaction", "message", "typed-data", "delegation"] as const
export type IntentKind = (typeof INTENT_KINDS)[number]

/**
 * What a signature would do, for people and for policy. It follows from the bytes that are signed,
 * and from nothing else but the signing key; whatever they do not say is null.
 */
export interface Intent {
  readonly chain: Chain
  readonly kind: IntentKind
  /** The account that signs or pays, as its chain writes it. */
  readonly from: string | null
  /** All that it does, in the order in which it does so. */
  readonly actions: readonly Action[]
  /** Most that is paid for it beside the actions' amounts, in the chain's smallest unit. */
  readonly feeCeiling: bigint | null
  readonly nonce: bigint | null
  readonly warnings: readonly Warning[]
  /** What else is signed. */
  readonly details: readonly Detail[]
}

/** Limits of an intent; who reads bytes with more of something refuses them. */
const MAX_ACTIONS = 4096
const MAX_DETAILS = 16_384
const MAX_WARNINGS = 16_384
const MAX_NAME = 4096
const MAX_VALUE = 262_144
const MAX_ADDRESS = 128

const address = text(MAX_ADDRESS)
const detail = struct<Detail>({ name: text(MAX_NAME), value: text(MAX_VALUE) })
const details = list(detail, MAX_DETAILS)

const action = struct<Action>({
  kind: oneOf(...ACTION_KINDS),
  from: nullable(address),
  to: nullable(address),
  asset: nullable<Asset>(assetCodec),
  amount: nullable(uint256),
  details,
})

const warning = struct<Warning>({ kind: oneOf(...WARNING_KINDS), at: text(MAX_NAME) })

export const intentCodec: Codec<Intent> = struct<Intent>({
  chain: union<Chain>({
    evm: struct({ chainId: nullable(uint256) }),
    bitcoin: struct({ network: oneOf(...BITCOIN_NETWORKS) }),
    solana: struct({}),
  }),
  kind: oneOf(...INTENT_KINDS),
  from: nullable(address),
  actions: list(action, MAX_ACTIONS),
  feeCeiling: nullable(uint256),
  nonce: nullable(uint256),
  warnings: list(warning, MAX_WARNINGS),
  details,
})

/** What stands for an intent in logs and in what approvers sign. */
export function intentDigest(intent: Intent): Bytes {
  return hashValue("intent", intentCodec, intent)
}

/**
 * The intent itself, within its limits.
 *
 * @throws DecodeError for what is too much to be shown to anybody.
 */
export function bounded(intent: Intent): Intent {
  try {
    encode(intentCodec, intent)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new DecodeError(`more than an intent holds (${cause.message})`, 0)
  }
  return intent
}
