import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  safeInteger,
  struct,
  text,
  union,
} from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import type { Clock } from "../ports/dependencies.ts"
import type { Change, Store, Versioned } from "../ports/store.ts"

/** Base oblivious transfers with one other server, or that there are never to be any again. */
export type PairRow =
  | { readonly kind: "live"; readonly setup: dkls.PairSetup }
  | { readonly kind: "dead"; readonly cause: string; readonly since: number }

export const pairRow: Codec<PairRow> = union<PairRow>({
  live: struct({ setup: dkls.pairSetupCodec }),
  dead: struct({ cause: text(128), since: safeInteger }),
})

const TABLE = "pairs"

/**
 * How this server stands to each other one in this rosterEpoch. Its Delta is the same for every key:
 * each failed check tells the other end a bit of it, so the pair is dead at the first one.
 */
export class Pairs {
  readonly #store: Store
  readonly #clock: Clock
  readonly #rosterEpoch: number
  /**
   * Peers with whom a check failed, whether or not the store has taken note: a database that loses
   * such news would have the pair tried again and again.
   */
  readonly #failed = new Map<Identifier, string>()

  constructor(store: Store, clock: Clock, rosterEpoch: number) {
    this.#store = store
    this.#clock = clock
    this.#rosterEpoch = rosterEpoch
  }

  async read(peer: Identifier): Promise<Versioned<PairRow> | null> {
    const row = await this.#store.read(TABLE, this.#id(peer))
    if (row === null) return null
    const value = decode(pairRow, row.value)
    row.value.fill(0)
    return { version: row.version, value }
  }

  async statusOf(peer: Identifier): Promise<dkls.PairStatus> {
    const setup = await this.setupOf(peer)
    if (setup === "none" || setup === "dead") return { kind: setup }
    dkls.wipePairSetup(setup)
    return { kind: "live", setupDigest: setup.setupDigest }
  }

  /** The setup, for the caller to wipe. */
  async setupOf(peer: Identifier): Promise<dkls.PairSetup | "none" | "dead"> {
    const row = await this.read(peer)
    if (row?.value.kind === "live" && !this.#failed.has(peer)) return row.value.setup
    if (row?.value.kind === "live") dkls.wipePairSetup(row.value.setup)
    return row?.value.kind === "dead" || this.#failed.has(peer) ? "dead" : "none"
  }

  /** The change that keeps a setup. Null when the pair is not what it was when the run began. */
  async keep(
    peer: Identifier,
    setup: dkls.PairSetup,
    began: dkls.PairStatus,
  ): Promise<Change | null> {
    const row = await this.read(peer)
    const same = !this.#failed.has(peer) && isStatusOf(row?.value ?? null, began)
    if (row?.value.kind === "live") dkls.wipePairSetup(row.value.setup)
    return same ? this.#put(peer, { kind: "live", setup }, row) : null
  }

  /** Whether a check with this peer has failed in this process. */
  hasFailed(peer: Identifier): boolean {
    return this.#failed.has(peer)
  }

  /** Ends the pair in this process at once; the store is told by `bury`. */
  fail(peer: Identifier, cause: string): void {
    if (!this.#failed.has(peer)) this.#failed.set(peer, cause)
  }

  /** Ends the pair in this process at once, and in the store with the change it returns. */
  async bury(peer: Identifier, cause: string): Promise<readonly Change[]> {
    this.fail(peer, cause)
    const row = await this.read(peer)
    if (row?.value.kind === "dead") return []
    if (row !== null) dkls.wipePairSetup(row.value.setup)
    return [this.#put(peer, { kind: "dead", cause, since: this.#clock.now() }, row)]
  }

  /** Drops a setup that the other end does not have, so that the next run makes a new one. */
  async forget(peer: Identifier, setupDigest: Bytes): Promise<readonly Change[]> {
    const row = await this.read(peer)
    const same = isStatusOf(row?.value ?? null, { kind: "live", setupDigest })
    if (row?.value.kind === "live") dkls.wipePairSetup(row.value.setup)
    if (row === null || !same) return []
    return [{ kind: "take", table: TABLE, id: this.#id(peer), version: row.version }]
  }

  /** Has the store take note of failures whose commits did not come to pass. */
  async settle(): Promise<void> {
    for (const [peer, cause] of this.#failed) {
      const changes = await this.bury(peer, cause)
      if (changes.length > 0) await this.#store.commit(changes)
    }
  }

  /** Destroys what belongs to rosters before this one: they do not come back. */
  async dropOlder(): Promise<void> {
    const own = pairId(this.#rosterEpoch, 0)
    for (const table of ["pairs", "ot-checks"] as const) {
      for (let dropping = true; dropping; ) {
        const rows = await this.#store.scan(table, "", "", 256)
        for (const { value } of rows) value.fill(0)
        const older = rows.filter(({ id }) => id < own)
        if (older.length > 0) {
          await this.#store.commit(
            older.map(({ id, version }) => ({ kind: "take", table, id, version })),
          )
        }
        dropping = older.length === 256
      }
    }
  }

  /** Forgets what lives; what is dead stays. After the store was put back to an earlier state. */
  async forgetLive(peers: readonly Identifier[]): Promise<number> {
    let forgotten = 0
    for (const peer of peers) {
      const row = await this.read(peer)
      if (row?.value.kind !== "live") continue
      dkls.wipePairSetup(row.value.setup)
      const id = this.#id(peer)
      await this.#store.commit([{ kind: "take", table: TABLE, id, version: row.version }])
      forgotten += 1
    }
    return forgotten
  }

  #put(peer: Identifier, row: PairRow, before: Versioned<unknown> | null): Change {
    const value: Bytes = encode(pairRow, row)
    const ifVersion = before?.version ?? "absent"
    return { kind: "put", table: TABLE, id: this.#id(peer), ifVersion, value }
  }

  #id(peer: Identifier): string {
    return pairId(this.#rosterEpoch, peer)
  }
}

/** How rows name the pair with one peer: it belongs to the rosterEpoch. */
export function pairId(rosterEpoch: number, peer: Identifier): string {
  return `${String(rosterEpoch).padStart(10, "0")}-${String(peer).padStart(5, "0")}`
}

function isStatusOf(row: PairRow | null, status: dkls.PairStatus): boolean {
  if (row === null) return status.kind === "none"
  if (row.kind === "dead" || status.kind !== "live") return false
  return equalBytes(row.setup.setupDigest, status.setupDigest)
}
