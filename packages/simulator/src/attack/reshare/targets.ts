import type { Target } from "../harness.ts"
import type { ReshareCase } from "./scene.ts"
import { reshareTarget } from "./target.ts"

const TWO_OF_THREE = { minSigners: 2, holders: [1, 2, 3] }

/** Liars are a dealer and a holder that does not deal; a dealer that stays is both. */
const CASES: readonly ReshareCase[] = [
  {
    ...{ name: "reshare/refresh 2 of 3", kind: "refresh", from: TWO_OF_THREE, dealers: [1, 2] },
    ...{ minSigners: 2, holders: [1, 2, 3], groups: ["edwards25519", "secp256k1"], liars: [2, 3] },
  },
  {
    ...{ name: "reshare/2 of 3 to others", kind: "reshare", from: TWO_OF_THREE, dealers: [1, 3] },
    ...{ minSigners: 2, holders: [4, 5, 6], groups: ["ristretto255", "edwards25519"] },
    liars: [3, 5],
  },
  {
    ...{ name: "reshare/2 of 3 to 3 of 5", kind: "reshare", from: TWO_OF_THREE, dealers: [1, 2] },
    ...{ minSigners: 3, holders: [1, 2, 3, 4, 5] },
    groups: ["secp256k1", "ristretto255", "edwards25519"],
    liars: [2, 4],
  },
  // Where a quorum does without the liar.
  {
    ...{ name: "reshare/2 of 3 to 2 of 4", kind: "reshare", from: TWO_OF_THREE, dealers: [2, 3] },
    ...{ minSigners: 2, holders: [1, 3, 4, 5], groups: ["secp256k1", "ristretto255"] },
    liars: [4],
  },
]

export const RESHARE_TARGETS: readonly (() => Target)[] = CASES.map(
  (one) => () => reshareTarget(one),
)
