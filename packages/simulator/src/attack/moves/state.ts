import {
  keyListing,
  listSharingsBody,
  MAX_SHARINGS_PAGE,
  type SharingKind,
  type SharingListing,
  sharingsPage,
} from "@lockkeeper/api"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  oneOf,
  struct,
  toHex,
  u16,
  u32,
} from "@lockkeeper/encoding"
import type { Table } from "@lockkeeper/server"
import { ask } from "./operator.ts"
import type { Running } from "./servers.ts"

const EMPTY = new Uint8Array(0)

/** What a server says that it holds shares of. */
export async function sharingsAt(
  at: Running,
  kind: SharingKind,
): Promise<readonly SharingListing[]> {
  const body = encode(listSharingsBody, { kind, after: null, limit: MAX_SHARINGS_PAGE })
  const servers = [at.identifier]
  const call = { operation: "sharings.list", servers, body, step: 1, input: EMPTY } as const
  return decode(sharingsPage, await ask(at, call)).sharings
}

/** Where shares are, what goes with them, and what becomes of both. */
const TABLES: readonly Table[] = [
  ...(["keys", "account-keys", "children", "accounts", "guesses", "generations"] as const),
  "reshare-runs",
]

/** The rows of a server that a move is about, by table and id. */
export type State = ReadonlyMap<string, Bytes>

/** Most rows of a table here. */
const MOST = 256

export async function stateOf({ store }: Running): Promise<State> {
  const rows = new Map<string, Bytes>()
  for (const table of TABLES) {
    for (const { id, value } of await store.scan(table, "", "", MOST)) {
      // Made anew by each process, for names that nobody has.
      if (id !== "decoy") rows.set(`${table}/${id}`, value)
    }
  }
  for (const id of ["unknown-names", "unknown-guesses"]) {
    const row = await store.read("meta", id)
    if (row !== null) rows.set(`meta/${id}`, row.value)
  }
  return rows
}

/** The rows in which a state differs from all of some others. */
export function differences(one: State, ...others: readonly State[]): readonly string[] {
  const names = new Set([one, ...others].flatMap((state) => [...state.keys()]))
  return [...names].filter((name) => others.every((other) => !isSame(name, one, other)))
}

export function isSame(name: string, one: State, other: State): boolean {
  const [a, b] = [one.get(name), other.get(name)]
  if (a === undefined || b === undefined) return a === b
  return equalBytes(told(name, a), told(name, b))
}

interface Names {
  readonly ranges: readonly { readonly to: Bytes; readonly generation: number }[]
  readonly version: Bytes
  readonly rosterEpoch: number
  readonly shapes: readonly { readonly minSigners: number; readonly standing: string }[]
}

/** As servers write it; a change of it fails here with a DecodeError. */
const names: Codec<Names> = struct<Names>({
  ranges: list(struct({ to: fixedBytes(32), generation: u32 }), 256),
  ...{ version: fixedBytes(1), rosterEpoch: u32 },
  shapes: list(
    struct({ minSigners: u16, standing: oneOf("settled", "moving", "awaited", "gone") }),
    256,
  ),
})

/** Where names with such an id are, as far as a server knows. */
export function standingOf(state: State, id: string): string | null {
  const row = state.get("meta/unknown-names")
  if (row === undefined) return null
  const { ranges, shapes } = decode(names, row)
  return shapes[ranges.findIndex(({ to }) => id <= toHex(to))]?.standing ?? null
}

/**
 * A row without what anybody may say otherwise: when a key was made each server tells by its own clock,
 * and of which generation names are is nothing to a server that they have gone from.
 */
function told(name: string, row: Bytes): Bytes {
  if (name.startsWith("account-keys/")) {
    return encode(keyListing, { ...decode(keyListing, row), createdAt: 0 })
  }
  if (name !== "meta/unknown-names") return row
  const { ranges, shapes, ...rest } = decode(names, row)
  const isGone = (i: number) => shapes[i]?.standing === "gone"
  const timeless = ranges.map((one, i) => (isGone(i) ? { ...one, generation: 0 } : one))
  return encode(names, { ...rest, ranges: timeless, shapes })
}
