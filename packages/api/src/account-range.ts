import {
  type Bytes,
  type Codec,
  compareBytes,
  fixedBytes,
  nullable,
  struct,
  u32,
} from "@lockkeeper/encoding"
import type { LockKeeperError } from "./errors.ts"

/**
 * What a batch of accounts covers beside its accounts: the unknown names whose ids lie between theirs.
 * Servers answer for those as if they were refreshed with the batch, so that the times at which
 * answers change do not tell who exists. The ranges of a pass over all accounts follow each other without
 * a gap, the first from null and the last to the greatest id.
 */
export interface AccountRange {
  /** The last id of the range before; null from the first id on. */
  readonly after: Bytes | null
  /** The last id of this one. */
  readonly to: Bytes
  /** The second in which the pass began, since the Unix epoch: it only grows, as attempts do. */
  readonly generation: number
}

export const accountRange: Codec<AccountRange> = struct<AccountRange>({
  after: nullable(fixedBytes(32)),
  to: fixedBytes(32),
  generation: u32,
})

/**
 * Where to end a range between two accounts: with the shortest prefix that sets them apart. At an
 * account's own id the end would show, to whoever compares names in the middle of a pass, who is there.
 *
 * @throws RangeError unless `next` is the later one.
 */
export function rangeEnd(last: Bytes, next: Bytes): Bytes {
  if (compareBytes(last, next) >= 0) throw new RangeError("the next account is not a later one")
  const at = last.findIndex((byte, i) => byte !== next[i])
  const end = last.slice()
  // From the first bit that differs, which is 0 in the last account: that bit, and ones behind it.
  const below = 0xff >> (Math.clz32((last[at]! ^ next[at]!) << 24) + 1)
  end[at] = last[at]! | below
  return end.fill(0xff, at + 1)
}

/** Field of refusals, code `unavailable`, of what waits until accounts have moved to other servers. */
export const ON_THEIR_WAY = "accounts"

/** Whether a server only says that accounts of that range are not there, or have yet to move. */
export function isOnItsWay({ code, field }: LockKeeperError): boolean {
  return code === "unavailable" && field === ON_THEIR_WAY
}

/** Bytes at the end of a range's last id that are ones: no account's id ends like this. */
const OPEN_BYTES = 16

/** Whether a range may end there. */
export function isRangeEnd(id: Bytes): boolean {
  return id.subarray(id.length - OPEN_BYTES).every((byte) => byte === 0xff)
}

/** The last id there can be: where the last range of a pass ends. */
export const LAST_ACCOUNT_ID: Bytes = new Uint8Array(32).fill(0xff)

export function isInRange({ after, to }: Pick<AccountRange, "after" | "to">, id: Bytes): boolean {
  return (after === null || compareBytes(id, after) > 0) && compareBytes(id, to) <= 0
}
