import { dkgTarget } from "./dkg/target.ts"
import type { Target } from "./harness.ts"

/** Every protocol under attack, for each kind of key that it works differently for. */
export const TARGETS: readonly (() => Target)[] = [
  () => dkgTarget("ed25519"),
  () => dkgTarget("bip340"),
]
