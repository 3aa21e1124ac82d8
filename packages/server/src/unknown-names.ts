import {
  type AccountRange,
  isInRange,
  isRangeEnd,
  LAST_ACCOUNT_ID,
  LockKeeperError,
  MAX_CLOCK_SKEW_MS,
} from "@lockkeeper/api"
import {
  type Bytes,
  type Codec,
  compareBytes,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  mapped,
  struct,
  u32,
} from "@lockkeeper/encoding"
import type { Dependencies } from "./ports/dependencies.ts"
import type { Change, Store } from "./ports/store.ts"

/** The generation of shares that every unknown name pretends to be of before the first refresh. */
export const FIRST_GENERATION = 1

/** Most ranges with generations of their own: two while a pass is under way, more where some failed. */
const MAX_RANGES = 256

const PLACE = { table: "meta", id: "unknown-names" } as const

interface NameRange {
  /** The last id of the range, which begins after the one before it. */
  readonly to: Bytes
  readonly generation: number
}

/**
 * Which generation the shares of unknown names pretend to be of, by account id. Moved in the commit
 * that puts a batch of real accounts in force, over the same range of ids: also a server that missed
 * a batch, or comes to it late, answers for unknown names as it does for its accounts.
 */
export interface UnknownNames {
  /** Ascending, the last one to the last id. */
  readonly ranges: readonly NameRange[]
}

export const NONE_MOVED: UnknownNames = {
  ranges: [{ to: LAST_ACCOUNT_ID, generation: FIRST_GENERATION }],
}

function isComplete({ ranges }: UnknownNames): boolean {
  const last = ranges.at(-1)
  return (
    last !== undefined &&
    equalBytes(last.to, LAST_ACCOUNT_ID) &&
    ranges.every(({ to }, i) => i === 0 || compareBytes(to, ranges[i - 1]!.to) > 0)
  )
}

export const unknownNamesRow: Codec<UnknownNames> = mapped(
  struct<UnknownNames>({
    ranges: list(struct<NameRange>({ to: fixedBytes(32), generation: u32 }), MAX_RANGES),
  }),
  (names: UnknownNames) => names,
  (names, fail) => (isComplete(names) ? names : fail("ranges do not cover all ids once")),
)

export async function readUnknownNames(store: Store): Promise<{
  readonly value: UnknownNames
  readonly version: number | "absent"
}> {
  const row = await store.read(PLACE.table, PLACE.id)
  if (row === null) return { value: NONE_MOVED, version: "absent" }
  return { value: decode(unknownNamesRow, row.value), version: row.version }
}

/** The generation that a name with this id pretends to be of, if it is unknown. */
export function generationOf({ ranges }: UnknownNames, accountId: Bytes): number {
  const range = ranges.find(({ to }) => compareBytes(accountId, to) <= 0)
  if (range === undefined) throw new Error("no range has this id")
  return range.generation
}

/** Whether any range was moved: then accounts that were refreshed are longer than registered ones. */
export function isAnyMoved({ ranges }: UnknownNames): boolean {
  return ranges.some(({ generation }) => generation > FIRST_GENERATION)
}

/** The same with one range moved on. What a later pass has moved already stays. */
export function movedOn(names: UnknownNames, range: AccountRange): UnknownNames {
  const ends = [range.after, range.to, ...names.ranges.map(({ to }) => to)]
    .filter((end) => end !== null)
    .sort(compareBytes)
  const ranges: NameRange[] = []
  for (const to of ends) {
    const before = ranges.at(-1)
    if (before !== undefined && equalBytes(before.to, to)) continue
    const was = generationOf(names, to)
    const generation = isInRange(range, to) ? Math.max(was, range.generation) : was
    if (before?.generation === generation) ranges.pop()
    ranges.push({ to, generation })
  }
  return { ranges }
}

/**
 * The changes that move unknown names on with a batch, for the commit that puts it in force.
 *
 * @param ids - of the batch, all of them, also those whose accounts stay as they are.
 * @throws LockKeeperError `invalid-request`, `clock-skew` or `too-large` naming the field.
 */
export async function moveUnknownNames(
  { store, clock }: Pick<Dependencies, "store" | "clock">,
  range: AccountRange,
  ids: readonly Bytes[],
): Promise<readonly Change[]> {
  const { value: names, version } = await readUnknownNames(store)
  checkRange(clock.now(), range, ids)
  const moved = movedOn(names, range)
  if (moved.ranges.length > MAX_RANGES) {
    throw new LockKeeperError("too-large", "Too many ranges of unknown names differ.", {
      field: "body.range",
      remedy: "Refresh all accounts in one pass, in the order of their ids.",
    })
  }
  const value = encode(unknownNamesRow, moved)
  if (equalBytes(value, encode(unknownNamesRow, names))) {
    return [{ kind: "expect", ...PLACE, version }]
  }
  return [{ kind: "put", ...PLACE, ifVersion: version, value }]
}

function checkRange(now: number, range: AccountRange, ids: readonly Bytes[]): void {
  const refuse = (field: string, message: string): never => {
    throw new LockKeeperError("invalid-request", message, { field: `body.range${field}` })
  }
  const { after, to, generation } = range
  if (after !== null && compareBytes(after, to) >= 0) refuse(".to", "The range holds no id.")
  for (const [field, end] of [
    [".after", after],
    [".to", to],
  ] as const) {
    if (end !== null && !isRangeEnd(end)) refuse(field, "Ranges do not end at an account's id.")
  }
  if (!ids.every((id) => isInRange(range, id))) refuse("", "An account is outside of its range.")
  if (generation <= FIRST_GENERATION) refuse(".generation", "The pass is numbered like none.")
  if (generation > Math.floor((now + MAX_CLOCK_SKEW_MS) / 1000)) {
    throw new LockKeeperError("clock-skew", "The pass is of this server's future.", {
      field: "body.range.generation",
      remedy: "Number it by the second in which it begins; set the clock.",
    })
  }
}
