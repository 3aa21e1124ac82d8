import type { Request } from "@lockkeeper/api"
import { type Bytes, bytes, decode, encode, struct, toHex } from "@lockkeeper/encoding"
import type { Change, Store } from "../ports/store.ts"

const answerRow = struct<{ output: Bytes }>({ output: bytes(200_000) })

/**
 * Where the answer to one step of a request is kept, so that a retry gets the same bytes. Starts
 * with the request's expiry, after which nobody may ask for it, so that old answers sort first.
 */
export function answerId(request: Request, step: number): string {
  const expiry = request.expiresAt.toString(16).padStart(14, "0")
  return `${expiry}-${toHex(request.accountId)}-${toHex(request.requestId)}-${step}`
}

export async function readAnswer(store: Store, id: string): Promise<Bytes | null> {
  const row = await store.read("answers", id)
  return row === null ? null : decode(answerRow, row.value).output
}

export function keepAnswer(id: string, output: Bytes): Change {
  const value = encode(answerRow, { output })
  return { kind: "put", table: "answers", id, ifVersion: "absent", value }
}

/** Drops up to 256 answers whose requests expired before `now`. Returns how many. */
export async function dropExpiredAnswers(store: Store, now: number): Promise<number> {
  const limit = now.toString(16).padStart(14, "0")
  const oldest = await store.scan("answers", "", "", 256)
  const expired = oldest.filter(({ id }) => id.slice(0, 14) < limit)
  if (expired.length > 0) {
    await store.commit(
      expired.map(({ id, version }) => ({ kind: "take", table: "answers", id, version })),
    )
  }
  return expired.length
}
