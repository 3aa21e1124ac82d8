import {
  type DleqManyStatement,
  dleqVerifyMany,
  type Element,
  type Identifier,
  identifierCodec,
  type PossessionStatement,
  secp256k1,
  verifyPossession,
} from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes, fixedBytes, struct, u8 } from "@lockkeeper/encoding"
import { hasKeys, hasParts, type Judged, judgeForm, wrong } from "../../judged.ts"
import type { PublicKeyPackage } from "../../keys.ts"
import { NO_PREVIOUS } from "../../messages/header.ts"
import type { Received } from "../../messages/message.ts"
import { LABELS } from "../labels.ts"
import type { PresignParams } from "../types.ts"
import { othersThan, presignParamsDigest, weightedShare } from "./params.ts"
import {
  type ExchangePayload,
  exchangePayloadCodec,
  noncesCommitment,
  type OpenPayload,
  openPayloadCodec,
  type PublishPayload,
  publishPayloadCodec,
  type SaidPayload,
  saidPayloadCodec,
} from "./payloads.ts"

// Everything here judges what a signer signed, from public values alone: signers and offline
// verifiers run the same checks and so come to the same reason.

const group = secp256k1

/** Step 1. A digest of other parameters is for `isForParams` to refuse: that blames nobody. */
export function judgeOpen(params: PresignParams, message: Received): Judged<OpenPayload> {
  const form = judgeForm(openPayloadCodec, message.broadcast)
  if (!form.ok) return form
  const others = othersThan(params.signers, message.header.sender)
  if (!hasParts(message.header, others)) return wrong("wrong-recipients", "parts")
  if (!equalBytes(message.header.previousDigest, NO_PREVIOUS)) {
    return wrong("malformed-payload", "previousDigest")
  }
  return hasKeys(form.payload.setups, others) ? form : wrong("malformed-payload", "setups")
}

/** Whether an opening is for this run at all: a coordinator may have asked for two. */
export function isForParams(params: PresignParams, broadcast: Bytes): boolean {
  const form = judgeForm(openPayloadCodec, broadcast)
  return !form.ok || equalBytes(form.payload.params, presignParamsDigest(params))
}

/**
 * The parameters that evidence about an opening holds: those that it names, and of one that names none,
 * since it is no payload, nothing that anybody could exchange.
 */
export function paramsNamedBy(
  params: PresignParams,
  sender: Identifier,
  broadcast: Bytes,
): PresignParams {
  if (judgeForm(openPayloadCodec, broadcast).ok) return params
  const [batchId, keyId] = [new Uint8Array(32), new Uint8Array(32)]
  const { rosterEpoch } = params
  return { batchId, keyId, keyEpoch: 0, rosterEpoch, signers: [sender], count: 0 }
}

/** Steps 2 to 4: what the sender says to everyone, and to whom it says more. */
export function judgeSaid(
  params: PresignParams,
  step: 2 | 3 | 4,
  message: Received,
): Judged<SaidPayload> {
  const { sender } = message.header
  const others = othersThan(params.signers, sender)
  const form = judgeForm(saidPayloadCodec, message.broadcast)
  if (!form.ok) return form
  const { payload } = form
  if (payload.kind === "accuse") {
    if (!others.includes(payload.accused)) return wrong("wrong-complaint", "accused")
  } else if ((payload.kind === "confirm") !== (step === 4)) {
    return wrong("malformed-payload", "kind")
  }
  const recipients = payload.kind === "digest" ? others : []
  return hasParts(message.header, recipients) ? form : wrong("wrong-recipients", "parts")
}

/** What the payload of step 2 is judged by. */
export interface ExchangeBasis {
  readonly params: PresignParams
  readonly key: PublicKeyPackage
  readonly sender: Identifier
  /** The commitment that the same sender opened with. */
  readonly commitment: Bytes
}

function hasForm(
  { params, sender }: Pick<ExchangeBasis, "params" | "sender">,
  { nonces, zeros, products }: ExchangePayload,
): string | null {
  const others = othersThan(params.signers, sender)
  if (nonces.length !== params.count) return "nonces"
  if (!hasKeys(zeros, others)) return "zeros"
  if (!hasKeys(products, others)) return "products"
  for (const [other, { gammaU, gammaV, psi }] of products) {
    if ([gammaU, gammaV, psi].some((values) => values.length !== params.count)) {
      return `products.${other}`
    }
  }
  return null
}

/** The form alone: what evidence about others rests on. */
export function exchangeForm(
  basis: Pick<ExchangeBasis, "params" | "sender">,
  payload: Bytes,
): Judged<ExchangePayload> {
  const form = judgeForm(exchangePayloadCodec, payload)
  if (!form.ok) return form
  const field = hasForm(basis, form.payload)
  return field === null ? form : wrong("malformed-payload", field)
}

/** Step 2: form, opening of the commitment, and pk_j = lambda_j*X_j + sum of Z_jk. */
export function judgeExchange(basis: ExchangeBasis, payload: Bytes): Judged<ExchangePayload> {
  const { params, key, sender } = basis
  const form = exchangeForm(basis, payload)
  if (!form.ok) return form
  const { nonces, zeros, blinding, keyShare } = form.payload
  const opened = { params: presignParamsDigest(params), sender, nonces, zeros, blinding }
  if (!equalBytes(noncesCommitment(opened), basis.commitment)) {
    return wrong("wrong-opening", "nonces")
  }
  const expected = [...zeros.values()].reduce(
    (sum, zero) => group.add(sum, zero),
    weightedShare(sender, params.signers, key),
  )
  return group.equal(keyShare, expected) ? form : wrong("wrong-key-share", "keyShare")
}

/** The first two signers with Z_jk != -Z_kj, or null. */
export function zeroMismatch(
  payloads: ReadonlyMap<Identifier, ExchangePayload>,
): readonly [Identifier, Identifier] | null {
  for (const [j, { zeros }] of payloads) {
    for (const [k, zero] of zeros) {
      const opposite = payloads.get(k)?.zeros.get(j)
      if (k > j && opposite && !group.equal(zero, group.negate(opposite))) return [j, k]
    }
  }
  return null
}

const proofContext = struct<Omit<ProofPlace, "nonce"> & { readonly nonce: Element }>({
  sessionId: fixedBytes(32),
  sender: identifierCodec,
  index: u8,
  nonce: group.element,
})

/** What a proof of step 3 is bound to. */
export interface ProofPlace {
  readonly sessionId: Bytes
  readonly sender: Identifier
  readonly index: number
  /** R of the presignature. */
  readonly nonce: Element
}

/** Knowledge of u_i, or of v_i. */
export function possessionOf(
  place: ProofPlace,
  which: "u" | "v",
  image: Element,
): PossessionStatement {
  const context = encode(proofContext, place)
  return { label: `${LABELS.possession}/${which}`, context, public: image }
}

/** One phi_i in F_i = phi_i*G, phi_i*R and phi_i*pk. */
export function samePhiOf(
  place: ProofPlace,
  verifyingKey: Element,
  { phi, phiNonce, phiKey }: Pick<PublishPayload, "phi" | "phiNonce" | "phiKey">,
): DleqManyStatement {
  return {
    label: LABELS.sameSecret,
    context: encode(proofContext, place),
    pairs: [
      { base: group.generator, public: phi },
      { base: place.nonce, public: phiNonce },
      { base: verifyingKey, public: phiKey },
    ],
  }
}

/** R of each presignature: the sum of every signer's R_i. */
export function combinedNonces(
  count: number,
  exchanges: ReadonlyMap<Identifier, ExchangePayload>,
): Element[] {
  return Array.from({ length: count }, (_, k) =>
    [...exchanges.values()].reduce((sum, { nonces }) => group.add(sum, nonces[k]!), group.identity),
  )
}

/** What the payload of step 3 is judged by. */
export interface PublishBasis {
  readonly params: PresignParams
  readonly sessionId: Bytes
  readonly verifyingKey: Element
  readonly sender: Identifier
  /** Of all signers, the sender's own among them. */
  readonly exchanges: ReadonlyMap<Identifier, ExchangePayload>
  /** `combinedNonces` of `exchanges`. */
  readonly nonces: readonly Element[]
}

/**
 * What the multiplications add to U_i and V_i, by public values:
 * sum over j of psi_ji*B_i - psi_ij*B_j + Gamma_ij - Gamma_ji, where B is R or pk.
 */
function crossTerms(
  { sender, exchanges }: PublishBasis,
  index: number,
  of: "u" | "v",
): { readonly elements: Element[]; readonly scalars: ReturnType<typeof group.negateScalar>[] } {
  const own = exchanges.get(sender)!
  const baseOf = (payload: ExchangePayload) =>
    of === "u" ? payload.nonces[index]! : payload.keyShare
  const gamma = of === "u" ? "gammaU" : "gammaV"
  const elements: Element[] = []
  const scalars: ReturnType<typeof group.negateScalar>[] = []
  let psiToSender = group.zero
  for (const [j, { psi, [gamma]: gammas }] of own.products) {
    const other = exchanges.get(j)!
    const back = other.products.get(sender)!
    psiToSender = group.addScalars(psiToSender, back.psi[index]!)
    elements.push(baseOf(other), gammas[index]!, group.negate(back[gamma][index]!))
    scalars.push(group.negateScalar(psi[index]!), group.one, group.one)
  }
  elements.push(baseOf(own))
  scalars.push(psiToSender)
  return { elements, scalars }
}

/**
 * Step 3: the proofs, then for every presignature
 * U_i = phi_i*R + sum_j(psi_ji*R_i - psi_ij*R_j + Gamma^u_ij - Gamma^u_ji) and
 * V_i = phi_i*pk + sum_j(psi_ji*pk_i - psi_ij*pk_j + Gamma^v_ij - Gamma^v_ji).
 */
export function judgePublish(
  basis: PublishBasis,
  payload: Bytes,
): Judged<readonly PublishPayload[]> {
  const { params, sessionId, verifyingKey, sender, nonces } = basis
  const form = judgeForm(publishPayloadCodec, payload)
  if (!form.ok) return form
  if (form.payload.length !== params.count) return wrong("malformed-payload", "")
  for (const [index, published] of form.payload.entries()) {
    const { u, v, phiNonce, phiKey } = published
    const place = { sessionId, sender, index, nonce: nonces[index]! }
    const proven =
      verifyPossession(group, possessionOf(place, "u", u), published.possessionU) &&
      verifyPossession(group, possessionOf(place, "v", v), published.possessionV) &&
      dleqVerifyMany(group, samePhiOf(place, verifyingKey, published), published.samePhi)
    if (!proven) return wrong("wrong-proof", `${index}`)
    for (const [which, image, start] of [
      ["u", u, phiNonce],
      ["v", v, phiKey],
    ] as const) {
      const { elements, scalars } = crossTerms(basis, index, which)
      const expected = group.add(start, group.linearCombination(elements, scalars))
      if (!group.equal(image, expected)) return wrong("wrong-presignature-share", `${index}`)
    }
  }
  return form
}
