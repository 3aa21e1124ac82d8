import { type Codec, list, mapped, safeInteger, struct } from "@lockkeeper/encoding"
import { LARGEST_AMOUNT } from "../bounds.ts"
import { amountCodec } from "../document/document.ts"

/**
 * What was spent, or asked for, lately: sums for slots of a 128th of the duration, ascending. What
 * is spent counts for the whole duration and until its slot has passed, so never too short, and by
 * less than a hundredth of the duration too long.
 */
export interface Counter {
  readonly slots: readonly Slot[]
}

interface Slot {
  readonly slot: number
  readonly amount: bigint
}

const SLOTS = 128

export const emptyCounter: Counter = { slots: [] }

/** What is kept of a counter; slots are ascending and no more than the duration has. */
export const counterCodec: Codec<Counter> = mapped(
  list(struct<Slot>({ slot: safeInteger, amount: amountCodec }), SLOTS + 1),
  ({ slots }: Counter) => {
    if (!isAscending(slots)) throw new RangeError("slots not ascending")
    return slots
  },
  (slots, fail) => (isAscending(slots) ? { slots } : fail("slots not ascending")),
)

const isAscending = (slots: readonly Slot[]) =>
  slots.every(({ slot }, index) => index === 0 || (slots[index - 1] as Slot).slot < slot)

const slotAt = (overMs: number, timeMs: number) => Math.floor(timeMs / Math.ceil(overMs / SLOTS))

/** What counts at `timeMs`. */
export function countedAt(counter: Counter, overMs: number, timeMs: number): bigint {
  const oldest = slotAt(overMs, timeMs) - SLOTS
  return counter.slots.reduce((sum, { slot, amount }) => (slot < oldest ? sum : sum + amount), 0n)
}

/**
 * The counter with `amount` more. A clock that went back adds to the latest slot: what was spent
 * then counts longer, not shorter.
 */
export function countMore(
  counter: Counter,
  at: { readonly overMs: number; readonly timeMs: number; readonly amount: bigint },
): Counter {
  const last = counter.slots.at(-1)
  const slot = Math.max(slotAt(at.overMs, at.timeMs), last?.slot ?? 0)
  const kept = counter.slots.filter((other) => other.slot >= slot - SLOTS && other.slot < slot)
  const sum = at.amount + (last?.slot === slot ? last.amount : 0n)
  // A sum that no limit reaches need not grow.
  return { slots: [...kept, { slot, amount: sum > LARGEST_AMOUNT ? LARGEST_AMOUNT : sum }] }
}
