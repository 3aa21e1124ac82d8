import { reshare } from "@lockkeeper/protocols"
import type { Roster } from "./roster.ts"
import { holderIds, placeOfShares, type SharingShape } from "./roster-transition.ts"

/** Who a reshare gives shares to under a roster: all its holders, with its threshold. */
export function reshareTarget(roster: Roster): SharingShape {
  return { holders: holderIds(roster), minSigners: roster.minSigners }
}

/** Whether shares stand where a reshare would bring them. */
export function isAtTarget(roster: Roster, { holders, minSigners }: SharingShape): boolean {
  const target = reshareTarget(roster)
  return (
    minSigners === target.minSigners &&
    holders.length === target.holders.length &&
    holders.every((one) => target.holders.includes(one))
  )
}

/**
 * Whether shares may be dealt to the roster's holders. What is on its way may. What some of the holders
 * hold as they should is refreshed where it is, unless any quorum of them has as many in common with any
 * of all as the threshold is: otherwise one generation of it could come into force at both.
 */
export function mayReshare(roster: Roster, shape: SharingShape): boolean {
  const place = placeOfShares(roster, shape)
  if (place !== "settled") return place === "moving"
  const { holders, minSigners } = reshareTarget(roster)
  const [before, after] = [shape.holders.length, holders.length]
  const common = reshare.quorumOf(minSigners, before) + reshare.quorumOf(minSigners, after) - after
  return common >= minSigners
}
