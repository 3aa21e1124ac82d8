import { createHash } from "node:crypto"
import type { Incident, KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { secp256k1 } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { ecdsa, frost } from "@lockkeeper/protocols"

export const KINDS = ["login", "create", "sign-ed25519", "sign-bip340", "sign-ecdsa"] as const

export type Kind = (typeof KINDS)[number]

/** Of every 20 operations in a row. */
const MIX: readonly Kind[] = [
  ...Array<Kind>(7).fill("sign-ed25519"),
  ...Array<Kind>(4).fill("sign-bip340"),
  ...Array<Kind>(4).fill("sign-ecdsa"),
  ...Array<Kind>(3).fill("login"),
  ...Array<Kind>(2).fill("create"),
]

export function kindOf(i: number): Kind {
  // 7 has no divisor in common with 20: the kinds alternate.
  return MIX[(i * 7) % MIX.length] as Kind
}

const OWNER = { name: "alice", password: "correct horse battery staple" }

/** One owner who does one thing after the other. */
export class Owner {
  readonly #keeper: LockKeeper
  readonly #keys = new Map<KeyInfo["keyType"], KeyInfo>()
  #session: Session

  private constructor(keeper: LockKeeper, session: Session) {
    this.#keeper = keeper
    this.#session = session
  }

  static async register(keeper: LockKeeper): Promise<Owner> {
    await keeper.register(OWNER)
    return new Owner(keeper, await keeper.login(OWNER))
  }

  /** Gives what went wrong on the way to the result. @throws LockKeeperError when there is none. */
  async do(kind: Kind, i: number): Promise<readonly Incident[]> {
    switch (kind) {
      case "login": {
        await this.#session.logout()
        this.#session = await this.#keeper.login(OWNER)
        return this.#session.incidents
      }
      case "create":
        return (await this.#session.keys.create({ type: i % 2 === 0 ? "ed25519" : "bip340" }))
          .incidents
      case "sign-ed25519":
        return this.#sign("ed25519", i)
      case "sign-bip340":
        return this.#sign("bip340", i)
      case "sign-ecdsa":
        return this.#signEcdsa(i)
    }
  }

  async #key(type: KeyInfo["keyType"]): Promise<{ key: KeyInfo; incidents: readonly Incident[] }> {
    const known = this.#keys.get(type)
    if (known !== undefined) return { key: known, incidents: [] }
    const { key, incidents } = await this.#session.keys.create({ type })
    this.#keys.set(type, key)
    return { key, incidents }
  }

  async #sign(type: "ed25519" | "bip340", i: number): Promise<readonly Incident[]> {
    const { key, incidents } = await this.#key(type)
    const message = digest(`payment ${i}`)
    const signed = await this.#session.sign({ keyId: key.keyId, message })
    if (!frost.verify(key.certificate.public, message, signed.signature)) {
      throw new Error("a signature that does not verify")
    }
    return [...incidents, ...signed.incidents]
  }

  async #signEcdsa(i: number): Promise<readonly Incident[]> {
    const { key, incidents } = await this.#key("ecdsa-secp256k1")
    const message = digest(`transfer ${i}`)
    const content = { kind: "message", message } as const
    const {
      r,
      s,
      incidents: more,
    } = await this.#session.signDigestOf({
      ...{ key, content, digest: message },
    })
    const signature = { r: secp256k1.decodeScalar(r), s: secp256k1.decodeScalar(s) }
    if (!ecdsa.verifyEcdsa(secp256k1.decodeElement(key.publicKey), message, signature)) {
      throw new Error("a signature that does not verify")
    }
    return [...incidents, ...more]
  }
}

function digest(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(utf8(text)).digest())
}
