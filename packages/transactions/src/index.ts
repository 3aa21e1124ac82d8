export type { BitcoinAccount } from "./bitcoin/account.ts"
export {
  BITCOIN_NETWORKS,
  BITCOIN_SCRIPTS,
  type BitcoinNetwork,
  type BitcoinOutput,
  type BitcoinScript,
  bitcoinOutput,
  fingerprintOf,
} from "./bitcoin/address.ts"
export {
  type BitcoinInput,
  type BitcoinInputDigest,
  bitcoinInputDigest,
} from "./bitcoin/input-digest.ts"
export {
  type BitcoinContext,
  type BitcoinIntent,
  bitcoinInputIntent,
} from "./bitcoin/input-intent.ts"
export { evmAddress } from "./evm/address.ts"
export { evmDelegationIntent } from "./evm/delegation.ts"
export { evmMessageDigest } from "./evm/message.ts"
export { evmMessageIntent } from "./evm/message-intent.ts"
export { evmTransactionDigest } from "./evm/transaction.ts"
export { type EvmIntent, evmTransactionIntent } from "./evm/transaction-intent.ts"
export { evmTypedDataDigest } from "./evm/typed-data/digest.ts"
export { evmTypedDataIntent } from "./evm/typed-data/intent.ts"
export { ACTION_KINDS, type Action, type ActionKind, type Detail } from "./intent/action.ts"
export type { Asset } from "./intent/asset.ts"
export {
  type Chain,
  INTENT_KINDS,
  type Intent,
  type IntentKind,
  intentCodec,
  intentDigest,
} from "./intent/intent.ts"
export { type Line, linesOf } from "./intent/lines.ts"
export { sentenceOf, WARNING_KINDS, type Warning, type WarningKind } from "./intent/warning.ts"
export { type SolanaIntent, solanaMessageIntent } from "./solana/message-intent.ts"
