import { type Bytes, decode, encode, fixedBytes, list, toHex } from "@lockkeeper/encoding"
import {
  type Counter,
  counterCodec,
  countersAfter,
  countersNeeded,
  emptyCounter,
  type Facts,
  type Policy,
  type RequestFacts,
} from "@lockkeeper/policy"
import type { Change, Store } from "../ports/store.ts"

const TABLE = "spending"

/** What was counted last, so that another input of a transaction, or one more attempt, is not again. */
const MAX_REMEMBERED = 128

const remembered = list(fixedBytes(32), MAX_REMEMBERED)

/** Where counters stand when a request is decided, with the versions that they were read at. */
export interface Spending {
  readonly facts: Facts
  /** What is to be written once it is allowed. */
  readonly changes: () => readonly Change[]
}

/**
 * Reads what a request is judged by.
 *
 * @param once - 32 bytes: what counts no second time.
 */
export async function readSpending(
  store: Store,
  account: string,
  { policy, facts, once }: { policy: Policy; facts: RequestFacts; once: Bytes },
): Promise<Spending> {
  const versions = new Map<string, number | "absent">()
  const counters = new Map<string, Counter>()
  for (const { id } of countersNeeded(policy, facts)) {
    const row = await store.read(TABLE, `${account}-${id}`)
    versions.set(id, row?.version ?? "absent")
    counters.set(id, row === null ? emptyCounter : decode(counterCodec, row.value))
  }
  const lately = await store.read(TABLE, account)
  const counted = lately === null ? [] : decode(remembered, lately.value)
  const isCounted = counted.some((one) => toHex(one) === toHex(once))
  const all: Facts = { ...facts, counters, isCounted }
  const changes = (): readonly Change[] => {
    const after = countersAfter(policy, all)
    if (after.size === 0) return []
    const value = encode(remembered, [...counted, once].slice(-MAX_REMEMBERED))
    const ifVersion = lately?.version ?? "absent"
    return [
      { kind: "put", table: TABLE, id: account, ifVersion, value },
      ...[...after].map(([id, counter]): Change => {
        const version = versions.get(id) ?? "absent"
        const encoded = encode(counterCodec, counter)
        const place = { table: TABLE, id: `${account}-${id}` } as const
        return { kind: "put", ...place, ifVersion: version, value: encoded }
      }),
    ]
  }
  return { facts: all, changes }
}
