import { dkgTarget, dkgWithDevice } from "./dkg/target.ts"
import { DKLS_TARGETS } from "./dkls/targets.ts"
import { frostTarget } from "./frost/target.ts"
import type { Target } from "./harness.ts"
import { MOVE_TARGETS } from "./moves/target.ts"
import { opaqueTarget } from "./opaque/target.ts"
import { REPAIR_TARGETS } from "./repair/targets.ts"
import { RESHARE_TARGETS } from "./reshare/targets.ts"
import { rosterTarget } from "./roster/target.ts"

/** Every protocol under attack, for each kind of key that it works differently for. */
export const TARGETS: readonly (() => Target)[] = [
  () => dkgTarget("ed25519"),
  () => dkgTarget("bip340"),
  () => dkgWithDevice("ed25519", "server"),
  () => dkgWithDevice("ed25519", "device"),
  () => frostTarget({ keyType: "ed25519" }),
  () => frostTarget({ keyType: "ed25519", path: [0, 5] }),
  () => frostTarget({ keyType: "bip340" }),
  () => frostTarget({ keyType: "bip340", path: [7], tweak: { kind: "key-path" } }),
  () => frostTarget({ keyType: "ed25519", path: [3], device: "honest" }),
  () => frostTarget({ keyType: "bip340", device: "liar" }),
  opaqueTarget,
  ...DKLS_TARGETS,
  ...RESHARE_TARGETS,
  ...REPAIR_TARGETS,
  ...MOVE_TARGETS,
  rosterTarget,
]
