import { type Scalar, scalarVectors } from "@lockkeeper/crypto"
import { ROW_WORDS } from "./bit-matrix.ts"
import type { BlockHash } from "./block-hash.ts"
import { gadgetWeights } from "./gadget.ts"
import { ROWS_PER_ITEM, SCALAR_LENGTH, WIDTH } from "./sizes.ts"

/**
 * One multiplication of a batch, an item, is 416 rows of three values below 2^256: for r, for sk
 * and for the check.
 */
export type ItemValues = scalarVectors.Words

const ITEM_ROW_WORDS = ROWS_PER_ITEM * ROW_WORDS
const BLOCKS_PER_ROW = (WIDTH * SCALAR_LENGTH) / 16
const ITEM_CHOICE = ROWS_PER_ITEM / 8
/** Words of an item's corrections, and of its check rows. */
export const ITEM_WORDS = (ROWS_PER_ITEM * WIDTH * SCALAR_LENGTH) / 4
export const ITEM_CHECK_WORDS = (ROWS_PER_ITEM * SCALAR_LENGTH) / 4

export function itemsOf<T>(count: number, item: (k: number) => T): T[] {
  return Array.from({ length: count }, (_, k) => item(k))
}

/** Words of item k in an array of `size` words for each item. */
export function itemPart(words: scalarVectors.Words, k: number, size: number): scalarVectors.Words {
  return words.subarray(k * size, (k + 1) * size)
}

export function itemChoice<T extends Uint8Array>(choice: T, k: number): T {
  return choice.subarray(k * ITEM_CHOICE, (k + 1) * ITEM_CHOICE) as T
}

/** The pads of item k: the hash of each of its rows, with the row's number in the whole batch. */
export function padsOf(hash: BlockHash, rows: scalarVectors.Words, k: number): ItemValues {
  return hash(itemPart(rows, k, ITEM_ROW_WORDS), k * ROWS_PER_ITEM, BLOCKS_PER_ROW)
}

/**
 * Sum over j of g_j * values_j in one column: this end's share of chi times that column's input.
 */
export function outputOf(values: ItemValues, column: 0 | 1): Scalar {
  return scalarVectors.weightedSum(gadgetWeights(), values, WIDTH, column)
}

/** theta, prepared for many products. */
export function factorsOf(
  thetas: readonly [Scalar, Scalar],
): [scalarVectors.Factor, scalarVectors.Factor] {
  const [first, second] = thetas
  return [scalarVectors.factorOfScalar(first), scalarVectors.factorOfScalar(second)]
}
