import { hashValueToScalar, type Scalar, scalarVectors, secp256k1 } from "@lockkeeper/crypto"
import { u16 } from "@lockkeeper/encoding"
import { LABELS } from "./labels.ts"
import { ROWS_PER_ITEM } from "./sizes.ts"

/** The public vector g: 416 scalars of which nobody chose one (DKLs23 Protocol 5.2). */
export const GADGET: readonly Scalar[] = Array.from({ length: ROWS_PER_ITEM }, (_, j) =>
  hashValueToScalar(secp256k1, LABELS.gadget, u16, j),
)

export const GADGET_WEIGHTS = scalarVectors.scalarWeights(GADGET)
