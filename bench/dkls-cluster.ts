import {
  type Element,
  evaluatePolynomial,
  type Identifier,
  type Scalar,
  Secret,
  type SigningKey,
  secp256k1,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { decode, encode } from "@lockkeeper/encoding"
import {
  confirmKey,
  deliver,
  dkls,
  headerCodec,
  type KeyCertificate,
  type KeyPackage,
  type Message,
  type Outcome,
  type PublicKeyPackage,
} from "@lockkeeper/protocols"

const ROSTER_EPOCH = 1

export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}

function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`benchmark aborted: ${outcome.abort.reason}`)
  return outcome.value
}

function senderOf({ header }: Message): Identifier {
  return decode(headerCodec, header.bytes).sender
}

/** Two signers of a 2-of-3 key with their pair; a dealer stands in for the key generation. */
export class DklsPair {
  readonly signers = [1, 2] as const
  readonly certificate: KeyCertificate
  readonly #keys = new Map<Identifier, KeyPackage>()
  readonly #identities = new Map<Identifier, SigningKey>()
  readonly #verifyKeys: ReadonlyMap<Identifier, Bytes>
  #pairs = new Map<Identifier, ReadonlyMap<Identifier, dkls.PairSetup>>()

  constructor() {
    const coefficients = [random(64), random(64)].map((b) => secp256k1.scalarFromUniform(b))
    const shares = [1, 2, 3].map((id) => evaluatePolynomial(secp256k1, coefficients, id))
    const verifyingShares = new Map<Identifier, Element>(
      shares.map((share, i) => [i + 1, secp256k1.multiplyBase(share)]),
    )
    const pkg: PublicKeyPackage = {
      ...{ keyId: random(32), keyType: "ecdsa-secp256k1", group: "secp256k1", keyEpoch: 1 },
      ...{ rosterEpoch: ROSTER_EPOCH, minSigners: 2, verifyingShares, additive: new Map() },
      verifyingKey: secp256k1.multiplyBase(coefficients[0] as Scalar),
    }
    for (const [i, share] of shares.entries()) {
      const identifier = i + 1
      this.#identities.set(identifier, signingKeyFromSeed(new Secret(random(32))))
      this.#keys.set(identifier, { identifier, signingShare: new Secret(share), public: pkg })
    }
    this.#verifyKeys = new Map([...this.#identities].map(([id, key]) => [id, key.publicKey]))
    const confirmations = new Map(
      [...this.#identities].map(([id, key]) => [id, confirmKey(key, pkg)]),
    )
    this.certificate = { public: pkg, confirmations }
  }

  #identity(identifier: Identifier): dkls.DklsIdentity {
    return {
      signer: this.#identities.get(identifier) as SigningKey,
      verifyKeys: this.#verifyKeys,
    }
  }

  /** The base transfers of the pair, both ways. */
  setUp(): void {
    const params = { setupId: random(32), rosterEpoch: ROSTER_EPOCH, participants: this.signers }
    const states = new Map<Identifier, Bytes | null>()
    let said: Message[] = []
    for (const step of [1, 2, 3, 4] as const) {
      const before = said
      said = []
      for (const identifier of this.signers) {
        const identity = this.#identity(identifier)
        const context = { params, identifier, identity, pairs: new Map() }
        const messages = others(before, identifier)
        const state = states.get(identifier) ?? null
        const task = unwrap(dkls.setupTask(context, step, state, messages, random(64)))
        const answer = unwrap(dkls.setupAnswer(context, step, dkls.work(task), messages))
        states.set(identifier, answer.state)
        if (answer.message) said.push(answer.message)
        if (step === 4) this.#pairs.set(identifier, answer.pairs)
      }
    }
  }

  /** A batch of presignatures by signer, and the bytes that went from one signer to the other. */
  presign(count: number): { made: Map<Identifier, readonly dkls.Presignature[]>; bytes: number } {
    const { keyId, keyEpoch } = this.certificate.public
    const params = {
      ...{ batchId: random(32), keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH },
      ...{ signers: this.signers, count },
    }
    const states = new Map<Identifier, Bytes | null>()
    const made = new Map<Identifier, readonly dkls.Presignature[]>()
    let said: Message[] = []
    let bytes = 0
    for (const step of [1, 2, 3, 4, 5] as const) {
      const before = said
      said = []
      for (const identifier of this.signers) {
        const { signingShare, public: key } = this.#keys.get(identifier) as KeyPackage
        const identity = this.#identity(identifier)
        const context = {
          ...{ params, identifier, identity },
          ...{ public: key, certificate: this.certificate },
        }
        const secrets = { signingShare, pairs: this.#pairs.get(identifier) ?? new Map() }
        const messages = others(before, identifier)
        const state = states.get(identifier) ?? null
        const task = dkls.presignTask(context, step, state, messages, secrets, random(64))
        const result = dkls.work(unwrap(task))
        const answer = unwrap(dkls.presignAnswer(context, step, result, messages))
        states.set(identifier, answer.state)
        if (answer.message) {
          said.push(answer.message)
          if (identifier === 1) bytes += encode(dkls.dklsMessageCodec, answer.message).length
        }
        if (step === 5) made.set(identifier, answer.presignatures)
      }
    }
    return { made, bytes }
  }

  /** What the signers do for one signature, once they hold a presignature each. */
  sign(presignatures: readonly dkls.Presignature[]): {
    order: dkls.EcdsaOrder
    shares: Map<Identifier, Message>
    bytes: number
  } {
    const { keyId, keyEpoch } = this.certificate.public
    const place = { keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH }
    const nonces = this.signers.map((identifier) =>
      dkls.ecdsaNonce({ identifier, ...place, randomness: random(32) }, this.#identity(identifier)),
    )
    const [first] = presignatures
    if (first === undefined) throw new Error("no presignature")
    const order: dkls.EcdsaOrder = {
      ...place,
      presignatureId: first.id,
      ...{ requestDigest: random(32), attempt: 1, digest: random(32), path: [0, 7] },
      ...{ signers: this.signers, nonces },
    }
    const shares = new Map<Identifier, Message>()
    let bytes = 0
    for (const presignature of presignatures) {
      const { identifier } = presignature
      const { public: key } = this.#keys.get(identifier) as KeyPackage
      const identity = this.#identity(identifier)
      const share = unwrap(
        dkls.ecdsaSign(presignature, order, { public: key, identifier, identity }),
      )
      shares.set(identifier, share)
      if (identifier === 1) bytes = encode(dkls.dklsMessageCodec, share).length
    }
    return { order, shares, bytes }
  }

  /** What the coordinator does with the shares. */
  combine(
    order: dkls.EcdsaOrder,
    { certificate }: dkls.Presignature,
    shares: ReadonlyMap<Identifier, Message>,
  ): dkls.EcdsaSignature {
    const verifyKeys = this.#verifyKeys
    const keyCertificate = this.certificate
    return unwrap(dkls.ecdsaCombine({ order, certificate, keyCertificate, shares, verifyKeys }))
  }
}

function others(messages: readonly Message[], identifier: Identifier): Message[] {
  return messages
    .filter((message) => senderOf(message) !== identifier)
    .map((message) => deliver(message, identifier))
}
