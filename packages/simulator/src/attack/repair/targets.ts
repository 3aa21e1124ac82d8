import type { Target } from "../harness.ts"
import type { RepairCase } from "./scene.ts"
import { repairTarget } from "./target.ts"

/** Liars are a helper and the member. */
const CASES: readonly RepairCase[] = [
  {
    ...{ name: "repair/2 of 3", holders: [1, 2, 3], helpers: [1, 3], member: 2 },
    ...{ groups: ["edwards25519", "secp256k1"], liars: [1, 2] },
  },
  {
    ...{ name: "repair/3 of 5", holders: [1, 2, 3, 4, 5], helpers: [1, 2, 4], member: 5 },
    ...{ groups: ["secp256k1", "ristretto255", "edwards25519"], liars: [4, 5] },
  },
]

export const REPAIR_TARGETS: readonly (() => Target)[] = CASES.map((one) => () => repairTarget(one))
