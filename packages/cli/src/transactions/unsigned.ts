import { readFileSync, statSync } from "node:fs"
import type { Readable } from "node:stream"
import { type KeyType, LockKeeperError, MAX_TRANSACTION } from "@lockkeeper/api"
import { type Bytes, concat, fromHex } from "@lockkeeper/encoding"

export const FORMATS = ["evm", "psbt", "solana"] as const
export type Format = (typeof FORMATS)[number]

/** What a format is called for people. */
export const FORMAT_NAMES: Readonly<Record<Format, string>> = {
  evm: "EVM transactions",
  psbt: "Bitcoin PSBTs",
  solana: "Solana transactions",
}

/** What keys of a type can sign, the most usual first. */
const FORMATS_OF: Readonly<Record<KeyType, readonly Format[]>> = {
  "ecdsa-secp256k1": ["evm", "psbt"],
  bip340: ["psbt"],
  ed25519: ["solana"],
}

/** "psbt" and 0xff: how every PSBT begins (BIP174). */
const PSBT_MAGIC = [0x70, 0x73, 0x62, 0x74, 0xff]

/** Hexadecimal text is twice as long as what it stands for, and a line may end it. */
const MAX_FILE = 2 * MAX_TRANSACTION + 16

/** An unsigned transaction and what it is. */
export interface Unsigned {
  readonly format: Format
  readonly bytes: Bytes
}

/**
 * The bytes of a file, or of standard input for `-`: binary, hexadecimal or base64.
 *
 * @throws LockKeeperError `too-large`, or `invalid-request` when there is nothing.
 */
export async function readUnsigned(source: string, input: Readable): Promise<Bytes> {
  const content = source === "-" ? await readAll(input) : readFile(source)
  const bytes = binaryOf(content)
  if (bytes.length === 0) {
    throw new LockKeeperError("invalid-request", "The transaction is empty.", {
      field: "file",
      remedy: "Pass a file with it, or - and the transaction on standard input.",
    })
  }
  if (bytes.length > MAX_TRANSACTION) throw tooLarge()
  return bytes
}

/**
 * What the bytes are, for a key of this type.
 *
 * @param stated - the format the person named, or null to see from the bytes.
 * @throws LockKeeperError `invalid-request` when keys of the type do not sign it.
 */
export function formatOf(bytes: Bytes, keyType: KeyType, stated: Format | null): Format {
  const possible = FORMATS_OF[keyType]
  const isPsbt = PSBT_MAGIC.every((byte, i) => bytes[i] === byte)
  const usual = possible[0] as Format
  const format = stated ?? (isPsbt ? "psbt" : usual)
  if (possible.includes(format)) return format
  const names = possible.map((name) => FORMAT_NAMES[name]).join(" and ")
  throw new LockKeeperError(
    "invalid-request",
    `A key of type ${keyType} signs ${names}, no ${FORMAT_NAMES[format]}.`,
    { field: "format", remedy: "Name a key of another type: see `lockkeeper keys list`." },
  )
}

function readFile(path: string): Bytes {
  if (statSync(path).size > MAX_FILE) throw tooLarge()
  return new Uint8Array(readFileSync(path))
}

async function readAll(input: Readable): Promise<Bytes> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of input) {
    parts.push(part as Uint8Array)
    length += (part as Uint8Array).length
    if (length > MAX_FILE) throw tooLarge()
  }
  return concat(...parts)
}

/** No transaction in binary is text: each begins with or holds a byte that text does not have. */
function binaryOf(content: Bytes): Bytes {
  const text = Buffer.from(content).toString("latin1").trim()
  const digits = text.replace(/^0x/, "")
  if (/^([0-9a-fA-F]{2})*$/.test(digits)) return fromHex(digits.toLowerCase())
  if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(text)) return content
  return new Uint8Array(Buffer.from(text, "base64"))
}

function tooLarge(): LockKeeperError {
  const message = `The transaction is longer than ${MAX_TRANSACTION} bytes.`
  return new LockKeeperError("too-large", message, {
    field: "file",
    remedy: "Split it: with fewer inputs, or less data.",
  })
}
