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
  constant,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  mapped,
  oneOf,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import type { Dependencies } from "./ports/dependencies.ts"
import type { Change, Store } from "./ports/store.ts"

/** The generation of shares that every unknown name pretends to be of before the first refresh. */
export const FIRST_GENERATION = 1

/** Most ranges with generations of their own: two while a pass is under way, more where some failed. */
const MAX_RANGES = 256

const PLACE = { table: "meta", id: "unknown-names" } as const

/** Where the accounts of a range are, as far as this server is concerned. */
export type Standing =
  /** Where the roster wants them. */
  | "settled"
  /** Where they were in the roster before: they have yet to move. */
  | "moving"
  /** This server is to hold them and does not yet. */
  | "awaited"
  /** They have moved away from this server. */
  | "gone"

const STANDINGS: readonly Standing[] = ["settled", "moving", "awaited", "gone"]

export interface NameRange {
  /** The last id of the range, which begins after the one before it. */
  readonly to: Bytes
  readonly generation: number
  /** How many servers it takes, as long as shares pretend that. */
  readonly minSigners: number
  readonly standing: Standing
}

/**
 * What names that nobody has pretend to be, by account id: of which generation, of which threshold, and
 * whether this server answers for them. Changed in the commit that puts a batch of real accounts in
 * force, over the same range of ids: also a server that missed a batch, or comes to it late, answers
 * for unknown names as it does for its accounts.
 */
export interface UnknownNames {
  /** The roster that they stand under as they do; 0 in rows from before rosters moved accounts. */
  readonly rosterEpoch: number
  /** Ascending, the last one to the last id. */
  readonly ranges: readonly NameRange[]
}

function isComplete(ranges: readonly Pick<NameRange, "to">[]): boolean {
  const last = ranges.at(-1)
  return (
    last !== undefined &&
    equalBytes(last.to, LAST_ACCOUNT_ID) &&
    ranges.every(({ to }, i) => i === 0 || compareBytes(to, ranges[i - 1]!.to) > 0)
  )
}

type Ends = Pick<NameRange, "to" | "generation">

const firstVersion: Codec<readonly Ends[]> = mapped(
  list(struct<Ends>({ to: fixedBytes(32), generation: u32 }), MAX_RANGES),
  (ranges: readonly Ends[]) => ranges,
  (ranges, fail) => (isComplete(ranges) ? ranges : fail("ranges do not cover all ids once")),
)

type Shape = Pick<NameRange, "minSigners" | "standing">

interface SecondVersion {
  readonly version: null
  readonly rosterEpoch: number
  readonly shapes: readonly Shape[]
}

const secondVersion: Codec<SecondVersion> = struct<SecondVersion>({
  version: constant(Uint8Array.of(2)),
  rosterEpoch: mapped(
    u32,
    (epoch: number) => epoch,
    (epoch, fail) => (epoch > 0 ? epoch : fail("rosters are numbered from 1")),
  ),
  shapes: list(struct<Shape>({ minSigners: u16, standing: oneOf(...STANDINGS) }), MAX_RANGES),
})

/** Version 2 is the first one with more behind it. A row that ends where the first one does is of that. */
export const unknownNamesRow: Codec<UnknownNames> = {
  write(writer, { rosterEpoch, ranges }) {
    firstVersion.write(writer, ranges)
    if (rosterEpoch === 0) return
    secondVersion.write(writer, { version: null, rosterEpoch, shapes: ranges })
  },
  read(reader) {
    const ends = firstVersion.read(reader)
    if (reader.remaining === 0) {
      return { rosterEpoch: 0, ranges: ends.map((one) => ({ ...one, ...OF_BEFORE })) }
    }
    const start = reader.offset
    const { rosterEpoch, shapes } = secondVersion.read(reader)
    if (shapes.length !== ends.length) reader.fail("shapes: not one for each range", start)
    return { rosterEpoch, ranges: ends.map((one, i) => ({ ...one, ...(shapes[i] as Shape) })) }
  },
}

/** What a row of the first version does not say, until the server starts under a roster. */
const OF_BEFORE: Shape = { minSigners: 0, standing: "settled" }

export interface NamesAsRead {
  readonly value: UnknownNames
  readonly version: number
}

/** Null before the first start. */
export async function readNamesOrNull(store: Store): Promise<NamesAsRead | null> {
  const row = await store.read(PLACE.table, PLACE.id)
  return row && { value: decode(unknownNamesRow, row.value), version: row.version }
}

export async function readUnknownNames(store: Store): Promise<NamesAsRead> {
  const names = await readNamesOrNull(store)
  if (names === null) throw new Error("the server was not started")
  return names
}

export function putUnknownNames(names: UnknownNames, ifVersion: number | "absent"): Change {
  return { kind: "put", ...PLACE, ifVersion, value: encode(unknownNamesRow, names) }
}

/** What a name with this id pretends to be, if it is unknown. */
export function rangeOf({ ranges }: UnknownNames, accountId: Bytes): NameRange {
  const range = ranges.find(({ to }) => compareBytes(accountId, to) <= 0)
  if (range === undefined) throw new Error("no range has this id")
  return range
}

/** The generation that a name with this id pretends to be of, if it is unknown. */
export function generationOf(names: UnknownNames, accountId: Bytes): number {
  return rangeOf(names, accountId).generation
}

/** Whether any range was moved: then accounts that were refreshed are longer than registered ones. */
export function isAnyMoved({ ranges }: UnknownNames): boolean {
  return ranges.some(({ generation }) => generation > FIRST_GENERATION)
}

/** The same with one range moved on. What a later pass has moved already stays in its generation. */
export function movedOn(
  names: UnknownNames,
  range: AccountRange,
  shape: Shape | null = null,
): UnknownNames {
  const ends = [range.after, range.to, ...names.ranges.map(({ to }) => to)]
    .filter((end) => end !== null)
    .sort(compareBytes)
  const ranges: NameRange[] = []
  for (const to of ends) {
    const before = ranges.at(-1)
    if (before !== undefined && equalBytes(before.to, to)) continue
    const was = rangeOf(names, to)
    const now = { ...was, ...shape, generation: Math.max(was.generation, range.generation) }
    const next = { ...(isInRange(range, to) ? now : was), to }
    if (before !== undefined && isAlike(before, next)) ranges.pop()
    ranges.push(next)
  }
  return { ...names, ranges }
}

function isAlike(a: NameRange, b: NameRange): boolean {
  return a.generation === b.generation && a.minSigners === b.minSigners && a.standing === b.standing
}

/**
 * The changes that move unknown names on with a batch, for the commit that puts it in force.
 *
 * @param ids - of the batch, all of them, also those whose accounts stay as they are.
 * @param shape - what becomes of the range where accounts go to other holders; null for a refresh.
 * @throws LockKeeperError `invalid-request`, `clock-skew` or `too-large` naming the field.
 */
export async function moveUnknownNames(
  { store, clock }: Pick<Dependencies, "store" | "clock">,
  range: AccountRange,
  ids: readonly Bytes[],
  shape: Shape | null = null,
): Promise<readonly Change[]> {
  const { value: names, version } = await readUnknownNames(store)
  checkRange(clock.now(), range, ids)
  const moved = movedOn(names, range, shape)
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
  return [putUnknownNames(moved, version)]
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
