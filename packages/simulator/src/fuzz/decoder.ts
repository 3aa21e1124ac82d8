import type { Bytes, Field } from "@lockkeeper/encoding"
import type { Dice } from "./dice.ts"

/** What came of an input that was read. */
export interface Reading {
  /** False for a refusal that is a value and not an error. */
  readonly accepted: boolean
  /** The canonical encoding of what was read; null where more than one input may mean the same. */
  readonly again: Bytes | null
}

export const ACCEPTED: Reading = { accepted: true, again: null }
export const REFUSED: Reading = { accepted: false, again: null }

/** Something that reads what a stranger may have written. */
export interface Decoder {
  readonly name: string
  /** Inputs that it takes, from which others are made. */
  readonly samples: readonly Bytes[]
  /** Its part of the frames, against 1 of a usual one: less where one takes long. */
  readonly weight: number
  /** Longest that one input may take, milliseconds, where reading it is not all that is done. */
  readonly patienceMs?: number
  /** Throws only what a decoder may refuse with. */
  read(input: Bytes): Reading | Promise<Reading>
  /** Where the fields of a sample lie; null where only its bytes are known. */
  layout(sample: Bytes): readonly Field[] | null
  /** A change that its own kind of structure allows; null where fields and bytes are all. */
  readonly change: ((sample: Bytes, dice: Dice) => Bytes) | null
}
