import { edwards25519 } from "./edwards25519.ts"
import type { Group, GroupName } from "./group.ts"
import { ristretto255 } from "./ristretto255.ts"
import { secp256k1 } from "./secp256k1.ts"

const groups: Readonly<Record<GroupName, Group>> = { edwards25519, ristretto255, secp256k1 }

/** The group of that name. */
export function groupByName(name: GroupName): Group {
  return groups[name]
}
