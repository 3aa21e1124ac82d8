/** Who cannot be with whom: for each place a mask of the other places, at most 31 of them. */
export type Conflicts = readonly number[]

function countOf(mask: number): number {
  let count = 0
  for (let left = mask; left !== 0; left &= left - 1) count++
  return count
}

/**
 * The largest set of places without a conflict, as a mask; among equally large ones one with the
 * fewest of those that are rather to be left out. Exact: it branches on the place with most conflicts,
 * which for the 24 members that a roster may have is a matter of milliseconds.
 *
 * @param within - mask of the places to choose from.
 * @param rather - mask of the places that are rather to be left out.
 */
export function largestSet(conflicts: Conflicts, within: number, rather: number): number {
  let worst = -1
  let most = 0
  for (const [place, mask] of conflicts.entries()) {
    if ((within & (1 << place)) === 0) continue
    const count = countOf(mask & within)
    if (count > most) {
      worst = place
      most = count
    }
  }
  if (worst === -1) return within
  const without = largestSet(conflicts, within & ~(1 << worst), rather)
  const beside = largestSet(conflicts, within & ~(conflicts[worst] as number), rather)
  const difference = countOf(without) - countOf(beside)
  if (difference !== 0) return difference > 0 ? without : beside
  return countOf(without & rather) <= countOf(beside & rather) ? without : beside
}
