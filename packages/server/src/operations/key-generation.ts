import { type Codec, decode, encode, struct, toHex, union } from "@lockkeeper/encoding"
import { dkg } from "@lockkeeper/protocols"
import type { Change, Store } from "../ports/store.ts"

/** What a server keeps between the steps of one key generation. */
export type KeyGenerationRow =
  | { readonly kind: "opened"; readonly state: dkg.DkgOpened }
  | { readonly kind: "revealed"; readonly state: dkg.DkgRevealed }
  | { readonly kind: "judged"; readonly state: dkg.DkgJudged }
  /**
   * Finished, aborted or burnt. The row stays: opening the same attempt again would make this server
   * sign two different openings, which is what equivocation is.
   */
  | { readonly kind: "over" }

const rowCodec: Codec<KeyGenerationRow> = union<KeyGenerationRow>({
  opened: struct({ state: dkg.dkgOpenedCodec }),
  revealed: struct({ state: dkg.dkgRevealedCodec }),
  judged: struct({ state: dkg.dkgJudgedCodec }),
  over: struct({}),
})

export interface StoredRun {
  readonly version: number
  readonly row: KeyGenerationRow
}

export function runId(params: Pick<dkg.DkgParams, "keyId" | "attempt">): string {
  return `dkg-${toHex(params.keyId)}-${params.attempt}`
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
