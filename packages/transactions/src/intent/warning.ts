/** What an approver should not miss, with the sentence that says so. Append only, as an encoding. */
const SENTENCES = {
  "unknown-call": "A call that is not known: what it does is for the contract to decide.",
  "unknown-program": "A program that is not known: what it does is for the program to decide.",
  "unknown-instruction": "An instruction that is not known, of a program that is.",
  "unknown-typed-data":
    "A structure that is not known: what it allows is for its reader to decide.",
  "unreadable-message": "The message is not readable text.",
  "hash-like-message": "The message has the length of a hash and may stand for anything.",
  "any-chain": "It is valid on every chain.",
  "contract-creation": "A contract is created, with code that is not read here.",
  delegation: "Code gets full control over an account.",
  "unknown-authority": "Whose account that is cannot be found out from the signature.",
  "unlimited-approval": "The approval has no limit worth the name.",
  "approval-for-all": "The approval covers everything of this contract, now and later.",
  permit: "The signature alone moves or approves assets: whoever has it can use it, unannounced.",
  "amount-or-token-id":
    "The number is an amount for ERC-20 contracts, and one token's id for ERC-721.",
  "moves-others-assets": "Assets of another account are moved.",
  "to-asset-contract": "The recipient is the asset's own contract.",
  "to-zero-address": "The recipient is the zero address, which nobody has the key of.",
  "high-fee": "The fee is unusually high.",
  "fee-unknown": "The fee cannot be told.",
  "blob-transaction": "Blobs travel beside the transaction, of which the hashes alone are signed.",
  "sighash-none": "No output is signed: the input can be sent anywhere.",
  "sighash-single": "One output alone is signed: the rest of the input can be sent anywhere.",
  "sighash-anyone-can-pay": "Other inputs can be added and taken away.",
  "amounts-not-covered":
    "Amounts of other inputs are claims that no signature covers, and the fee with them.",
  "change-not-recognised": "No output was recognised as change of this account.",
  "false-change": "An output says that it is of this account, and is not.",
  "unusual-path": "Change goes to a path where the account may not look for it.",
  "unknown-script": "A script that has no address.",
  "others-inputs": "Inputs of others are spent beside those of this account.",
  "unresolved-lookup": "Accounts come from lookup tables, whose contents are not signed.",
  "durable-nonce": "The transaction does not expire by itself.",
  "authority-change": "Somebody else gets the say over an account.",
} as const

export type WarningKind = keyof typeof SENTENCES

export const WARNING_KINDS = Object.keys(SENTENCES) as readonly WarningKind[]

export interface Warning {
  readonly kind: WarningKind
  /** Its place in what is signed, as in `outputs.2`; empty for the whole. */
  readonly at: string
}

/** A warning for people. */
export function sentenceOf(kind: WarningKind): string {
  return SENTENCES[kind]
}
