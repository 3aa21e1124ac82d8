import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import type { Dependencies } from "../ports/dependencies.ts"
import type { Change, Store } from "../ports/store.ts"
import { type Pairs, pairId } from "./pairs.ts"

/** At so many checks of one setup that were begun and never ended the pair is dead. */
export const MAX_UNFINISHED_CHECKS = 8

const TABLE = "ot-checks"

const checkRow: Codec<{ readonly setupDigest: Bytes }> = struct<{ readonly setupDigest: Bytes }>({
  setupDigest: fixedBytes(32),
})

/**
 * Counts a consistency check with each peer before it is made: each that fails tells the other end a
 * bit, so that who could make this server crash before it takes note would learn one bit after the
 * other. Returns the changes that say they have ended, for the step's own commit.
 */
export async function beginChecks(
  deps: Dependencies,
  rosterEpoch: number,
  setups: ReadonlyMap<Identifier, { readonly setupDigest: Bytes }>,
): Promise<readonly Change[]> {
  const run = toHex(deps.randomness.bytes(16))
  const begun = [...setups].map(([peer, { setupDigest }]) => ({
    id: `${pairId(rosterEpoch, peer)}-${run}`,
    value: encode(checkRow, { setupDigest }),
  }))
  await deps.store.commit(
    begun.map(({ id, value }) => ({ kind: "put", table: TABLE, id, ifVersion: "absent", value })),
  )
  return begun.map(({ id }) => ({ kind: "take", table: TABLE, id, version: 1 }))
}

/**
 * What earlier processes began and did not end, by peer, for those that are to be dead. Counts of
 * setups that are gone are dropped. To be called once, at start.
 */
export async function unfinishedChecks(
  store: Store,
  pairs: Pairs,
  rosterEpoch: number,
  peers: readonly Identifier[],
): Promise<readonly Identifier[]> {
  const dying: Identifier[] = []
  for (const peer of peers) {
    const status = await pairs.statusOf(peer)
    const prefix = `${pairId(rosterEpoch, peer)}-`
    let counted = 0
    let after = prefix
    for (;;) {
      const rows = await store.scan(TABLE, prefix, after, 256)
      const stale = rows.filter(({ value }) => {
        const { setupDigest } = decode(checkRow, value)
        return status.kind !== "live" || !equalBytes(setupDigest, status.setupDigest)
      })
      counted += rows.length - stale.length
      if (stale.length > 0) {
        await store.commit(
          stale.map(({ id, version }) => ({ kind: "take", table: TABLE, id, version })),
        )
      }
      if (rows.length < 256) break
      after = rows.at(-1)?.id ?? after
    }
    if (counted >= MAX_UNFINISHED_CHECKS) dying.push(peer)
  }
  return dying
}
