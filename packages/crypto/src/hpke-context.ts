import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { chacha20Poly1305 } from "./aead.ts"
import { hkdfSha256Expand, hkdfSha256Extract } from "./hkdf.ts"

const VERSION = utf8("HPKE-v1")
const EMPTY = new Uint8Array(0)
const MODE_BASE = 0
const HKDF_SHA256 = 0x0001
const CHACHA20_POLY1305 = 0x0003

/** The identifiers of a suite: "HPKE" || kem || kdf || aead, each two bytes. */
function suiteId(kem: number): Bytes {
  const id = new Uint8Array(10)
  id.set(utf8("HPKE"))
  const view = new DataView(id.buffer)
  view.setUint16(4, kem)
  view.setUint16(6, HKDF_SHA256)
  view.setUint16(8, CHACHA20_POLY1305)
  return id
}

/** Messages of one direction in order: sender and receiver keep one each. */
export class HpkeContext {
  readonly #key: Bytes
  readonly #baseNonce: Bytes
  #sequence = 0

  constructor(key: Bytes, baseNonce: Bytes) {
    this.#key = key
    this.#baseNonce = baseNonce
  }

  /** base_nonce xor sequence (RFC 9180 Section 5.2), which never reaches 2^53. */
  #nonce(): Bytes {
    if (this.#sequence >= Number.MAX_SAFE_INTEGER) throw new RangeError("HPKE message limit")
    const nonce = new Uint8Array(this.#baseNonce)
    const view = new DataView(nonce.buffer)
    view.setBigUint64(4, view.getBigUint64(4) ^ BigInt(this.#sequence))
    return nonce
  }

  /** Seals the next message. */
  seal(aad: Uint8Array, plaintext: Uint8Array): Bytes {
    const sealed = chacha20Poly1305.seal(this.#key, this.#nonce(), aad, plaintext)
    this.#sequence++
    return sealed
  }

  /** Opens the next message; null leaves the position where it was. */
  open(aad: Uint8Array, sealed: Uint8Array): Bytes | null {
    const plaintext = chacha20Poly1305.open(this.#key, this.#nonce(), aad, sealed)
    if (plaintext !== null) this.#sequence++
    return plaintext
  }

  /** Overwrites the key: nothing can be sealed or opened after it. */
  wipe(): void {
    this.#key.fill(0)
    this.#baseNonce.fill(0)
    this.#sequence = Number.MAX_SAFE_INTEGER
  }
}

/**
 * KeySchedule of RFC 9180 Section 5.1 in base mode with HKDF-SHA256 and ChaCha20-Poly1305, for any
 * KEM: what remains of HPKE once a KEM has given its shared secret.
 */
export function hpkeKeySchedule(
  kem: number,
  sharedSecret: Uint8Array,
  info: Uint8Array,
): { key: Bytes; baseNonce: Bytes } {
  const suite = suiteId(kem)
  const extract = (salt: Uint8Array, label: string, input: Uint8Array) =>
    hkdfSha256Extract(salt, concat(VERSION, suite, utf8(label), input))
  const expand = (key: Uint8Array, label: string, context: Uint8Array, length: number) =>
    hkdfSha256Expand(
      key,
      concat(Uint8Array.of(length >> 8, length & 255), VERSION, suite, utf8(label), context),
      length,
    )
  const pskIdHash = extract(EMPTY, "psk_id_hash", EMPTY)
  const infoHash = extract(EMPTY, "info_hash", info)
  const context = concat(Uint8Array.of(MODE_BASE), pskIdHash, infoHash)
  const secret = extract(sharedSecret, "secret", EMPTY)
  const key = expand(secret, "key", context, chacha20Poly1305.keyLength)
  const baseNonce = expand(secret, "base_nonce", context, chacha20Poly1305.nonceLength)
  secret.fill(0)
  return { key, baseNonce }
}
