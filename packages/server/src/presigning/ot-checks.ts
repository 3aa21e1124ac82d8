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

/** At so many deaths of a process or a thread within checks of one setup the pair is dead. */
export const MAX_UNFINISHED_CHECKS = 8

/** Why such a pair is dead. */
export const UNFINISHED = "unfinished-checks"

const TABLE = "ot-checks"

/** What names one run in the id of its row, behind whose life it was. */
const RUN_LENGTH = 1 + 32

const checkRow: Codec<{ readonly setupDigest: Bytes }> = struct<{ readonly setupDigest: Bytes }>({
  setupDigest: fixedBytes(32),
})

/**
 * Counts each consistency check with each peer before it is made: each that fails tells the other end
 * a bit, so that who could make this server crash before it takes note would learn one bit after the
 * other. Checks of one process that end with it are one death, however many were under way: otherwise
 * one crash of a busy server would end all its pairs.
 */
export class OtChecks {
  readonly #deps: Dependencies
  readonly #rosterEpoch: number
  readonly #pairs: Pairs
  readonly #deaths = new Map<Identifier, number>()
  #life: string | null = null

  constructor(deps: Dependencies, rosterEpoch: number, pairs: Pairs) {
    this.#deps = deps
    this.#rosterEpoch = rosterEpoch
    this.#pairs = pairs
  }

  /** Returns the changes that say that the checks have ended, for the step's own commit. */
  async begin(setups: ReadonlyMap<Identifier, { readonly setupDigest: Bytes }>) {
    const { randomness, store } = this.#deps
    this.#life ??= toHex(randomness.bytes(8))
    const run = `${this.#life}-${toHex(randomness.bytes(16))}`
    const begun = [...setups].map(([peer, { setupDigest }]) => ({
      id: `${pairId(this.#rosterEpoch, peer)}-${run}`,
      value: encode(checkRow, { setupDigest }),
    }))
    await store.commit(
      begun.map(({ id, value }) => ({ kind: "put", table: TABLE, id, ifVersion: "absent", value })),
    )
    return begun.map(({ id }): Change => ({ kind: "take", table: TABLE, id, version: 1 }))
  }

  /** A check with these came to no end although this process lives: it counts as a death of its own. */
  died(peers: Iterable<Identifier>): void {
    this.#life = null
    for (const peer of peers) {
      const deaths = (this.#deaths.get(peer) ?? 0) + 1
      this.#deaths.set(peer, deaths)
      if (deaths >= MAX_UNFINISHED_CHECKS) this.#pairs.fail(peer, UNFINISHED)
    }
  }
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
    const deaths = new Set<string>()
    let after = prefix
    for (;;) {
      const rows = await store.scan(TABLE, prefix, after, 256)
      const stale = rows.filter(({ value }) => {
        const { setupDigest } = decode(checkRow, value)
        return status.kind !== "live" || !equalBytes(setupDigest, status.setupDigest)
      })
      for (const { id } of rows) {
        if (!stale.some((row) => row.id === id)) deaths.add(id.slice(prefix.length, -RUN_LENGTH))
      }
      if (stale.length > 0) {
        await store.commit(
          stale.map(({ id, version }) => ({ kind: "take", table: TABLE, id, version })),
        )
      }
      if (rows.length < 256) break
      after = rows.at(-1)?.id ?? after
    }
    if (deaths.size >= MAX_UNFINISHED_CHECKS) dying.push(peer)
  }
  return dying
}
