/**
 * Keys of every type at three real servers, given new shares, used again, and the files of before put back
 * at one of them. Steps that change the roster are not there yet.
 *
 *   npm run scenario -- roster --json
 */
import { createHash, createPublicKey, verify } from "node:crypto"
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import { type KeyInfo, LockKeeper, LockKeeperError, type Session } from "@lockkeeper/client"
import { toBase64url, utf8 } from "@lockkeeper/encoding"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { refreshByCommand } from "./refresh-command.ts"

const OWNER = { name: "alice", password: "correct horse battery staple" }
const TYPES = ["ed25519", "bip340", "ecdsa-secp256k1"] as const

interface Step {
  readonly step: string
  readonly ms: number
  readonly [detail: string]: unknown
}

class Scenario {
  readonly #cluster: Cluster
  readonly #json: boolean
  readonly #keys: KeyInfo[] = []
  readonly steps: Step[] = []

  constructor(cluster: Cluster, json: boolean) {
    this.#cluster = cluster
    this.#json = json
  }

  async run(): Promise<void> {
    const copy = `${this.#cluster.directory}/copy-of-server-3`
    await this.#step("keys-of-every-type", () => this.#makeKeys())
    await this.#step("files-copied", () => this.#copyFiles(copy))
    await this.#step("refresh", () => this.#refresh())
    await this.#step("login-and-signatures", () => this.#use("after the refresh"))
    await this.#step("old-files-tried", () => this.#tryOldFiles(copy))
    await this.#step("without-the-old-files", () => this.#use("with the two others"))
  }

  async #step(step: string, work: () => Promise<Readonly<Record<string, unknown>>>): Promise<void> {
    const started = performance.now()
    const done = { step, ...(await work()), ms: Math.round(performance.now() - started) }
    this.steps.push(done)
    if (!this.#json) console.log(done)
  }

  async #makeKeys() {
    const keeper = await this.#connect()
    try {
      await keeper.register(OWNER)
      const session = await keeper.login(OWNER)
      for (const type of TYPES) this.#keys.push((await session.keys.create({ type })).key)
      for (const key of this.#keys) await signs(session, key, "before")
      await session.logout()
      return { types: TYPES }
    } finally {
      keeper.close()
    }
  }

  async #copyFiles(copy: string) {
    const [, , third] = this.#cluster.servers
    if (third === undefined) throw new Error("a cluster without a third server")
    await third.stop("SIGTERM")
    cpSync(third.directory, copy, { recursive: true, preserveTimestamps: true })
    await third.start(new AbortController().signal)
    return { server: third.identifier }
  }

  async #refresh() {
    const [first] = this.#cluster.servers
    const { done, missing } = await refreshByCommand(this.#cluster, first?.directory ?? "")
    if (done !== TYPES.length || Object.keys(missing).length > 0) {
      throw new Error(`of ${TYPES.length} keys ${done} got new shares everywhere`)
    }
    return { done }
  }

  /** A login, and a signature with each key under the public key that it had from the start. */
  async #use(text: string) {
    const keeper = await this.#connect()
    try {
      const session = await keeper.login(OWNER)
      const signers: number[][] = []
      for (const key of this.#keys) signers.push([...(await signs(session, key, text))])
      await session.logout()
      return { login: true, signers }
    } finally {
      keeper.close()
    }
  }

  /** One server with its new shares and one with the old ones are t: and sign nothing together. */
  async #tryOldFiles(copy: string) {
    const [first, , third] = this.#cluster.servers
    if (first === undefined || third === undefined) throw new Error("a cluster of fewer servers")
    const { signal } = new AbortController()
    await third.stop("SIGTERM")
    for (const file of readdirSync(third.directory)) rmSync(join(third.directory, file))
    cpSync(copy, third.directory, { recursive: true, preserveTimestamps: true })
    await third.start(signal)
    const keeper = await this.#connect()
    try {
      const session = await keeper.login(OWNER)
      await first.stop("SIGTERM")
      const refusals: string[] = []
      for (const key of this.#keys) refusals.push(await refused(session, key))
      await first.start(signal)
      await third.stop("SIGTERM")
      return { server: third.identifier, refusals }
    } finally {
      keeper.close()
    }
  }

  #connect(): Promise<LockKeeper> {
    const { roster, rosterPin: pin, ca } = this.#cluster
    return LockKeeper.connect({
      ...{ roster: readFileSync(roster), pin, ca: readFileSync(ca, "utf8") },
    })
  }
}

/** Signs, and has software that is not ours verify it. Returns who signed. */
async function signs(session: Session, key: KeyInfo, text: string): Promise<readonly number[]> {
  const message = new Uint8Array(createHash("sha256").update(utf8(text)).digest())
  if (key.keyType === "ecdsa-secp256k1") {
    const content = { kind: "message", message } as const
    const { r, s, signers } = await session.signDigestOf({ key, content, digest: message })
    const signature = Buffer.concat([new Uint8Array(r), new Uint8Array(s)])
    if (secp256k1.verify(signature, message, key.publicKey, { prehash: false })) return signers
  } else {
    const { signature, signers } = await session.sign({ key, message })
    if (key.keyType === "bip340" && schnorr.verify(signature, message, key.publicKey))
      return signers
    if (key.keyType === "ed25519" && verifiesEd25519(key, message, signature)) return signers
  }
  throw new Error(`a signature of ${key.keyType} that does not verify`)
}

function verifiesEd25519(key: KeyInfo, message: Uint8Array, signature: Uint8Array): boolean {
  const jwk = { kty: "OKP", crv: "Ed25519", x: toBase64url(key.publicKey) }
  return verify(null, message, createPublicKey({ format: "jwk", key: jwk }), signature)
}

/** Why a key does not sign. A signature is what this scenario shows not to be. */
async function refused(session: Session, key: KeyInfo): Promise<string> {
  try {
    await signs(session, key, "with the old files")
  } catch (error) {
    if (error instanceof LockKeeperError) return error.code
    throw error
  }
  throw new Error(`the old files signed with a key of type ${key.keyType}`)
}

const { json } = parseArgs({ options: { json: { type: "boolean", default: false } } }).values
const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
const scenario = new Scenario(cluster, json)
try {
  await scenario.run()
  console.log(JSON.stringify({ ok: true, steps: scenario.steps }))
} catch (error) {
  const what = error instanceof Error ? error.message : String(error)
  console.log(JSON.stringify({ ok: false, error: what, steps: scenario.steps }))
  process.exitCode = 1
} finally {
  await cluster.stop()
}
