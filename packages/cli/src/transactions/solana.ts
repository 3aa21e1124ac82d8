import { type Bytes, concat, equalBytes, Reader } from "@lockkeeper/encoding"

const SIGNATURE = 64
const PUBLIC_KEY = 32

/** Set on the first byte of a message that states its version. */
const VERSIONED = 0x80

/** A transaction on Solana's wire: who has to sign, and what they sign. */
export interface SolanaTransaction {
  /** The bytes that every signer signs, whole. */
  readonly message: Bytes
  /** Public keys in the order of their signatures. */
  readonly signers: readonly Bytes[]
  /** One for each signer; zeros where it is missing. */
  readonly signatures: readonly Bytes[]
}

/**
 * Reads a transaction as wallets hand it over, with zeros for the signatures it does not have yet.
 *
 * @throws DecodeError on anything else.
 */
export function readSolanaTransaction(encoded: Bytes): SolanaTransaction {
  const reader = new Reader(encoded)
  const signatures = many(reader, SIGNATURE)
  const message = reader.bytes(reader.remaining)
  const signers = signersOf(message)
  if (signers.length !== signatures.length) {
    reader.fail(`${signatures.length} signatures of ${signers.length} signers`, 0)
  }
  return { message, signers, signatures }
}

/** The transaction with one more signature, as nodes take it once none is missing. */
export function withSolanaSignature(
  { message, signers, signatures }: SolanaTransaction,
  publicKey: Bytes,
  signature: Bytes,
): Bytes {
  const own = signers.map((signer, i) =>
    equalBytes(signer, publicKey) ? signature : (signatures[i] as Bytes),
  )
  return concat(compactLength(own.length), ...own, message)
}

/** How many signers have not signed. */
export function missingSignatures({ signatures }: SolanaTransaction): number {
  return signatures.filter((signature) => signature.every((byte) => byte === 0)).length
}

/** The first accounts of a message are those that have to sign; its header says how many. */
function signersOf(message: Bytes): readonly Bytes[] {
  const reader = new Reader(message)
  const first = reader.u8()
  if (first > VERSIONED) reader.fail("a message of an unknown version", 0)
  const required = first === VERSIONED ? reader.u8() : first
  reader.bytes(2)
  const accounts = many(reader, PUBLIC_KEY)
  if (required === 0 || required > accounts.length) reader.fail("more signers than accounts")
  // Behind the accounts stands the hash of a recent block, then the instructions.
  reader.bytes(PUBLIC_KEY)
  return accounts.slice(0, required)
}

/** A list of values of one size behind Solana's compact length. */
function many(reader: Reader, size: number): readonly Bytes[] {
  const count = readCompactLength(reader)
  return Array.from({ length: count }, () => reader.bytes(size))
}

/** compact-u16: seven bits a byte, least first, in as few bytes as the number takes. */
function readCompactLength(reader: Reader): number {
  const start = reader.offset
  let value = 0
  for (let shift = 0; shift <= 14; shift += 7) {
    const byte = reader.u8()
    value |= (byte & 0x7f) << shift
    if ((byte & 0x80) !== 0) continue
    if ((byte === 0 && shift > 0) || value > 0xffff) break
    return value
  }
  return reader.fail("a length that is not canonical", start)
}

function compactLength(value: number): Bytes {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7) {
    if (rest < 0x80) return Uint8Array.of(...bytes, rest)
    bytes.push((rest & 0x7f) | 0x80)
  }
}
