/**
 * How many of `holders` members must have confirmed new shares before they are in force and the old
 * ones may be erased.
 *
 * 2t' - 1 because t' - 1 of them may lie and t' must really hold their shares; all if there are fewer.
 * More than half of n' + t' because then any two quorums have an honest member in common, and an
 * honest member confirms one run for each keyEpoch: so a key never gets two sharings of one
 * generation, whatever a coordinator does. One silent member is outvoted wherever n' >= 2t'.
 */
export function quorumOf(minSigners: number, holders: number): number {
  const surviving = 2 * minSigners - 1
  const intersecting = Math.ceil((holders + minSigners) / 2)
  return Math.min(holders, Math.max(surviving, intersecting))
}
