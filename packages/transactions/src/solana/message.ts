import { type Bytes, DecodeError, Reader } from "@lockkeeper/encoding"
import { base58 } from "@scure/base"

/** A compiled message: what every signer of a transaction signs, whole. */
export interface SolanaMessage {
  readonly version: "legacy" | 0
  readonly accounts: readonly SolanaAccount[]
  /** How many of the accounts sign; they come first. */
  readonly signers: number
  /** Of a recent block, or what a nonce account holds. */
  readonly blockhash: string
  readonly instructions: readonly SolanaInstruction[]
  readonly lookups: readonly AddressLookup[]
}

export interface SolanaAccount {
  /** In base58. */
  readonly address: string
  readonly signs: boolean
  readonly writable: boolean
}

export interface SolanaInstruction {
  readonly program: string
  /** As the message names them: static ones by address, others by table and index. */
  readonly accounts: readonly string[]
  readonly data: Bytes
}

/** Accounts that stand in a table on chain, whose contents nobody signs. */
export interface AddressLookup {
  readonly table: string
  readonly writable: Bytes
  readonly readonly: Bytes
}

const PUBLIC_KEY = 32

/** Set on the first byte of a message that states its version. */
const VERSIONED = 0x80

/** A transaction has to fit into one packet. */
const MAX_BYTES = 1232

/** An index of an account is one byte. */
const MAX_ACCOUNTS = 256

/**
 * Reads a legacy message or one of version 0, in the one encoding that it has.
 *
 * @throws DecodeError with the path of what is at fault: lengths in more bytes than they take, trailing
 *   bytes, accounts that are there twice or nowhere, headers that contradict them.
 */
export function readSolanaMessage(bytes: Uint8Array): SolanaMessage {
  if (bytes.length > MAX_BYTES) throw new DecodeError(`more than ${MAX_BYTES} bytes`, MAX_BYTES)
  const reader = new Reader(bytes)
  const first = reader.within("version", () => {
    const byte = reader.u8()
    return byte > VERSIONED ? reader.fail("neither legacy nor 0", 0) : byte
  })
  const version = first === VERSIONED ? 0 : "legacy"
  const { signers, accounts } = reader.within("accounts", () => {
    const required = version === 0 ? reader.u8() : first
    return { signers: required, accounts: readAccounts(reader, required) }
  })
  const blockhash = reader.within("blockhash", () => base58.encode(reader.bytes(PUBLIC_KEY)))
  const raw = many(reader, "instructions", () => ({
    at: reader.offset,
    program: reader.u8(),
    accounts: reader.within("accounts", () => reader.bytes(readCompactLength(reader))),
    data: reader.within("data", () => reader.bytes(readCompactLength(reader))),
  }))
  const lookups = version === 0 ? readLookups(reader) : []
  reader.end()
  if (raw.length === 0) throw new DecodeError("none", 0, "instructions")
  const names = [...accounts.map(({ address }) => address), ...lookedUp(lookups)]
  if (names.length > MAX_ACCOUNTS) throw new DecodeError(`more than ${MAX_ACCOUNTS}`, 0, "accounts")
  const instructions = raw.map(({ at, program, accounts: indices, data }, index) => {
    const path = `instructions.${index}`
    // The payer signs, and no program does; programs may not come from tables.
    if (program === 0 || program >= accounts.length) {
      throw new DecodeError("no account that can be a program", at, `${path}.program`)
    }
    const used = [...indices].map((account, i) => {
      const name = names[account]
      if (name !== undefined) return name
      throw new DecodeError("no such account", at, `${path}.accounts.${i}`)
    })
    return { program: names[program] as string, accounts: used, data }
  })
  return { version, accounts, signers, blockhash, instructions, lookups }
}

function readAccounts(reader: Reader, required: number): readonly SolanaAccount[] {
  const start = reader.offset
  const [readonlySigned, readonlyUnsigned] = [reader.u8(), reader.u8()]
  const count = readCompactLength(reader)
  if (required === 0) reader.fail("nobody signs", start)
  if (readonlySigned >= required) reader.fail("no signer that can pay", start)
  if (required + readonlyUnsigned > count) reader.fail("fewer than the header says", start)
  const seen = new Set<string>()
  return Array.from({ length: count }, (_, index) =>
    reader.within(String(index), () => {
      const at = reader.offset
      const address = base58.encode(reader.bytes(PUBLIC_KEY))
      if (seen.has(address)) reader.fail("there twice", at)
      seen.add(address)
      const signs = index < required
      const writable = index < (signs ? required - readonlySigned : count - readonlyUnsigned)
      return { address, signs, writable }
    }),
  )
}

function readLookups(reader: Reader): readonly AddressLookup[] {
  const tables = new Set<string>()
  return many(reader, "lookups", () => {
    const at = reader.offset
    const table = base58.encode(reader.bytes(PUBLIC_KEY))
    const writable = reader.bytes(readCompactLength(reader))
    const readonly = reader.bytes(readCompactLength(reader))
    const indices = [...writable, ...readonly]
    if (indices.length === 0) reader.fail("no account of the table", at)
    if (tables.has(table) || new Set(indices).size < indices.length) reader.fail("there twice", at)
    tables.add(table)
    return { table, writable, readonly }
  })
}

/** Names for accounts in the order in which indices count them: all writable ones first. */
function lookedUp(lookups: readonly AddressLookup[]): readonly string[] {
  const named = (which: "writable" | "readonly") =>
    lookups.flatMap((lookup) => [...lookup[which]].map((index) => `${lookup.table}[${index}]`))
  return [...named("writable"), ...named("readonly")]
}

/** Values behind Solana's compact length, each named by its index in errors. */
function many<T>(reader: Reader, path: string, read: () => T): readonly T[] {
  return reader.within(path, () => {
    const count = readCompactLength(reader)
    return Array.from({ length: count }, (_, i) => reader.within(String(i), read))
  })
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
