import {
  type Bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  fromHex,
  struct,
  toHex,
  u16,
  union,
} from "@lockkeeper/encoding"
import { dkg } from "@lockkeeper/protocols"
import type { OneTimeLedger } from "../one-time.ts"
import type { Change, Store, Table, Versioned } from "../ports/store.ts"

/** How far a run has come, with the only input that its next step accepts. */
export type RunStage =
  | { readonly kind: "opened"; readonly state: dkg.DkgOpened }
  | { readonly kind: "revealed"; readonly state: dkg.DkgRevealed }
  | { readonly kind: "judged"; readonly state: dkg.DkgJudged }

/** What a server keeps between the steps of one key generation: one run for each key id. */
export interface Run {
  /** 32 bytes: no other account may go on with it. */
  readonly accountId: Bytes
  readonly attempt: number
  readonly stage: RunStage
}

/**
 * The last attempt at a key that this server opened, and for whom, kept for ever: nobody else may open
 * one, and no earlier one comes back. A server that has forgotten it opens another run under another
 * nonce, which can be held against nobody.
 */
export interface Opened {
  readonly accountId: Bytes
  readonly attempt: number
}

export const keyGenerationRow: Codec<Run> = struct<Run>({
  accountId: fixedBytes(32),
  attempt: u16,
  stage: union<RunStage>({
    opened: struct({ state: dkg.dkgOpenedCodec }),
    revealed: struct({ state: dkg.dkgRevealedCodec }),
    judged: struct({ state: dkg.dkgJudgedCodec }),
  }),
})

const openedCodec: Codec<Opened> = struct<Opened>({ accountId: fixedBytes(32), attempt: u16 })

const TABLE = "protocol-sessions"

const LIVE = "live-"

function liveId(keyId: Bytes): string {
  return `${LIVE}${toHex(keyId)}`
}

function openedId(keyId: Bytes): string {
  return `opened-${toHex(keyId)}`
}

/** How the ledger of one-time state names an attempt's state after one of its steps. */
export function stateId(keyId: Bytes, attempt: number, kind: RunStage["kind"]): string {
  return `${toHex(keyId)}/${attempt}/${kind}`
}

export async function readRun(store: Store, keyId: Bytes): Promise<Versioned<Run> | null> {
  const stored = await store.read(TABLE, liveId(keyId))
  if (stored === null) return null
  const value = decode(keyGenerationRow, stored.value)
  stored.value.fill(0)
  return { version: stored.version, value }
}

export async function readOpened(store: Store, keyId: Bytes): Promise<Versioned<Opened> | null> {
  const stored = await store.read(TABLE, openedId(keyId))
  return stored === null
    ? null
    : { version: stored.version, value: decode(openedCodec, stored.value) }
}

export function putRun(keyId: Bytes, run: Run, ifVersion: number | "absent"): Change {
  const value = encode(keyGenerationRow, run)
  return { kind: "put", table: TABLE, id: liveId(keyId), ifVersion, value }
}

/** Overwrites what is secret in a state, when its change is made or nobody needs it any more. */
export function wipeStage({ kind, state }: RunStage): void {
  if (kind === "opened") {
    for (const coefficient of state.coefficients) coefficient.wipe()
    state.blinding.fill(0)
  } else for (const secret of state.randomness.values()) secret.wipe()
  if (kind === "revealed") state.ownShare.wipe()
  if (kind === "judged") state.pending?.signingShare.wipe()
  else state.sealingSeed.wipe()
}

/** Ends a run: its state is gone, and what it was to become never exists. */
export function endRun(keyId: Bytes, version: number): Change {
  return { kind: "take", table: TABLE, id: liveId(keyId), version }
}

export function putOpened(keyId: Bytes, opened: Opened, ifVersion: number | "absent"): Change {
  const value = encode(openedCodec, opened)
  return { kind: "put", table: TABLE, id: openedId(keyId), ifVersion, value }
}

/**
 * Burns what an earlier process left unfinished: nonces and runs it can no longer vouch for. To be
 * called once, before the first request. Returns how many were burnt.
 */
export async function burnUnfinished(store: Store): Promise<number> {
  return (await takeAll(store, "nonces", "")) + (await takeAll(store, TABLE, LIVE))
}

async function takeAll(store: Store, table: Table, prefix: string): Promise<number> {
  for (let taken = 0; ; ) {
    const rows = await store.scan(table, prefix, prefix, 256)
    if (rows.length === 0) return taken
    for (const { value } of rows) value.fill(0)
    await store.commit(rows.map(({ id, version }) => ({ kind: "take", table, id, version })))
    taken += rows.length
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
        kind === "nonces" ? takeNonces(store, id) : endExpired(store, id),
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

/** The change that ends the attempt a `stateId` is of, unless another took its place. */
async function endExpired(store: Store, state: string): Promise<Change | null> {
  const [key = "", attempt = ""] = state.split("/")
  const keyId = fromHex(key)
  const run = await readRun(store, keyId)
  if (run !== null) wipeStage(run.value.stage)
  return run === null || String(run.value.attempt) !== attempt ? null : endRun(keyId, run.version)
}
