import { sha256 } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { Asset } from "./asset.ts"

/** Append only: an action's kind is encoded by its position. */
export const ACTION_KINDS = [
  /** `amount` of `asset` goes from `from` to `to`. */
  "transfer",
  /** `to` may from now on move `amount` of `asset`. */
  "approve",
  "increase-approval",
  "decrease-approval",
  /** `to` may move everything of `asset`, now and later. */
  "approve-all",
  /** `to`, or everybody, may not any more. */
  "revoke",
  /** Anything that `to` makes of `details`. */
  "call",
  /** A contract that is made. */
  "create",
  /** The code at `to` acts for the account `from` (EIP-7702). */
  "delegate",
  /** A message that means something to whoever reads it. */
  "message",
  /** A structure that means something to the contract `to`. */
  "typed-data",
  /** An output that is spent; `from` is its address. */
  "spend",
  /** What comes back to the account that signs. */
  "change",
  /** Bytes that are written to the chain. */
  "data",
  /** An account that is made and filled with `amount`. */
  "create-account",
  /** `to` is the program or account that from now on decides over `from`. */
  "authorize",
  "stake",
  "unstake",
  "withdraw",
  "split",
  "merge",
  "mint",
  "burn",
  "close-account",
  "freeze",
  "thaw",
  "advance-nonce",
] as const
export type ActionKind = (typeof ACTION_KINDS)[number]

export interface Action {
  readonly kind: ActionKind
  readonly from: string | null
  readonly to: string | null
  readonly asset: Asset | null
  /** Exact, in the asset's smallest unit. */
  readonly amount: bigint | null
  readonly details: readonly Detail[]
}

/** A field as text, which may hold any character: `linesOf` makes it safe to show. */
export interface Detail {
  readonly name: string
  readonly value: string
}

/** An action with what most of them do not have left out. */
export function actionOf(
  kind: ActionKind,
  { from = null, to = null, asset = null, amount = null, details = [] }: Partial<Action> = {},
): Action {
  return { kind, from, to, asset, amount, details }
}

/** Longest bytes that are shown whole. */
const SHOWN = 1024

/** Bytes in hexadecimal; of long ones the beginning, and the hash of them all. */
export function bytesShown(name: string, bytes: Uint8Array): readonly Detail[] {
  if (bytes.length <= SHOWN) return [{ name, value: `0x${toHex(bytes)}` }]
  return [
    {
      name: `${name}, the first ${SHOWN} of ${bytes.length} bytes`,
      value: `0x${toHex(bytes.subarray(0, SHOWN))}`,
    },
    { name: `SHA-256 of ${name}`, value: toHex(sha256(bytes)) },
  ]
}
