import { eventCodec, keyListing } from "@lockkeeper/api"
import { type Codec, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { frost, opaque } from "@lockkeeper/protocols"
import type { Table } from "@lockkeeper/server"
import {
  accountRow,
  answerRow,
  generationRow,
  keyRow,
  pairRow,
  presignatureRow,
  reshareRunRow,
} from "@lockkeeper/server/rows"
import {
  commitToLogBody,
  EMPTY_FRONTIER,
  encodeLogBody,
  verifyLeaves,
} from "@lockkeeper/transparency"
import type { DurableState } from "../observed.ts"
import type { Checker } from "./checker.ts"

/** Tables whose rows all have one form. */
const CODECS: Partial<Record<Table, Codec<unknown>>> = {
  accounts: accountRow,
  guesses: opaque.guessCounterCodec,
  keys: keyRow,
  "account-keys": keyListing,
  nonces: frost.nonceStateCodec,
  answers: answerRow,
  pairs: pairRow,
  presignatures: presignatureRow,
  generations: generationRow,
  "reshare-runs": reshareRunRow,
}

export const stores: Checker = {
  name: "stores",
  holds: "every database opens, every row decodes, every log is one tree from its first entry on",
  check: ({ durable }) =>
    durable.flatMap((state) =>
      [...state.unreadable, ...badRows(state), ...badLog(state)].map(
        (problem) => `server ${state.server}: ${problem}`,
      ),
    ),
}

function badRows({ tables }: DurableState): readonly string[] {
  return [...tables].flatMap(([table, rows]) => {
    const codec = CODECS[table]
    return [...rows].flatMap(([id, { version, value }]) => {
      if (!Number.isSafeInteger(version) || version < 1) return [`${table} ${id}: bad version`]
      return codec === undefined || decodes(codec, value) ? [] : [`${table} ${id}: does not decode`]
    })
  })
}

function decodes<T>(codec: Codec<T>, value: Uint8Array<ArrayBuffer>): boolean {
  try {
    return equalBytes(encode(codec, decode(codec, value)), value)
  } catch {
    return false
  }
}

function badLog({ log }: DurableState): readonly string[] {
  const last = log.at(-1)
  if (last === undefined) return []
  const roots = new Map(log.map(({ index, head }) => [index + 1, head]))
  const to = { treeSize: last.index + 1, rootHash: last.head }
  const verdict = verifyLeaves(EMPTY_FRONTIER, log, to, roots)
  const broken = verdict.valid ? [] : [`log entry ${verdict.index}: ${verdict.reason}`]
  const bodies = log.flatMap(({ index, commitment, salt, time, event }) => {
    const own = commitToLogBody(encodeLogBody({ salt, time, event }))
    if (!equalBytes(own, commitment)) return [`log entry ${index}: is not what was committed to`]
    return decodes(eventCodec, new Uint8Array(event)) ? [] : [`log entry ${index}: is no event`]
  })
  return [...broken, ...bodies]
}
