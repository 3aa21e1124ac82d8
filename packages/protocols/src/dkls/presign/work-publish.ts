import {
  dleqProveMany,
  type Element,
  type Identifier,
  provePossession,
  type Scalar,
  type Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode, equalBytes } from "@lockkeeper/encoding"
import type { AbortReason } from "../../outcome.ts"
import { rvoleFinish } from "../ot/index.ts"
import { stepRandomness } from "../randomness.ts"
import {
  combinedNonces,
  judgeExchange,
  type ProofPlace,
  possessionOf,
  samePhiOf,
  zeroMismatch,
} from "./checks.ts"
import { senderContext } from "./params.ts"
import {
  type ExchangePayload,
  exchangePayloadCodec,
  type PublishPayload,
  payloadDigest,
  publishPayloadCodec,
  type SealedPayload,
  sealedPayloadCodec,
} from "./payloads.ts"
import { openPart, sealPart } from "./sealing.ts"
import {
  type ExchangedSecret,
  exchangedSecretCodec,
  type Payloads,
  type PresignResult,
  type PresignTask,
  publishedSecretCodec,
  wipeDecoded,
} from "./task.ts"

const group = secp256k1

/** A sealed part's content, or null when it is not what its sender's digest announced. */
export function openSealed(
  { sessionId, identifier }: Pick<PresignTask, "sessionId" | "identifier">,
  step: 2 | 3,
  sender: Identifier,
  secret: Secret,
  { part, digest }: { readonly part: Bytes; readonly digest: Bytes },
): SealedPayload | null {
  const place = { sessionId, step, sender, recipient: identifier }
  const plaintext = openPart(secret, place, part)
  if (!plaintext) return null
  try {
    const sealed = decode(sealedPayloadCodec, plaintext)
    const announced = payloadDigest({ sessionId, sender, payload: sealed.payload })
    return equalBytes(announced, digest) ? sealed : null
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

type Fault = Extract<PresignResult, { kind: "fault" }>

/** Faults of several signers: the first one's reason stands for all. */
export class FaultList {
  readonly #culprits: Identifier[] = []
  #first: { reason: AbortReason; field: string } | null = null

  add(culprit: Identifier, reason: AbortReason, field: string): void {
    this.#culprits.push(culprit)
    this.#first ??= { reason, field }
  }

  result(opened: Payloads): Fault | null {
    if (!this.#first) return null
    return { kind: "fault", ...this.#first, culprits: this.#culprits, pair: [], opened }
  }
}

/** Everything that is wrong in public with what the signers published at step 2. */
function judgeAll(
  task: PresignTask,
  opened: Payloads,
): Fault | ReadonlyMap<Identifier, ExchangePayload> {
  const { params, public: key, identifier } = task
  const own = decode(exchangePayloadCodec, task.exchanged.get(identifier)!)
  const payloads = new Map([[identifier, own]])
  const faults = new FaultList()
  for (const [sender, payload] of opened) {
    const { commitment } = task.peers.get(sender)!
    const judged = judgeExchange({ params, key, sender, commitment }, payload)
    if (judged.ok) payloads.set(sender, judged.payload)
    else faults.add(sender, judged.reason, judged.field)
  }
  const fault = faults.result(opened)
  if (fault) return fault
  const unfit = (reason: AbortReason, field: string, pair: readonly Identifier[] = []): Fault => {
    return { kind: "fault", reason, field, culprits: [], pair, opened }
  }
  const mismatch = zeroMismatch(payloads)
  if (mismatch) return unfit("wrong-zero-sharing", "zeros", mismatch)
  // Follows from the checks above unless the public shares do not make the key.
  const sum = [...payloads.values()].reduce(
    (total, { keyShare }) => group.add(total, keyShare),
    group.identity,
  )
  if (!group.equal(sum, key.verifyingKey)) return unfit("inconsistent-key", "verifyingShares")
  return new Map([...payloads].sort(([a], [b]) => a - b))
}

/** This signer's shares of the products with one other, as the multiplication's receiver. */
interface ReceiverShares {
  readonly du: readonly Scalar[]
  readonly dv: readonly Scalar[]
}

/** Null unless chi_ij*R_j - Gamma^u_ji = d^u_ij*G and chi_ij*pk_j - Gamma^v_ji = d^v_ij*G. */
function finish(
  task: PresignTask,
  { receivers }: ExchangedSecret,
  sender: Identifier,
  payload: ExchangePayload,
  product: Bytes,
): ReceiverShares | null {
  const { identifier: receiver, sessionId, pairs } = task
  const context = senderContext({ sessionId, sender, receiver })
  const state = receivers.get(sender)!
  const chi = state.chi.map((scalar) => new Uint8Array(scalar) as Scalar)
  const setup = pairs.get(sender)!
  const shares = rvoleFinish(setup, state, { senderContext: context }, product)
  const { gammaU, gammaV } = payload.products.get(receiver)!
  const holds = (base: Element, k: number, share: Scalar, gamma: Element) =>
    group.equal(group.multiply(base, chi[k]!), group.add(group.multiplyBase(share), gamma))
  const right = shares?.du.every(
    (du, k) =>
      holds(payload.nonces[k]!, k, du, gammaU[k]!) &&
      holds(payload.keyShare, k, shares.dv[k]!, gammaV[k]!),
  )
  for (const scalar of chi) scalar.fill(0)
  if (right) return shares
  for (const share of [...(shares?.du ?? []), ...(shares?.dv ?? [])]) share.fill(0)
  return null
}

/** u_i and v_i of one presignature. */
interface Shares {
  readonly u: Scalar
  readonly v: Scalar
}

/**
 * u_i = r_i*(phi_i + sum psi_ji) + sum(c^u_ij + d^u_ij), and
 * v_i = sk_i*(phi_i + sum psi_ji) + sum(c^v_ij + d^v_ij).
 */
function sharesOf(
  identifier: Identifier,
  { r, phi, keyShare, products }: ExchangedSecret,
  exchanges: ReadonlyMap<Identifier, ExchangePayload>,
  received: ReadonlyMap<Identifier, ReceiverShares>,
  k: number,
): Shares {
  let factor = group.addScalars(phi[k]!, group.zero)
  for (const other of received.keys()) {
    const psi = exchanges.get(other)!.products.get(identifier)!.psi[k]!
    const sum = group.addScalars(factor, psi)
    factor.fill(0)
    factor = sum
  }
  const share = (base: Scalar, c: "cu" | "cv", d: "du" | "dv"): Scalar => {
    let total = group.multiplyScalars(base, factor)
    for (const [other, shares] of received) {
      for (const summand of [products.get(other)![c][k]!, shares[d][k]!]) {
        const sum = group.addScalars(total, summand)
        total.fill(0)
        total = sum
      }
    }
    return total
  }
  const shares = { u: share(r[k]!, "cu", "du"), v: share(keyShare, "cv", "dv") }
  factor.fill(0)
  return shares
}

/** The public values of one presignature with their proofs. */
function publish(
  place: ProofPlace,
  verifyingKey: Element,
  phi: Scalar,
  { u, v }: Shares,
  random: ReturnType<typeof stepRandomness>,
): PublishPayload {
  const { index } = place
  const images = {
    phi: group.multiplyBase(phi),
    u: group.multiplyBase(u),
    v: group.multiplyBase(v),
    phiNonce: group.multiply(place.nonce, phi),
    phiKey: group.multiply(verifyingKey, phi),
  }
  const known = (which: "u" | "v", secret: Scalar) =>
    provePossession(group, {
      ...possessionOf(place, which, images[which]),
      secret,
      randomness: random.bytes(`possession ${which}`, index, 32),
    })
  return {
    ...images,
    possessionU: known("u", u),
    possessionV: known("v", v),
    samePhi: dleqProveMany(group, {
      ...samePhiOf(place, verifyingKey, images),
      secret: phi,
      randomness: random.bytes("same phi", index, 32),
    }),
  }
}

/** Whether everything has a wire form, as all but a negligible part of honest runs do. */
function hasIdentity(published: readonly PublishPayload[]): boolean {
  return published.some(({ phi, u, v, phiNonce, phiKey }) =>
    [phi, u, v, phiNonce, phiKey].some((element) => group.isIdentity(element)),
  )
}

/**
 * Step 3: check in public what can be checked in public, then this signer's own products. Then
 * publish F_i, U_i, V_i with proofs (ours, see the README). Whose products do not check out is accused
 * instead, and nothing is published.
 */
export function publishStep(task: PresignTask): PresignResult {
  const kept = decode(exchangedSecretCodec, task.secret)
  try {
    const products = new Map<Identifier, Bytes>()
    const opened = new Map<Identifier, Bytes>()
    for (const [sender, peer] of task.peers) {
      const sealed = openSealed(task, 2, sender, kept.runSecrets.get(sender)!, peer)
      if (!sealed) return { kind: "accuse", accused: sender }
      opened.set(sender, sealed.payload)
      products.set(sender, sealed.product)
    }
    const exchanges = judgeAll(task, opened)
    if ("kind" in exchanges) return exchanges
    const nonces = combinedNonces(task.params.count, exchanges)
    if (nonces.some((nonce) => group.isIdentity(nonce))) return noNonce(opened)
    return publishAll(task, kept, { opened, products, exchanges, nonces })
  } finally {
    wipeDecoded(kept)
  }
}

/** What the others said at step 2, all of it right as far as everyone can see. */
interface Heard {
  readonly opened: Payloads
  readonly products: ReadonlyMap<Identifier, Bytes>
  readonly exchanges: ReadonlyMap<Identifier, ExchangePayload>
  /** R of each presignature. */
  readonly nonces: readonly Element[]
}

function publishAll(
  task: PresignTask,
  kept: ExchangedSecret,
  { opened, products, exchanges, nonces }: Heard,
): PresignResult {
  const { identifier, sessionId } = task
  const random = stepRandomness(task.randomness, sessionId, kept.keyShare)
  const received = new Map<Identifier, ReceiverShares>()
  try {
    for (const [sender, product] of products) {
      const shares = finish(task, kept, sender, exchanges.get(sender)!, product)
      if (!shares) return { kind: "accuse", accused: sender }
      received.set(sender, shares)
    }
    const shares = nonces.map((_, k) => sharesOf(identifier, kept, exchanges, received, k))
    const published = nonces.map((nonce, index) => {
      const place = { sessionId, sender: identifier, index, nonce }
      return publish(place, task.public.verifyingKey, kept.phi[index]!, shares[index]!, random)
    })
    if (hasIdentity(published)) return noNonce(opened)
    return { ...sealPublished(task, kept, published), secret: keep(kept, shares), opened }
  } finally {
    random.wipe()
    for (const { du, dv } of received.values()) for (const d of [...du, ...dv]) d.fill(0)
  }
}

function noNonce(opened: Payloads): Fault {
  const field = "nonces"
  return { kind: "fault", reason: "identity-nonce", field, culprits: [], pair: [], opened }
}

function sealPublished(
  { sessionId, identifier: sender }: PresignTask,
  { runSecrets }: ExchangedSecret,
  published: readonly PublishPayload[],
) {
  const payload = encode(publishPayloadCodec, published)
  const plaintext = encode(sealedPayloadCodec, { payload, product: new Uint8Array(0) })
  const parts = new Map<Identifier, Bytes>()
  for (const [recipient, secret] of runSecrets) {
    const place = { sessionId, step: 3 as const, sender, recipient }
    parts.set(recipient, sealPart(secret, place, plaintext))
  }
  return { kind: "sealed", payload, parts } as const
}

function keep({ phi, runSecrets }: ExchangedSecret, shares: readonly Shares[]): Bytes {
  const secret = encode(publishedSecretCodec, {
    phi,
    u: shares.map(({ u }) => u),
    v: shares.map(({ v }) => v),
    runSecrets,
  })
  for (const { u, v } of shares) for (const share of [u, v]) share.fill(0)
  return secret
}
