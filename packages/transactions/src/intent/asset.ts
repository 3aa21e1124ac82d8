import { type Codec, struct, text, union } from "@lockkeeper/encoding"
import { uint256 } from "./uint256.ts"

/** What is moved. Units and decimals are the contract's to know, and are not said here. */
export type Asset =
  /** The chain's own coin in its smallest unit: wei, satoshi, lamports. */
  | { readonly kind: "native" }
  /** A contract or a mint. */
  | { readonly kind: "token"; readonly contract: string }
  /** One of a contract's tokens. */
  | { readonly kind: "nft"; readonly contract: string; readonly id: bigint }
  /** The token that this account holds, where the instruction does not say which. */
  | { readonly kind: "held-by"; readonly account: string }

const address = text(128)

export const assetCodec: Codec<Asset> = union<Asset>({
  native: struct({}),
  token: struct({ contract: address }),
  nft: struct({ contract: address, id: uint256 }),
  "held-by": struct({ account: address }),
})

export const NATIVE: Asset = { kind: "native" }
