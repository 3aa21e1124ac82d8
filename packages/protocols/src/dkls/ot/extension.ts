import { constantTimeEqual, hashValue, type Secret, sha256 } from "@lockkeeper/crypto"
import { type Bytes, concat, fixedBytes, struct, u8 } from "@lockkeeper/encoding"
import { ROW_WORDS, rowsOf } from "./bit-matrix.ts"
import { blockHash, bytesOf, wordsOf } from "./block-hash.ts"
import { checkMatrix, combineBits, combineRows } from "./consistency.ts"
import { LABELS } from "./labels.ts"
import type { PairSetup } from "./pair-setup.ts"
import {
  CHECK_ROWS,
  columnsLength,
  columnWords,
  DIGEST_LENGTH,
  OT_COUNT,
  rvoleReceiverMessageLength,
} from "./sizes.ts"

/** One use of a pair's base transfers. */
export interface Extension {
  readonly setupDigest: Bytes
  /** 32 bytes that no other extension of this pair has. */
  readonly context: Bytes
  readonly count: number
}

const extensionFields = {
  setupDigest: fixedBytes(32),
  context: fixedBytes(32),
  count: u8,
}
export const extensionCodec = struct<Extension>(extensionFields)
const digestedCodec = struct<Extension & { readonly digest: Bytes }>({
  ...extensionFields,
  digest: fixedBytes(32),
})

const KEY_LENGTH = 16

/** Column c is the generator's output for seed c, as many bits as there are transfers. */
function columnsFrom(extension: Extension, seeds: Secret): Uint32Array<ArrayBuffer> {
  const words = columnWords(extension.count)
  const key = hashValue(LABELS.columns, extensionCodec, extension).subarray(0, KEY_LENGTH)
  const blocks = Math.ceil(words / ROW_WORDS)
  const expanded = blockHash(key)(wordsOf(seeds.expose()), 0, blocks)
  if (blocks * ROW_WORDS === words) return expanded
  const columns = new Uint32Array(OT_COUNT * words)
  for (let c = 0; c < OT_COUNT; c++) {
    const start = c * blocks * ROW_WORDS
    columns.set(expanded.subarray(start, start + words), c * words)
  }
  expanded.fill(0)
  return columns
}

/** The extension with a digest of what its receiver sent so far. */
function digestOf(label: string, extension: Extension, content: Uint8Array): Bytes {
  return hashValue(label, digestedCodec, { ...extension, digest: sha256(content) })
}

/** The receiver's rows t_j, one for each transfer. The caller wipes them. */
export function receiverRows(setup: PairSetup, extension: Extension): Uint32Array<ArrayBuffer> {
  const columns = columnsFrom(extension, setup.zeroSeeds)
  const rows = rowsOf(columns, columnWords(extension.count))
  columns.fill(0)
  return rows
}

/** What the receiver sends behind the columns. */
interface Combination {
  /** The combined choice bits. */
  readonly bits: Bytes
  /** Digest of the combined rows, where SoftSpokenOT sends the rows themselves. */
  readonly rowsDigest: Bytes
}

/** Digest of a whole message, which all later hashes of both ends bind. */
function messageDigest(extension: Extension, columnsDigest: Bytes, sent: Combination): Bytes {
  const content = concat(columnsDigest, sent.bits, sent.rowsDigest)
  return digestOf(LABELS.receiverMessage, extension, content)
}

/**
 * The receiver's message: u^c = t0^c ^ t1^c ^ x for every column c, and their combination.
 *
 * @param choice - x, one uniform bit for each transfer, those that mask the check included.
 */
export function extendReceive(
  setup: PairSetup,
  extension: Extension,
  choice: Bytes,
): { message: Bytes; digest: Bytes } {
  const words = columnWords(extension.count)
  const zero = columnsFrom(extension, setup.zeroSeeds)
  const sent = columnsFrom(extension, setup.oneSeeds)
  const x = wordsOf(choice)
  for (let c = 0, at = 0; c < OT_COUNT; c++) {
    for (let w = 0; w < words; w++, at++) sent[at]! ^= zero[at]! ^ x[w]!
  }
  const rows = rowsOf(zero, words)
  const columns = bytesOf(sent)
  const columnsDigest = digestOf(LABELS.challenge, extension, columns)
  const matrix = checkMatrix(columnsDigest.subarray(0, KEY_LENGTH), words)
  const combined = combineRows(matrix, rows)
  const bits = combineBits(matrix, choice)
  const rowsDigest = digestOf(LABELS.combination, extension, bytesOf(combined))
  for (const spent of [zero, rows, combined]) spent.fill(0)
  const digest = messageDigest(extension, columnsDigest, { bits, rowsDigest })
  return { message: concat(columns, bits, rowsDigest), digest }
}

/**
 * The sender's rows q_j = t_j ^ x_j * delta, or null when the message has another length or is not
 * consistent: when the receiver used different choice bits in different columns.
 */
export function extendSend(
  setup: PairSetup,
  extension: Extension,
  message: Bytes,
): { rows: Uint32Array<ArrayBuffer>; digest: Bytes } | null {
  if (message.length !== rvoleReceiverMessageLength(extension.count)) return null
  const words = columnWords(extension.count)
  const columns = message.slice(0, columnsLength(extension.count))
  const bitsEnd = columns.length + CHECK_ROWS / 8
  const bits = message.slice(columns.length, bitsEnd)
  const rowsDigest = message.slice(bitsEnd, bitsEnd + DIGEST_LENGTH)
  const rows = senderRows(setup, extension, wordsOf(columns))
  const columnsDigest = digestOf(LABELS.challenge, extension, columns)
  const matrix = checkMatrix(columnsDigest.subarray(0, KEY_LENGTH), words)
  const combined = combineRows(matrix, rows)
  addOffset(combined, bits, setup.delta.expose())
  const expected = digestOf(LABELS.combination, extension, bytesOf(combined))
  combined.fill(0)
  if (!constantTimeEqual(expected, rowsDigest)) {
    rows.fill(0)
    return null
  }
  return { rows, digest: messageDigest(extension, columnsDigest, { bits, rowsDigest }) }
}

/** q^c = t^c_(delta_c) ^ delta_c * u^c, as rows. */
function senderRows(
  setup: PairSetup,
  extension: Extension,
  received: Uint32Array,
): Uint32Array<ArrayBuffer> {
  const words = columnWords(extension.count)
  const columns = columnsFrom(extension, setup.chosenSeeds)
  const delta = setup.delta.expose()
  for (let c = 0, at = 0; c < OT_COUNT; c++) {
    const mask = -((delta[c >> 3]! >> (c & 7)) & 1)
    for (let w = 0; w < words; w++, at++) columns[at]! ^= received[at]! & mask
  }
  const rows = rowsOf(columns, words)
  columns.fill(0)
  return rows
}

/** Adds delta to each row whose bit is one. */
function addOffset(rows: Uint32Array, bits: Uint8Array, delta: Bytes): void {
  const offset = wordsOf(delta)
  for (let at = 0, row = 0; at < rows.length; row++) {
    const mask = -((bits[row >> 3]! >> (row & 7)) & 1)
    for (let w = 0; w < ROW_WORDS; w++, at++) rows[at]! ^= offset[w]! & mask
  }
}
