import { createPrivateKey, randomBytes, sign } from "node:crypto"
import { type KeyType, LockKeeperError } from "@lockkeeper/api"
import { type Element, edwards25519, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, concat, toHex } from "@lockkeeper/encoding"
import { deriveChild, type PublicKeyPackage } from "@lockkeeper/protocols"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 as noble, schnorr } from "@noble/curves/secp256k1.js"
import { taprootTweakPrivKey } from "@scure/btc-signer/utils.js"
import type {
  ChildView,
  DerivedView,
  FilledView,
  KeyOrder,
  KeyStateChange,
  KeyStateView,
  KeyView,
  OwnerSession,
  PoolTargets,
  PoolView,
  RecordsView,
  SignatureView,
  SignOrder,
} from "../src/owner.ts"
import { digestOf } from "../src/transactions/digest.ts"

interface LocalKey extends KeyView {
  readonly secret: Bytes
  readonly package: PublicKeyPackage
}

/**
 * An owner with whole keys of this process, which sign as the servers would: what the command line
 * does is tested, not the protocols. Children sign only once they were derived.
 */
export class LocalOwner implements OwnerSession {
  readonly name: string
  readonly keys: LocalKey[] = []
  readonly passwords: string[] = []
  readonly orders: SignOrder[] = []
  readonly fills: PoolTargets[] = []
  readonly #children = new Set<string>()
  ended = 0
  /** Servers that do not answer. */
  away: readonly number[] = []
  /** Set to make the next uses wait. */
  gate: Promise<void> = Promise.resolve()

  constructor(name = "ada") {
    this.name = name
  }

  async createKey({ keyType, label, custody }: KeyOrder) {
    await this.gate
    const secret = new Uint8Array(randomBytes(32))
    const keyId = new Uint8Array(randomBytes(32))
    const key: KeyView = {
      ...{ keyId, keyType, custody, state: "active", label },
      createdAt: 1_700_000_000_000,
      expiresAt: null,
      publicKey: publicKeyOf(keyType, elementOf(keyType, secret)),
      minSigners: 2,
      holders: [1, 2, 3],
    }
    this.keys.push({ ...key, secret, package: packageOf(keyId, keyType, secret) })
    return { key, incidents: [] }
  }

  async listKeys(): Promise<readonly KeyView[]> {
    await this.gate
    return this.keys.map(({ secret: _, package: __, ...key }) => key)
  }

  async showKey(keyId: Uint8Array): Promise<KeyView> {
    const { secret: _, package: __, ...key } = this.#find(keyId)
    return key
  }

  async showChild(keyId: Uint8Array, path: readonly number[]): Promise<ChildView> {
    const { package: pkg, keyType } = this.#find(keyId)
    const { verifyingKey, chainCode, parentKey } = deriveChild(pkg, path)
    return {
      ...{ keyId: pkg.keyId, keyType, path },
      publicKey: publicKeyOf(keyType, verifyingKey),
      extended: keyType === "ed25519" ? null : { publicKey: verifyingKey, chainCode, parentKey },
    }
  }

  async deriveChild(keyId: Uint8Array, path: readonly number[]): Promise<DerivedView> {
    const child = await this.showChild(keyId, path)
    this.#children.add(`${toHex(keyId)}/${path.join("/")}`)
    return { child, incidents: [] }
  }

  async changeKeyState(keyId: Bytes, change: KeyStateChange): Promise<KeyStateView> {
    const key = this.#find(keyId)
    const state = ({ suspend: "suspended", resume: "active", deactivate: "deactivated" } as const)[
      change
    ]
    const servers = [1, 2, 3].filter((id) => !this.away.includes(id))
    this.keys[this.keys.indexOf(key)] = { ...key, state }
    const missing = this.away
    const needed = 2
    const effective = servers.length >= needed
    return { keyId: key.keyId, state, servers, missing, needed, effective, incidents: [] }
  }

  async sign(order: SignOrder, signal: AbortSignal): Promise<SignatureView> {
    await this.gate
    signal.throwIfAborted()
    const key = this.#find(order.keyId)
    const isKnown = this.#children.has(`${toHex(order.keyId)}/${order.path.join("/")}`)
    if (order.path.length > 0 && !isKnown) {
      throw new LockKeeperError("not-found", "The key has no such child.", { field: "path" })
    }
    this.orders.push(order)
    const done = { signers: [1, 3], incidents: [] }
    if (key.keyType === "ed25519") {
      return { signature: signEd25519(key, order), recovery: null, ...done }
    }
    const { tweak, verifyingKey } = deriveChild(key.package, order.path)
    const secret = secp256k1.addScalars(secp256k1.decodeScalar(key.secret), tweak)
    const { content } = order
    const { publicKey } = await this.showChild(order.keyId, order.path)
    const digest = digestOf(content, publicKey) ?? messageOf(order)
    if (key.keyType === "bip340") {
      const signer =
        order.merkleRoot === null ? secret : taprootTweakPrivKey(secret, order.merkleRoot)
      return { signature: new Uint8Array(schnorr.sign(digest, signer)), recovery: null, ...done }
    }
    const options = { prehash: false, format: "recovered", lowS: true } as const
    const signed = noble.sign(digest, secret, options)
    if (!noble.verify(signed.subarray(1), digest, verifyingKey, { prehash: false })) {
      throw new Error("the child's secret and public key differ")
    }
    return { signature: new Uint8Array(signed.subarray(1)), recovery: signed[0] ?? 0, ...done }
  }

  async poolStatus(keyId: Uint8Array): Promise<PoolView> {
    this.#find(keyId)
    return {
      sets: [
        { signers: [1, 2], ready: 3, oldestAt: 1_700_000_000_000, complete: true },
        { signers: [2, 3], ready: 0, oldestAt: 0, complete: false },
      ],
      ...{ cap: 64, held: 3, maxAgeMs: 86_400_000, busy: 1, incidents: [] },
      pairs: [
        { servers: [1, 2], state: "live" },
        { servers: [1, 3], state: "dead" },
      ],
    }
  }

  async fillPool(_: Uint8Array, targets: PoolTargets, signal: AbortSignal): Promise<FilledView> {
    await this.gate
    signal.throwIfAborted()
    this.fills.push(targets)
    const sets = [{ signers: [1, 2], ready: targets.cap }]
    return { made: this.fills.length === 1 ? targets.cap : 0, sets, incidents: [] }
  }

  async recordedIncidents(): Promise<RecordsView> {
    const common = { reason: "wrong-opening", recordedAt: 1_700_000_000_000 } as const
    const evidence = new Uint8Array(32).fill(7)
    return {
      recorded: [
        {
          ...{ ...common, recordedBy: 1, number: 1, servers: [3], names: ["gamma"], evidence },
          ...{ source: "own", state: "quarantined" },
        },
        {
          ...{ ...common, recordedBy: 2, number: 4, servers: [1, 3], names: ["alpha", "gamma"] },
          ...{ source: "reported", state: "noted", evidence },
        },
      ],
      incidents: [],
    }
  }

  async changePassword(_: unknown, next: { expose(): Uint8Array }): Promise<void> {
    this.passwords.push(Buffer.from(next.expose()).toString())
  }

  async logout(): Promise<void> {
    this.ended += 1
  }

  #find(keyId: Uint8Array): LocalKey {
    const key = this.keys.find((key) => toHex(key.keyId) === toHex(keyId))
    if (key !== undefined) return key
    throw new LockKeeperError("not-found", "You have no such key.", { field: "key" })
  }
}

/** An order of a key that the servers hold alone. */
export function custodial(keyType: KeyType, label: string): KeyOrder {
  return { keyType, label, custody: "custodial", deviceSecret: true }
}

function elementOf(keyType: KeyType, secret: Bytes): Element {
  if (keyType === "ed25519") return edwards25519.decodeElement(ed25519.getPublicKey(secret))
  return secp256k1.decodeElement(noble.getPublicKey(secret, true))
}

function publicKeyOf(keyType: KeyType, element: Element): Bytes {
  return keyType === "bip340" ? element.slice(1) : element
}

function packageOf(keyId: Bytes, keyType: KeyType, secret: Bytes): PublicKeyPackage {
  const shares = { verifyingShares: new Map(), additive: new Map() }
  const group = keyType === "ed25519" ? edwards25519.name : secp256k1.name
  const verifyingKey = elementOf(keyType, secret)
  return {
    ...{ keyId, keyEpoch: 1, rosterEpoch: 1, minSigners: 2, keyType, group, verifyingKey },
    ...shares,
  }
}

function messageOf({ content }: SignOrder): Bytes {
  if (content.kind !== "message") throw new Error(`no message in ${content.kind}`)
  return content.message
}

/** PKCS #8 of an Ed25519 seed (RFC 8410), which node:crypto reads. */
const PKCS8 = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32)

function signEd25519({ secret }: LocalKey, order: SignOrder): Bytes {
  if (order.path.length > 0) throw new Error("children of Ed25519 keys have no seed")
  const der = Buffer.from(concat(PKCS8, secret))
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  return new Uint8Array(sign(null, messageOf(order), key))
}
