import {
  decodeCredential,
  LockKeeperError,
  type OperatorCredential,
  type SignedCredential,
  signedCredentialCodec,
  verifyCredential,
} from "@lockkeeper/api"
import { type Bytes, DecodeError, decode, equalBytes } from "@lockkeeper/encoding"
import { RENEWAL_MARGIN_MS } from "../limits.ts"
import type { Servers } from "../servers.ts"

/**
 * Has the operator's own server certify a key: over its control socket, or in the same process.
 *
 * @param publicKey - Ed25519, 32 bytes.
 * @returns the encoded SignedCredential.
 */
export type Certify = (publicKey: Bytes) => Promise<Uint8Array>

interface Held {
  readonly signed: SignedCredential
  readonly said: OperatorCredential
}

/** The credential that sessions are opened with, asked for anew before it expires. */
export class Credentials {
  readonly #servers: Servers
  readonly #publicKey: Bytes
  readonly #certify: Certify
  #held: Held | null = null
  #asking: Promise<Held> | null = null

  constructor(servers: Servers, publicKey: Bytes, certify: Certify) {
    this.#servers = servers
    this.#publicKey = publicKey
    this.#certify = certify
  }

  /** @throws LockKeeperError what `certify` throws, or that what it gave is no use here. */
  async current(): Promise<Held> {
    const held = this.#held
    const now = this.#servers.deps.clock.now()
    if (held !== null && now < held.said.expiresAt - RENEWAL_MARGIN_MS) return held
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #ask(): Promise<Held> {
    const encoded = await this.#certify(this.#publicKey.slice())
    this.#held = checkCredential(this.#servers, this.#publicKey, encoded)
    return this.#held
  }
}

/** Every server would refuse it too; here it is said of which field, and once. */
function checkCredential(
  { trust: { roster } }: Servers,
  publicKey: Bytes,
  encoded: Uint8Array,
): Held {
  const signed = wellFormed(() => decode(signedCredentialCodec, encoded))
  const said = wellFormed(() => decodeCredential(signed))
  if (!equalBytes(said.operatorKey, publicKey)) {
    throw unusable("operatorKey", "The credential is for another key.")
  }
  if (said.rosterEpoch !== roster.rosterEpoch) {
    const { rosterEpoch } = said
    throw new LockKeeperError(
      "wrong-roster",
      `The certifying server follows roster ${rosterEpoch}, and ${roster.rosterEpoch} is trusted here.`,
      { field: "credential.rosterEpoch", remedy: "Use the roster that the server follows." },
    )
  }
  const member = roster.members.find(({ identifier }) => identifier === said.server)
  if (member === undefined || !verifyCredential(signed, member.identityKey)) {
    throw unusable("server", "The credential is not signed by a server of the trusted roster.")
  }
  return { signed, said }
}

function wellFormed<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw unusable(cause.path, "The credential is malformed.")
  }
}

function unusable(field: string, message: string): LockKeeperError {
  return new LockKeeperError("untrusted-server", message, {
    field: field === "" ? "credential" : `credential.${field}`,
    remedy: "Certify with the server whose directory this is, of the same version.",
  })
}
