import { createHash, createPublicKey, verify } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import type { Cluster } from "@lockkeeper/cli"
import { type KeyInfo, LockKeeper, LockKeeperError, type Session } from "@lockkeeper/client"
import { toBase64url, utf8 } from "@lockkeeper/encoding"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"

export const TYPES = ["ed25519", "bip340", "ecdsa-secp256k1"] as const

const OWNER = { name: "alice", password: "correct horse battery staple" }

/** Who a login and a signature with each key took. */
export interface Used {
  readonly login: true
  readonly signers: readonly (readonly number[])[]
}

/** Somebody who has a key of every type, and the public keys that they had from the start. */
export class Owner {
  readonly #cluster: Cluster
  readonly keys: KeyInfo[] = []

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async begin(): Promise<void> {
    await this.#connected(async (keeper) => {
      await keeper.register(OWNER)
      const session = await keeper.login(OWNER)
      for (const type of TYPES) this.keys.push((await session.keys.create({ type })).key)
      await session.logout()
    })
  }

  /** A login of a client that knows the first roster alone, and a signature with each key. */
  use(text: string): Promise<Used> {
    return this.#loggedIn(async (session) => {
      const signers: (readonly number[])[] = []
      for (const key of this.keys) signers.push(await signs(session, key, text))
      await session.logout()
      return { login: true, signers }
    })
  }

  /** Signs with one key until servers other than `server` have proof that it cheats. Returns the reason. */
  catch(server: number, key: KeyInfo): Promise<string> {
    return this.#loggedIn(async (session) => {
      for (let tries = 0; tries < 12; tries++) {
        const message = digestOf(`payment ${tries}`)
        const { incidents } = await session.sign({ key, message })
        const proven = incidents.find((one) => one.server === server && one.evidence !== null)
        if (proven !== undefined) return proven.reason
      }
      throw new Error(`server ${server} was not caught`)
    })
  }

  /** Why no key signs in one session, once `before` was done in it. */
  refusals(before: () => Promise<void>): Promise<readonly string[]> {
    return this.#loggedIn(async (session) => {
      await before()
      const refusals: string[] = []
      for (const key of this.keys) refusals.push(await refused(session, key))
      return refusals
    })
  }

  /** Why nobody logs in. */
  async loginRefused(): Promise<string> {
    try {
      await this.#loggedIn(async () => undefined)
    } catch (error) {
      if (error instanceof LockKeeperError) return error.code
      throw error
    }
    throw new Error("somebody logged in with the old files")
  }

  #loggedIn<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#connected(async (keeper) => work(await keeper.login(OWNER)))
  }

  async #connected<T>(work: (keeper: LockKeeper) => Promise<T>): Promise<T> {
    const { roster, rosterPin: pin, ca } = this.#cluster
    const keeper = await LockKeeper.connect({
      ...{ roster: readFileSync(roster), pin, ca: readFileSync(ca, "utf8") },
      onRoster: ({ chain }) => writeFileSync(roster, chain),
    })
    try {
      return await work(keeper)
    } finally {
      keeper.close()
    }
  }
}

function digestOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(utf8(text)).digest())
}

/** Signs, and has software that is not ours verify it. Returns who signed. */
async function signs(session: Session, key: KeyInfo, text: string): Promise<readonly number[]> {
  const message = digestOf(text)
  if (key.keyType === "ecdsa-secp256k1") {
    const content = { kind: "message", message } as const
    const { r, s, signers } = await session.signDigestOf({ key, content, digest: message })
    const signature = Buffer.concat([new Uint8Array(r), new Uint8Array(s)])
    if (secp256k1.verify(signature, message, key.publicKey, { prehash: false })) return signers
  } else {
    const { signature, signers } = await session.sign({ key, message })
    const isRight =
      key.keyType === "bip340"
        ? schnorr.verify(signature, message, key.publicKey)
        : verifiesEd25519(key, message, signature)
    if (isRight) return signers
  }
  throw new Error(`a signature of ${key.keyType} that does not verify`)
}

function verifiesEd25519(key: KeyInfo, message: Uint8Array, signature: Uint8Array): boolean {
  const jwk = { kty: "OKP", crv: "Ed25519", x: toBase64url(key.publicKey) }
  return verify(null, message, createPublicKey({ format: "jwk", key: jwk }), signature)
}

/** Why a key does not sign. A signature is what is shown not to be. */
async function refused(session: Session, key: KeyInfo): Promise<string> {
  try {
    await signs(session, key, "with the old files")
  } catch (error) {
    if (error instanceof LockKeeperError) return error.code
    throw error
  }
  throw new Error(`the old files signed with a key of type ${key.keyType}`)
}
