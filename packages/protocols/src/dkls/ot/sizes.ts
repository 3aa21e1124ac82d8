/** Base transfers of a pair and direction: the computational security parameter, 128 bits. */
export const OT_COUNT = 128
export const SEED_LENGTH = 16
export const SEEDS_LENGTH = OT_COUNT * SEED_LENGTH

/** xi = kappa + 2 * lambda_s = 256 + 2 * 80 transfers for each multiplication. */
export const ROWS_PER_ITEM = 416
/** Transfers that nobody uses: they mask what the consistency check publishes. */
export const CHECK_ROWS = 128
/** Inputs r and sk and one check value (ell = 2, rho = 1). */
export const WIDTH = 3
export const SCALAR_LENGTH = 32
/** Multiplications in one batch. */
export const MAX_COUNT = 16

const ROW_BITS = 32
export const DIGEST_LENGTH = 32
export const SALT_LENGTH = 32
const CONTEXT_LENGTH = 32

/** Words of one column of the extension: a bit for each transfer of the batch. */
export function columnWords(count: number): number {
  return (ROWS_PER_ITEM * count + CHECK_ROWS) / ROW_BITS
}

/** Bytes of choice bits: one bit for each transfer. */
export function choiceLength(count: number): number {
  return 4 * columnWords(count)
}

export function columnsLength(count: number): number {
  return OT_COUNT * 4 * columnWords(count)
}

/** Columns, combined choice bits, digest of the combined rows. */
export function rvoleReceiverMessageLength(count: number): number {
  return columnsLength(count) + CHECK_ROWS / 8 + DIGEST_LENGTH
}

export function correctionsLength(count: number): number {
  return ROWS_PER_ITEM * count * WIDTH * SCALAR_LENGTH
}

/** Corrections, one combined input for each item, salt, digest of the check rows. */
export function rvoleSenderMessageLength(count: number): number {
  return correctionsLength(count) + count * SCALAR_LENGTH + SALT_LENGTH + DIGEST_LENGTH
}

export function assertCount(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw new RangeError(`a batch of ${count} multiplications: it takes 1 to ${MAX_COUNT}`)
  }
}

export function assertContext(context: Uint8Array): void {
  if (context.length !== CONTEXT_LENGTH) throw new RangeError("context is not 32 bytes")
}
