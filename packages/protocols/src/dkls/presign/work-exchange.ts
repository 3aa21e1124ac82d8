import {
  type Element,
  type Identifier,
  type Scalar,
  type Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { RVOLE_SENDER_RANDOMNESS, rvoleSend } from "../ot/index.ts"
import { stepRandomness } from "../randomness.ts"
import { presignParamsDigest, receiverContext, senderContext, weightOf } from "./params.ts"
import { exchangePayloadCodec, type ProductPayload, sealedPayloadCodec } from "./payloads.ts"
import { runSecret, sealPart } from "./sealing.ts"
import {
  exchangedSecretCodec,
  type OpenedSecret,
  openedSecretCodec,
  type PresignResult,
  type PresignTask,
  type SenderShares,
  wipeDecoded,
} from "./task.ts"

const group = secp256k1

/** sk_i = lambda_i*x_i + sum of zeta_ik */
function additiveShare(task: PresignTask, zeta: ReadonlyMap<Identifier, Scalar>): Scalar {
  const { params, identifier, public: key, signingShare } = task
  const weight = weightOf(identifier, params.signers, key)
  let share = group.multiplyScalars(weight, signingShare!.expose() as Scalar)
  for (const summand of zeta.values()) {
    const sum = group.addScalars(share, summand)
    share.fill(0)
    share = sum
  }
  return share
}

interface Sent {
  readonly shares: SenderShares
  readonly product: Bytes
}

/** The sender's side of the multiplications with every other signer, or whose were inconsistent. */
function multiply(
  task: PresignTask,
  { r }: OpenedSecret,
  keyShare: Scalar,
): ReadonlyMap<Identifier, Sent> | Identifier {
  const { identifier: sender, sessionId, params } = task
  const digest = presignParamsDigest(params)
  const random = stepRandomness(task.randomness, sessionId, keyShare)
  const sent = new Map<Identifier, Sent>()
  try {
    for (const [receiver, { nonce, part }] of task.peers) {
      const options = {
        receiverContext: receiverContext({ params: digest, receiver, sender, nonce }),
        senderContext: senderContext({ sessionId, sender, receiver }),
        inputs: r.map((scalar) => ({ r: scalar, sk: keyShare })),
        randomness: random.bytes("send", receiver, RVOLE_SENDER_RANDOMNESS),
      }
      const shares = rvoleSend(task.pairs.get(receiver)!, options, part)
      options.randomness.fill(0)
      // A try against the same pair again would tell another bit of its secret.
      if (shares === null) return receiver
      sent.set(receiver, { shares, product: shares.message })
    }
    return sent
  } finally {
    random.wipe()
  }
}

/** What everyone is told of the multiplications with one other signer. */
function productPayload(
  { cu, cv }: SenderShares,
  phi: readonly Scalar[],
  chi: readonly Scalar[],
): ProductPayload {
  const images = (shares: readonly Scalar[]): Element[] =>
    shares.map((share) => group.multiplyBase(share))
  return {
    gammaU: images(cu),
    gammaV: images(cv),
    psi: phi.map((scalar, k) => group.subtractScalars(scalar, chi[k]!)),
  }
}

/** What parts to and from each other signer are sealed with. */
function runSecretsOf(
  { sessionId, pairs, peers }: PresignTask,
  { ephemeral }: OpenedSecret,
): Map<Identifier, Secret> {
  const secrets = new Map<Identifier, Secret>()
  for (const [other, { ephemeral: theirs }] of peers) {
    secrets.set(other, runSecret(pairs.get(other)!.pairSecret, sessionId, ephemeral, theirs!))
  }
  return secrets
}

/**
 * Step 2: check each other signer's choice bits, multiply r_i and sk_i by its chi_ji, open the
 * commitment, and publish pk_i, every Gamma and psi (DKLs23 Protocol 3.6, step 2). A failed check ends
 * this signer's part in the run with an accusation.
 */
export function exchangeStep(task: PresignTask): PresignResult {
  const { identifier, sessionId } = task
  const opened = decode(openedSecretCodec, task.secret)
  const { blinding, r, phi, nonces, zeros, receivers } = opened
  const keyShare = additiveShare(task, opened.zeta)
  try {
    const sent = multiply(task, opened, keyShare)
    if (typeof sent === "number") return { kind: "accuse", accused: sent }
    const products = new Map(
      [...sent].map(([other, { shares }]) => [
        other,
        productPayload(shares, phi, receivers.get(other)!.chi),
      ]),
    )
    const payload = encode(exchangePayloadCodec, {
      blinding,
      nonces,
      zeros,
      keyShare: group.multiplyBase(keyShare),
      products,
    })
    const runSecrets = runSecretsOf(task, opened)
    const parts = new Map<Identifier, Bytes>()
    for (const [recipient, { product }] of sent) {
      const place = { sessionId, step: 2 as const, sender: identifier, recipient }
      const plaintext = encode(sealedPayloadCodec, { payload, product })
      parts.set(recipient, sealPart(runSecrets.get(recipient)!, place, plaintext))
    }
    const shares = new Map([...sent].map(([other, { shares }]) => [other, shares]))
    const kept = { r, phi, keyShare, receivers, products: shares, runSecrets }
    const secret = encode(exchangedSecretCodec, kept)
    for (const spent of runSecrets.values()) spent.wipe()
    for (const { cu, cv } of shares.values()) for (const share of [...cu, ...cv]) share.fill(0)
    return { kind: "sealed", payload, parts, secret, opened: new Map() }
  } finally {
    keyShare.fill(0)
    wipeDecoded(opened)
  }
}
