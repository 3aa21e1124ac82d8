export {
  type BitcoinInput,
  type BitcoinInputDigest,
  bitcoinInputDigest,
} from "./bitcoin/input-digest.ts"
export { evmAddress, isEvmAddress } from "./evm/address.ts"
export { evmMessageDigest } from "./evm/message.ts"
export { evmTransactionDigest } from "./evm/transaction.ts"
export { evmTypedDataDigest } from "./typed-data/digest.ts"
