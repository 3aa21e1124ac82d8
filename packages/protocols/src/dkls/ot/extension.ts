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

function matrixFor(extension: Extension, columns: Bytes): Uint32Array<ArrayBuffer> {
  const digest = sha256(columns)
  const key = hashValue(LABELS.challenge, digestedCodec, { ...extension, digest })
  return checkMatrix(key.subarray(0, KEY_LENGTH), columnWords(extension.count))
}

function combinationDigest(extension: Extension, combined: Uint32Array<ArrayBuffer>): Bytes {
  const digest = sha256(bytesOf(combined))
  return hashValue(LABELS.combination, digestedCodec, { ...extension, digest })
}

/** What both ends' later hashes bind of the receiver's message. */
export function messageDigest(extension: Extension, message: Bytes): Bytes {
  const digest = sha256(message)
  return hashValue(LABELS.receiverMessage, digestedCodec, { ...extension, digest })
}

/** The receiver's rows t_j, one for each transfer. The caller wipes them. */
export function receiverRows(setup: PairSetup, extension: Extension): Uint32Array<ArrayBuffer> {
  const columns = columnsFrom(extension, setup.zeroSeeds)
  const rows = rowsOf(columns, columnWords(extension.count))
  columns.fill(0)
  return rows
}

/**
 * The receiver's message: u^c = t0^c ^ t1^c ^ x for every column c, the combined choice bits and the
 * digest of the combined rows, where SoftSpokenOT sends the combined rows themselves.
 *
 * @param choice - x, one uniform bit for each transfer, those that mask the check included.
 */
export function extendReceive(setup: PairSetup, extension: Extension, choice: Bytes): Bytes {
  const words = columnWords(extension.count)
  const zero = columnsFrom(extension, setup.zeroSeeds)
  const sent = columnsFrom(extension, setup.oneSeeds)
  const x = wordsOf(choice)
  for (let c = 0, at = 0; c < OT_COUNT; c++) {
    for (let w = 0; w < words; w++, at++) {
      sent[at]! ^= zero[at]! ^ x[w]!
    }
  }
  const rows = rowsOf(zero, words)
  const columns = bytesOf(sent)
  const matrix = matrixFor(extension, columns)
  const combined = combineRows(matrix, rows)
  const digest = combinationDigest(extension, combined)
  for (const spent of [zero, rows, combined]) spent.fill(0)
  return concat(columns, combineBits(matrix, choice), digest)
}

/**
 * The sender's rows q_j = t_j ^ x_j * delta, or null when the message has another length or is not
 * consistent: when the receiver used different choice bits in different columns.
 */
export function extendSend(
  setup: PairSetup,
  extension: Extension,
  message: Bytes,
): Uint32Array<ArrayBuffer> | null {
  if (message.length !== rvoleReceiverMessageLength(extension.count)) return null
  const words = columnWords(extension.count)
  const columns = new Uint8Array(message.subarray(0, columnsLength(extension.count)))
  const received = wordsOf(columns)
  const own = columnsFrom(extension, setup.chosenSeeds)
  const delta = setup.delta.expose()
  // q^c = t^c_delta_c ^ delta_c * u^c
  for (let c = 0, at = 0; c < OT_COUNT; c++) {
    const mask = -((delta[c >> 3]! >> (c & 7)) & 1)
    for (let w = 0; w < words; w++, at++) {
      own[at]! ^= received[at]! & mask
    }
  }
  const rows = rowsOf(own, words)
  own.fill(0)
  const combined = combineRows(matrixFor(extension, columns), rows)
  const bits = message.subarray(columns.length, columns.length + CHECK_ROWS / 8)
  addOffset(combined, bits, delta)
  const consistent = constantTimeEqual(
    combinationDigest(extension, combined),
    message.subarray(columns.length + bits.length),
  )
  combined.fill(0)
  if (consistent) return rows
  rows.fill(0)
  return null
}

/** Adds delta to each row whose bit is one. */
function addOffset(rows: Uint32Array, bits: Uint8Array, delta: Bytes): void {
  const offset = wordsOf(delta)
  for (let at = 0, row = 0; at < rows.length; row++) {
    const mask = -((bits[row >> 3]! >> (row & 7)) & 1)
    for (let w = 0; w < ROW_WORDS; w++, at++) {
      rows[at]! ^= offset[w]! & mask
    }
  }
}
