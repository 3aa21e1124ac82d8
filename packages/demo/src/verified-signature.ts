import type { KeyType } from "@lockkeeper/client"

/** One signature as the last line of the main job reports it. */
export interface VerifiedSignature {
  readonly keyType: KeyType
  readonly what:
    | "solana-transfer"
    | "taproot-spend"
    | "eip1559-transfer"
    | "erc20-transfer"
    | "p2wpkh-spend"
  /** Software that we did not write. */
  readonly verifiedBy: string
  readonly afterServerLoss: boolean
}
