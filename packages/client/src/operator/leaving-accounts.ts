import { type AccountRange, LAST_ACCOUNT_ID, rangeEnd, type SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { RESHARE_BATCH } from "../limits.ts"
import type { InForce } from "./sharings-in-force.ts"

/** Accounts next to each other that a server is to leave, with the names between. */
export interface LeftStretch {
  readonly range: AccountRange
  readonly left: readonly InForce[]
}

/**
 * What one server still holds of accounts that are in force elsewhere, in the order of ids: in ranges in
 * which it holds nobody else.
 *
 * @param own - what the server itself lists.
 */
export function stretchesLeft(
  server: Identifier,
  all: readonly InForce[],
  own: readonly SharingListing[],
  now: number,
): readonly LeftStretch[] {
  const elsewhere = new Map(
    all.filter(({ left }) => left.includes(server)).map((one) => [toHex(one.id), one]),
  )
  const stretches: { readonly first: Bytes; last: Bytes; readonly left: InForce[] }[] = []
  for (const { sharing } of own) {
    const one = elsewhere.get(toHex(sharing.id)) ?? null
    const open = stretches.at(-1)
    const fits = open !== undefined && open.left.length > 0 === (one !== null)
    if (fits && open.left.length < RESHARE_BATCH) {
      if (one !== null) open.left.push(one)
      open.last = sharing.id
    } else {
      stretches.push({ first: sharing.id, last: sharing.id, left: one === null ? [] : [one] })
    }
  }
  const generation = Math.floor(now / 1000)
  let after: Bytes | null = null
  const found: LeftStretch[] = []
  for (const [i, { last, left }] of stretches.entries()) {
    const next = stretches[i + 1]
    const to: Bytes = next === undefined ? LAST_ACCOUNT_ID : rangeEnd(last, next.first)
    if (left.length > 0) found.push({ range: { after, to, generation }, left })
    after = to
  }
  return found
}
