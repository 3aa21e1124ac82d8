/**
 * The extension and the multiplication a second time, bit by bit with bigints and one cipher for
 * each block, from the formulas of the README. Slow; also the attacker of the tests, who deviates
 * by its hooks and is honest everywhere else, so that all its hashes are right.
 */
import { createCipheriv, createHash, hkdfSync } from "node:crypto"
import { hashValue, hashValueToScalar, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  concat,
  fixedBytes,
  list,
  struct,
  u8,
  u16,
} from "@lockkeeper/encoding"
import type { PairSetup, RvoleInput } from "../src/dkls/ot/index.ts"

const COLUMNS = 128
const ITEM_ROWS = 416
const MASK_ROWS = 128
export const ORDER = secp256k1.order

const digest = fixedBytes(32)
const sha256 = (content: Uint8Array) =>
  new Uint8Array(createHash("sha256").update(content).digest())

export function toInteger(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(littleEndian).reverse().toString("hex")}`)
}

export function toLittleEndian(value: bigint, length: number): Bytes {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * length, "0"), "hex").reverse())
}

function bit(value: bigint, index: number): bigint {
  return (value >> BigInt(index)) & 1n
}

function mod(value: bigint): bigint {
  return ((value % ORDER) + ORDER) % ORDER
}

type Hash = (x: bigint, number: number, block: number) => bigint

/** H(x, i) with i = (number, block): pi(pi(x) ^ i) ^ pi(x), with AES-128 under `key` as pi. */
function tmmo(key: Bytes): Hash {
  const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false)
  const pi = (input: bigint) => toInteger(cipher.update(toLittleEndian(input, 16)))
  return (x, number, block) => {
    const permuted = pi(x)
    return pi(permuted ^ BigInt(number) ^ (BigInt(block) << 32n)) ^ permuted
  }
}

interface Extension {
  readonly setupDigest: Bytes
  readonly context: Bytes
  readonly count: number
}
const extensionFields = { setupDigest: digest, context: digest, count: u8 }
const extensionCodec: Codec<Extension> = struct<Extension>(extensionFields)
const digestedCodec = struct<Extension & { digest: Bytes }>({ ...extensionFields, digest })

function digestOf(label: string, extension: Extension, content: Uint8Array): Bytes {
  return hashValue(label, digestedCodec, { ...extension, digest: sha256(content) })
}

const rowsOf = (count: number) => ITEM_ROWS * count + MASK_ROWS

/** The generator's output for every seed. */
function expanded(extension: Extension, seeds: Bytes): bigint[] {
  const hash = tmmo(hashValue("dkls/ot/extension/columns", extensionCodec, extension).slice(0, 16))
  const rows = rowsOf(extension.count)
  return Array.from({ length: COLUMNS }, (_, c) => {
    const seed = toInteger(seeds.subarray(16 * c, 16 * c + 16))
    let bits = 0n
    for (let block = 0; block * 128 < rows; block++) {
      bits |= hash(seed, c, block) << BigInt(128 * block)
    }
    return BigInt.asUintN(rows, bits)
  })
}

/** Row j has bit j of every column. */
function transposed(columns: readonly bigint[], rows: number): bigint[] {
  return Array.from({ length: rows }, (_, j) =>
    columns.reduce((row, bits, c) => row | (bit(bits, j) << BigInt(c)), 0n),
  )
}

/** The 128 combinations of the rows, or of bits as rows of one column. */
function combined(columnsDigest: Bytes, rows: readonly bigint[]): bigint[] {
  const free = rows.length - MASK_ROWS
  const cipher = createCipheriv("aes-128-ctr", columnsDigest.slice(0, 16), Buffer.alloc(16))
  const stream = cipher.update(Buffer.alloc(free * 16))
  return Array.from({ length: MASK_ROWS }, (_, a) => {
    let sum = rows[free + a]!
    for (let j = 0; j < free; j++) {
      const word = stream.readUInt32LE(4 * (MASK_ROWS * Math.floor(j / 32) + a))
      if ((word >>> (j % 32)) & 1) sum ^= rows[j]!
    }
    return sum
  })
}

/** The choice bits that the honest receiver derives. */
export function referenceChoice(extension: Extension, randomness: Bytes): bigint {
  const salt = hashValue("dkls/ot/rvole/choice", extensionCodec, extension)
  return toInteger(
    new Uint8Array(hkdfSync("sha512", randomness, salt, salt, rowsOf(extension.count) / 8)),
  )
}

export interface ReferenceReceived {
  readonly message: Bytes
  readonly digest: Bytes
  readonly choice: bigint
}

/** @param choiceOf - the choice bits that go into one column; the same in all, if honest. */
export function referenceReceive(
  setup: PairSetup,
  context: Bytes,
  count: number,
  choice: bigint,
  choiceOf: (c: number) => bigint = () => choice,
): ReferenceReceived {
  const extension = { setupDigest: setup.setupDigest, context, count }
  const rows = rowsOf(count)
  const zero = expanded(extension, setup.zeroSeeds.expose())
  const one = expanded(extension, setup.oneSeeds.expose())
  const sent = zero.map((bits, c) => bits ^ one[c]! ^ choiceOf(c))
  const columns = concat(...sent.map((bits) => toLittleEndian(bits, rows / 8)))
  const columnsDigest = digestOf("dkls/ot/extension/challenge", extension, columns)
  const rowSums = combined(columnsDigest, transposed(zero, rows))
  const choiceRows = Array.from({ length: rows }, (_, j) => bit(choice, j))
  const choiceSum = combined(columnsDigest, choiceRows).reduce(
    (sum, value, a) => sum | (value << BigInt(a)),
    0n,
  )
  const bits = toLittleEndian(choiceSum, 16)
  const rowBytes = concat(...rowSums.map((row) => toLittleEndian(row, 16)))
  const rowsDigest = digestOf("dkls/ot/extension/combination", extension, rowBytes)
  const message = concat(columns, bits, rowsDigest)
  const whole = concat(columnsDigest, bits, rowsDigest)
  const digest = digestOf("dkls/ot/extension/message", extension, whole)
  return { message, digest, choice }
}

/** The digest of a message, as both ends compute it. */
export function referenceDigest(extension: Extension, message: Bytes): Bytes {
  const columns = message.subarray(0, -48)
  const columnsDigest = digestOf("dkls/ot/extension/challenge", extension, columns)
  const whole = concat(columnsDigest, message.subarray(-48))
  return digestOf("dkls/ot/extension/message", extension, whole)
}

interface Occasion {
  readonly setupDigest: Bytes
  readonly receiverContext: Bytes
  readonly senderContext: Bytes
  readonly count: number
  readonly receiverDigest: Bytes
}
interface Transcript extends Occasion {
  readonly salt: Bytes
}
const occasionFields = {
  setupDigest: digest,
  receiverContext: digest,
  senderContext: digest,
  count: u8,
  receiverDigest: digest,
}
const fields = { ...occasionFields, salt: digest }
const saltCodec = struct<Occasion & { inputs: readonly RvoleInput[]; randomness: Bytes }>({
  ...occasionFields,
  inputs: list(struct<RvoleInput>({ r: secp256k1.scalar, sk: secp256k1.scalar }), 16),
  randomness: digest,
})
const transcriptCodec = struct<Transcript>(fields)

function padHash(transcript: Transcript): Hash {
  return tmmo(hashValue("dkls/ot/rvole/pads", transcriptCodec, transcript).slice(0, 16))
}

/** Three values below 2^256 from row j of the whole batch. */
function padsOf(hash: Hash, row: bigint, j: number): bigint[] {
  const blocks = [0, 1, 2, 3, 4, 5].map((block) => hash(row, j, block))
  return [0, 2, 4].map((b) => blocks[b]! | (blocks[b + 1]! << 128n))
}

function thetasOf(transcript: Transcript, corrections: Bytes): bigint[] {
  const codec = struct<Transcript & { corrections: Bytes; index: number }>({
    ...fields,
    corrections: digest,
    index: u8,
  })
  return [0, 1].map((index) =>
    secp256k1.scalarToInteger(
      hashValueToScalar(secp256k1, "dkls/ot/rvole/theta", codec, {
        ...transcript,
        corrections: sha256(corrections),
        index,
      }),
    ),
  )
}

export const GADGET: readonly bigint[] = Array.from({ length: ITEM_ROWS }, (_, j) =>
  secp256k1.scalarToInteger(hashValueToScalar(secp256k1, "dkls/ot/rvole/gadget", u16, j)),
)

/** The sums over j of g_j * row_j of every item, in one column. */
function outputs(rows: readonly bigint[][], column: number): bigint[] {
  const count = rows.length / ITEM_ROWS
  return Array.from({ length: count }, (_, k) =>
    mod(GADGET.reduce((sum, g, j) => sum + g * rows[k * ITEM_ROWS + j]![column]!, 0n)),
  )
}

/**
 * What a malicious sender may do differently. Values need not be reduced: they are sent as given.
 */
export interface SenderHooks {
  /** r, sk and the mask of one row of the batch, given its pads and the honest values. */
  readonly row?: (honest: bigint[], j: number) => bigint[]
  /** A correction as it is sent. */
  readonly correction?: (honest: bigint, j: number, column: number, zeroPad: bigint) => bigint
  /** u as it is sent. */
  readonly combined?: (honest: bigint, k: number) => bigint
}

export interface ReferenceSent {
  readonly cu: bigint[]
  readonly cv: bigint[]
  readonly message: Bytes
}

/** The sender's answer to a message that it takes for consistent. */
export function referenceSend(
  setup: PairSetup,
  options: {
    readonly receiverContext: Bytes
    readonly senderContext: Bytes
    readonly inputs: readonly RvoleInput[]
    readonly randomness: Bytes
  },
  receiverMessage: Bytes,
  hooks: SenderHooks = {},
): ReferenceSent {
  const { receiverContext, senderContext, inputs, randomness } = options
  const count = inputs.length
  const { setupDigest } = setup
  const extension = { setupDigest, context: receiverContext, count }
  const receiverDigest = referenceDigest(extension, receiverMessage)
  const occasion = { setupDigest, receiverContext, senderContext, count, receiverDigest }
  const saltInput = { ...occasion, inputs, randomness }
  const salt = hashValueToScalar(secp256k1, "dkls/ot/rvole/salt", saltCodec, saltInput)
  const transcript = { ...occasion, salt }
  const hash = padHash(transcript)
  const delta = toInteger(setup.delta.expose())
  const rows = senderRows(setup, extension, receiverMessage)
  const maskCodec = struct<Transcript & { randomness: Bytes; index: number }>({
    ...fields,
    randomness: digest,
    index: u8,
  })
  const values = inputs.map(({ r, sk }, index) => [
    ...[r, sk].map((scalar: Scalar) => secp256k1.scalarToInteger(scalar)),
    secp256k1.scalarToInteger(
      hashValueToScalar(secp256k1, "dkls/ot/rvole/mask", maskCodec, {
        ...transcript,
        randomness,
        index,
      }),
    ),
  ])
  const used = rows.slice(0, ITEM_ROWS * count)
  const pads = used.map((row, j) => padsOf(hash, row, j))
  const corrections = used.map((row, j) => {
    const honest = values[Math.floor(j / ITEM_ROWS)]!
    const added = hooks.row?.(honest, j) ?? honest
    const other = padsOf(hash, row ^ delta, j)
    return pads[j]!.map((pad, i) => {
      const correction = mod(pad - other[i]! + added[i]!)
      return hooks.correction?.(correction, j, i, pad) ?? correction
    })
  })
  const bytes = concat(...corrections.flat().map((value) => toLittleEndian(value, 32)))
  const [first, second] = thetasOf(transcript, bytes) as [bigint, bigint]
  const combinedInputs = values.map(([r, sk, mask], k) => {
    const u = mod(mask! + first * r! + second * sk!)
    return toLittleEndian(hooks.combined?.(u, k) ?? u, 32)
  })
  const checks = pads.map(([x, y, z]) => toLittleEndian(mod(z! + first * x! + second * y!), 32))
  const checkCodec = struct<Transcript & { rows: Bytes }>({ ...fields, rows: digest })
  const mu = hashValue("dkls/ot/rvole/multiplication", checkCodec, {
    ...transcript,
    rows: sha256(concat(...checks)),
  })
  return {
    cu: outputs(pads, 0).map((sum) => mod(-sum)),
    cv: outputs(pads, 1).map((sum) => mod(-sum)),
    message: concat(bytes, ...combinedInputs, salt, mu),
  }
}

/** q^c = t^c_(delta_c) ^ delta_c * u^c, as rows. */
function senderRows(setup: PairSetup, extension: Extension, message: Bytes): bigint[] {
  const rows = rowsOf(extension.count)
  const delta = toInteger(setup.delta.expose())
  const chosen = expanded(extension, setup.chosenSeeds.expose())
  const columns = chosen.map((bits, c) => {
    const received = toInteger(message.subarray((c * rows) / 8, ((c + 1) * rows) / 8))
    return bits ^ (bit(delta, c) * received)
  })
  return transposed(columns, rows)
}

/** The receiver's outputs, without any check. */
export function referenceFinish(
  setup: PairSetup,
  received: ReferenceReceived,
  options: { receiverContext: Bytes; senderContext: Bytes; count: number },
  senderMessage: Bytes,
): { du: bigint[]; dv: bigint[] } {
  const { receiverContext, senderContext, count } = options
  const { setupDigest } = setup
  const extension = { setupDigest, context: receiverContext, count }
  const receiverDigest = received.digest
  const occasion = { setupDigest, receiverContext, senderContext, count, receiverDigest }
  const hash = padHash({ ...occasion, salt: senderMessage.slice(-64, -32) })
  const zero = expanded(extension, setup.zeroSeeds.expose())
  const rows = transposed(zero, rowsOf(count)).slice(0, ITEM_ROWS * count)
  const shares = rows.map((row, j) =>
    padsOf(hash, row, j).map((pad, i) => {
      const start = 96 * j + 32 * i
      const correction = toInteger(senderMessage.subarray(start, start + 32))
      return mod(pad + bit(received.choice, j) * correction)
    }),
  )
  return { du: outputs(shares, 0), dv: outputs(shares, 1) }
}
