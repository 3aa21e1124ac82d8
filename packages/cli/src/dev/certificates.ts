import {
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto"
import { isIP } from "node:net"
import {
  bitString,
  bool,
  type Der,
  explicit,
  implicit,
  integer,
  objectId,
  octets,
  sequence,
  set,
  text,
  time,
} from "./der.ts"

/** A certificate with its private key, both PEM. */
export interface Certified {
  readonly certificate: string
  readonly privateKey: string
}

interface Subject {
  readonly name: string
  readonly publicKey: KeyObject
  readonly extensions: readonly Der[]
}

const DAY_MS = 24 * 60 * 60 * 1000
const ECDSA_SHA256 = sequence(objectId("1.2.840.10045.4.3.2"))
const COMMON_NAME = "2.5.4.3"
const BASIC_CONSTRAINTS = "2.5.29.19"
const KEY_USAGE = "2.5.29.15"
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
const EXTENDED_KEY_USAGE = "2.5.29.37"
const SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"

/**
 * A certificate authority for one local cluster. Node makes no certificates, so the few fields of
 * RFC 5280 that TLS needs are written out here. ECDSA P-256, because browsers take no Ed25519.
 */
export class Authority {
  readonly certificate: string
  readonly #privateKey: KeyObject
  readonly #name: string
  readonly #now: number

  /** @param now - milliseconds since the Unix epoch; certificates start an hour before. */
  constructor(name: string, now: number) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    this.#name = name
    this.#now = now
    this.#privateKey = privateKey
    const extensions = [
      extension(BASIC_CONSTRAINTS, true, sequence(bool(true), integer(Uint8Array.of(0)))),
      // keyCertSign is bit 5: 0x04, and two unused bits behind it.
      extension(KEY_USAGE, true, bitString(Uint8Array.of(0x04), 2)),
    ]
    this.certificate = this.#issue({ name, publicKey, extensions })
  }

  /** A server's certificate for these host names and addresses. */
  certify(name: string, hosts: readonly string[]): Certified {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const names = hosts.map((host) =>
      isIP(host) === 0 ? implicit(2, text(host)) : implicit(7, octets(addressBytes(host))),
    )
    const extensions = [
      extension(BASIC_CONSTRAINTS, true, sequence()),
      // digitalSignature is bit 0: 0x80, and seven unused bits behind it.
      extension(KEY_USAGE, true, bitString(Uint8Array.of(0x80), 7)),
      extension(EXTENDED_KEY_USAGE, false, sequence(objectId(SERVER_AUTHENTICATION))),
      extension(SUBJECT_ALTERNATIVE_NAME, false, sequence(...names)),
    ]
    return {
      certificate: this.#issue({ name, publicKey, extensions }),
      privateKey: privateKey.export({ format: "pem", type: "pkcs8" }) as string,
    }
  }

  #issue({ name, publicKey, extensions }: Subject): string {
    const serial = randomBytes(16)
    // A positive integer without a leading zero octet.
    serial[0] = ((serial[0] as number) & 0x3f) | 0x40
    const body = sequence(
      explicit(0, integer(Uint8Array.of(2))),
      integer(serial),
      ECDSA_SHA256,
      distinguishedName(this.#name),
      sequence(time(this.#now - DAY_MS / 24), time(this.#now + 365 * DAY_MS)),
      distinguishedName(name),
      new Uint8Array(publicKey.export({ format: "der", type: "spki" })),
      explicit(3, sequence(...extensions)),
    )
    const signature = new Uint8Array(sign("sha256", body, this.#privateKey))
    const der = sequence(body, ECDSA_SHA256, bitString(signature, 0))
    return new X509Certificate(der).toString()
  }
}

function distinguishedName(name: string): Der {
  return sequence(set(sequence(objectId(COMMON_NAME), text(name, "utf8"))))
}

function extension(id: string, critical: boolean, value: Der): Der {
  const flag = critical ? [bool(true)] : []
  return sequence(objectId(id), ...flag, octets(value))
}

function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split(".").map(Number))
  if (address === "::1") return Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0))
  throw new RangeError(`cannot write the address ${address} into a certificate`)
}
