import {
  type Bytes,
  type Codec,
  decode,
  encode,
  safeInteger,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import type { Change, Store, Versioned } from "../ports/store.ts"

export interface PresignatureRow {
  readonly madeAt: number
  readonly presignature: dkls.Presignature
}

export const presignatureRow: Codec<PresignatureRow> = struct<PresignatureRow>({
  madeAt: safeInteger,
  presignature: dkls.presignatureCodec,
})

const TABLE = "presignatures"

/** The row in which this server's part of a presignature waits. */
export function presignatureId(keyId: Bytes, id: Bytes): string {
  return `${toHex(keyId)}-${toHex(id)}`
}

export function wipePresignature({ phi, u, v }: dkls.Presignature): void {
  for (const secret of [phi, u, v]) secret.wipe()
}

export function putPresignature(presignature: dkls.Presignature, madeAt: number): Change {
  const id = presignatureId(presignature.certificate.record.keyId, presignature.id)
  const value = encode(presignatureRow, { madeAt, presignature })
  return { kind: "put", table: TABLE, id, ifVersion: "absent", value }
}

/** Removes a presignature. Written once, so its version is the first. */
export function takePresignature(id: string): Change {
  return { kind: "take", table: TABLE, id, version: 1 }
}

/** Read for use: to be wiped by the caller. */
export async function readPresignature(
  store: Store,
  id: string,
): Promise<dkls.Presignature | null> {
  const row = await store.read(TABLE, id)
  return row === null ? null : open(row).presignature
}

function open(row: Versioned<Bytes>): PresignatureRow {
  const value = decode(presignatureRow, row.value)
  row.value.fill(0)
  return value
}

/** What a row says that is no secret. */
export interface StoredPresignature {
  readonly id: string
  readonly presignatureId: Bytes
  readonly record: dkls.PresignatureRecord
  readonly madeAt: number
}

/** Everything that is stored, at most `limit` (1 to 256) after `after`. */
export async function scanPresignatures(
  store: Store,
  after: string,
  limit: number,
): Promise<readonly StoredPresignature[]> {
  const rows = await store.scan(TABLE, "", after, limit)
  return rows.map((row) => {
    const { presignature, madeAt } = open(row)
    wipePresignature(presignature)
    const { record } = presignature.certificate
    return { id: row.id, presignatureId: presignature.id, record, madeAt }
  })
}

/** Destroys everything that is stored. Returns how many there were. */
export async function burnPresignatures(store: Store): Promise<number> {
  for (let burnt = 0; ; ) {
    const rows = await store.scan(TABLE, "", "", 256)
    if (rows.length === 0) return burnt
    for (const { value } of rows) value.fill(0)
    await store.commit(rows.map(({ id, version }) => ({ kind: "take", table: TABLE, id, version })))
    burnt += rows.length
  }
}
