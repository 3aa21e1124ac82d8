import {
  type Element,
  hashValueToScalar,
  type Identifier,
  type Scalar,
  type Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, encode, fixedBytes, struct } from "@lockkeeper/encoding"
import { LABELS } from "../labels.ts"
import { RVOLE_RECEIVER_RANDOMNESS, type RvoleReceiver, rvoleReceive } from "../ot/index.ts"
import { stepRandomness } from "../randomness.ts"
import { keyDigest, presignParamsDigest, receiverContext } from "./params.ts"
import { noncesCommitment, openPayloadCodec } from "./payloads.ts"
import { openedSecretCodec, type PresignResult, type PresignTask, wipeDecoded } from "./task.ts"

const group = secp256k1

const zeroShareCodec = struct<{ readonly pairSecret: Bytes; readonly params: Bytes }>({
  pairSecret: fixedBytes(32),
  params: fixedBytes(32),
})

/**
 * zeta_ij = -zeta_ji, from what the pair shares and what the run is. A run that is asked for twice
 * has the same twice, which tells nothing: Z_ij only ever stands beside lambda_i*X_i, which is public.
 */
function zeroShare(
  pairSecret: Secret,
  params: Bytes,
  identifier: Identifier,
  other: Identifier,
): Scalar {
  const input = { pairSecret: pairSecret.expose(), params }
  const shared = hashValueToScalar(group, LABELS.zeroShare, zeroShareCodec, input)
  if (identifier < other) return shared
  const negated = group.negateScalar(shared)
  shared.fill(0)
  return negated
}

/**
 * Step 1: choose r_i, phi_i and every chi_ij, commit to all R_i and Z_ij, and open the receiver's side
 * of the multiplications (DKLs23 Protocol 3.6, step 1). Everyone's R_i is fixed before any is seen.
 */
export function openStep(task: PresignTask): PresignResult {
  const { params, identifier, pairs } = task
  const paramsDigest = presignParamsDigest(params)
  const pairSecrets = [...pairs.values()].map(({ pairSecret }) => pairSecret.expose())
  const random = stepRandomness(task.randomness, paramsDigest, ...pairSecrets)
  const nonce = random.bytes("nonce", 0, 32)
  const blinding = random.bytes("blinding", 0, 32)
  const each = (purpose: string) =>
    Array.from({ length: params.count }, (_, k) => random.scalar(purpose, k))
  const r = each("r")
  const phi = each("phi")
  const ephemeral = random.scalar("ephemeral", 0)
  const nonces = r.map((scalar) => group.multiplyBase(scalar))

  const zeta = new Map<Identifier, Scalar>()
  const zeros = new Map<Identifier, Element>()
  const receivers = new Map<Identifier, RvoleReceiver>()
  const parts = new Map<Identifier, Bytes>()
  const setups = new Map<Identifier, Bytes>()
  for (const [other, setup] of pairs) {
    const share = zeroShare(setup.pairSecret, paramsDigest, identifier, other)
    zeta.set(other, share)
    zeros.set(other, group.multiplyBase(share))
    const place = { params: paramsDigest, receiver: identifier, sender: other, nonce }
    const choice = random.bytes("choice", other, RVOLE_RECEIVER_RANDOMNESS(params.count))
    const received = rvoleReceive(setup, receiverContext(place), params.count, choice)
    choice.fill(0)
    receivers.set(other, received.state)
    parts.set(other, received.message)
    setups.set(other, setup.setupDigest)
  }
  random.wipe()

  const committed = { params: paramsDigest, sender: identifier, nonces, zeros, blinding }
  const open = {
    ...{ params: paramsDigest, key: keyDigest(task.public) },
    ...{ commitment: noncesCommitment(committed), setups },
    ephemeral: group.multiplyBase(ephemeral),
  }
  const broadcast = encode(openPayloadCodec, open)
  const kept = { blinding, r, phi, nonces, zeta, zeros, receivers, ephemeral }
  const secret = encode(openedSecretCodec, kept)
  wipeDecoded(kept)
  return { kind: "opened", nonce, broadcast, parts, secret }
}
