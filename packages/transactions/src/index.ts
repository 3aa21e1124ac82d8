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
export { evmAddress } from "./evm/address.ts"
export { evmMessageDigest } from "./evm/message.ts"
export { evmTransactionDigest } from "./evm/transaction.ts"
export { evmTypedDataDigest } from "./evm/typed-data/digest.ts"
