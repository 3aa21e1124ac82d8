import {
  type Bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  struct,
  toHex,
  union,
} from "@lockkeeper/encoding"
import { dkg } from "@lockkeeper/protocols"
import type { OneTimeLedger } from "../one-time.ts"
import type { Change, Store } from "../ports/store.ts"

/** A run that is not over, and the account that opened it: no other may go on with it. */
interface Owned {
  /** 32 bytes. */
  readonly accountId: Bytes
}

/** What a server keeps between the steps of one key generation. */
export type KeyGenerationRow =
  | (Owned & { readonly kind: "opened"; readonly state: dkg.DkgOpened })
  | (Owned & { readonly kind: "revealed"; readonly state: dkg.DkgRevealed })
  | (Owned & { readonly kind: "judged"; readonly state: dkg.DkgJudged })
  /**
   * Finished, aborted or burnt. The row stays: opening the same attempt again would make this server
   * sign two different openings, which is what equivocation is.
   */
  | { readonly kind: "over" }

const rowCodec: Codec<KeyGenerationRow> = union<KeyGenerationRow>({
  opened: struct({ accountId: fixedBytes(32), state: dkg.dkgOpenedCodec }),
  revealed: struct({ accountId: fixedBytes(32), state: dkg.dkgRevealedCodec }),
  judged: struct({ accountId: fixedBytes(32), state: dkg.dkgJudgedCodec }),
  over: struct({}),
})

export interface StoredRun {
  readonly version: number
  readonly row: KeyGenerationRow
}

export function runId(params: Pick<dkg.DkgParams, "keyId" | "attempt">): string {
  return `dkg-${toHex(params.keyId)}-${params.attempt}`
}

/** How the ledger of one-time state names a run's state after one of its steps. */
export function stateId(run: string, kind: KeyGenerationRow["kind"]): string {
  return `${run}/${kind}`
}

/** The run that a `stateId` is of. */
export function runOf(state: string): string {
  return state.slice(0, state.indexOf("/"))
}

export async function readRun(store: Store, id: string): Promise<StoredRun | null> {
  const stored = await store.read("protocol-sessions", id)
  if (stored === null) return null
  const row = decode(rowCodec, stored.value)
  stored.value.fill(0)
  return { version: stored.version, row }
}

export function putRun(id: string, row: KeyGenerationRow, ifVersion: number | "absent"): Change {
  const value = encode(rowCodec, row)
  return { kind: "put", table: "protocol-sessions", id, ifVersion, value }
}

/**
 * Burns what an earlier process left unfinished: nonces and runs it can no longer vouch for. To be
 * called once, before the first request. Returns how many were burnt.
 */
export async function burnUnfinished(store: Store): Promise<number> {
  let burnt = 0
  for (;;) {
    const nonces = await store.scan("nonces", "", "", 256)
    if (nonces.length === 0) break
    await store.commit(
      nonces.map(({ id, version }) => ({ kind: "take", table: "nonces", id, version })),
    )
    burnt += nonces.length
  }
  let after = ""
  for (;;) {
    const runs = await store.scan("protocol-sessions", "dkg-", after, 256)
    if (runs.length === 0) return burnt
    const unfinished = runs.filter(({ value }) => decode(rowCodec, value).kind !== "over")
    if (unfinished.length > 0) {
      await store.commit(unfinished.map(({ id, version }) => putRun(id, { kind: "over" }, version)))
    }
    burnt += unfinished.length
    after = runs[runs.length - 1]?.id ?? after
  }
}

/** Burns what this process issued before `issuedBefore` and nobody used. Returns how much. */
export async function burnExpired(
  store: Store,
  oneTime: OneTimeLedger,
  issuedBefore: number,
): Promise<number> {
  for (let burnt = 0; ; ) {
    // Struck off first: from here on no request can use them, whatever the store does.
    const expired = oneTime.expire(issuedBefore, 256)
    if (expired.length === 0) return burnt
    const changes = await Promise.all(
      expired.map(({ kind, id }) =>
        kind === "nonces" ? takeNonces(store, id) : endRun(store, id),
      ),
    )
    const needed = changes.filter((change) => change !== null)
    if (needed.length > 0) await store.commit(needed)
    burnt += expired.length
  }
}

async function takeNonces(store: Store, id: string): Promise<Change | null> {
  const row = await store.read("nonces", id)
  row?.value.fill(0)
  return row === null ? null : { kind: "take", table: "nonces", id, version: row.version }
}

async function endRun(store: Store, state: string): Promise<Change | null> {
  const id = runOf(state)
  const run = await readRun(store, id)
  return run === null ? null : putRun(id, { kind: "over" }, run.version)
}
