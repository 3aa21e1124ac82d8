import { hashValueToScalar, type Scalar, scalarVectors, secp256k1 } from "@lockkeeper/crypto"
import { u16 } from "@lockkeeper/encoding"
import { LABELS } from "./labels.ts"
import { ROWS_PER_ITEM } from "./sizes.ts"

/** The public vector g: 416 scalars of which nobody chose one (DKLs23 Protocol 5.2). */
export function gadget(): Scalar[] {
  return Array.from({ length: ROWS_PER_ITEM }, (_, j) =>
    hashValueToScalar(secp256k1, LABELS.gadget, u16, j),
  )
}

let weights: scalarVectors.ScalarWeights | null = null

/** The same, prepared for sums; hashed when it is first needed. */
export function gadgetWeights(): scalarVectors.ScalarWeights {
  weights ??= scalarVectors.scalarWeights(gadget())
  return weights
}
