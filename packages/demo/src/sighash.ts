import { createHash } from "node:crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"

/** One input as BIP341 hashes it: the outpoint and the output that it spends. */
export interface SpentOutput {
  /** Transaction id in the order in which it is serialised, the reverse of how it is shown. */
  readonly txid: Bytes
  readonly index: number
  readonly sequence: number
  readonly amount: bigint
  readonly script: Bytes
}

/** One output: an amount in satoshi and a script. */
export interface Output {
  readonly amount: bigint
  readonly script: Bytes
}

/** What a key-path spend with SIGHASH_DEFAULT commits to. */
export interface KeyPathSpend {
  readonly version: number
  readonly lockTime: number
  readonly inputs: readonly SpentOutput[]
  readonly outputs: readonly Output[]
}

/**
 * The 32 bytes that a Taproot key-path signature with SIGHASH_DEFAULT signs (BIP341, "Common
 * signature message"). Written from the BIP and not from a library, so that the library's own value
 * is a second opinion. No annex, no script path.
 */
export function keyPathSighash(spend: KeyPathSpend, inputIndex: number): Bytes {
  const { inputs, outputs } = spend
  const message = concat(
    Uint8Array.of(0x00), // hash_type: SIGHASH_DEFAULT
    u32(spend.version),
    u32(spend.lockTime),
    sha256(...inputs.map((input) => concat(input.txid, u32(input.index)))),
    sha256(...inputs.map((input) => u64(input.amount))),
    sha256(...inputs.map((input) => sizedScript(input.script))),
    sha256(...inputs.map((input) => u32(input.sequence))),
    sha256(...outputs.map((output) => concat(u64(output.amount), sizedScript(output.script)))),
    Uint8Array.of(0x00), // spend_type: key path, no annex
    u32(inputIndex),
  )
  const tag = sha256(utf8("TapSighash"))
  const epoch = Uint8Array.of(0x00)
  return sha256(tag, tag, epoch, message)
}

function sha256(...parts: readonly Uint8Array[]): Bytes {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

function u32(value: number): Bytes {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

function u64(value: bigint): Bytes {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}

/** A script behind its CompactSize length; ours are all under 253 bytes. */
function sizedScript(script: Bytes): Bytes {
  if (script.length >= 0xfd) throw new RangeError("script longer than 252 bytes")
  return concat(Uint8Array.of(script.length), script)
}
