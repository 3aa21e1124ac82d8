import {
  identityKeys,
  LockKeeperError,
  MAX_ATTEMPTS,
  MAX_NONCES,
  type SignEcdsaBody,
  type SignEcdsaInput,
  signEcdsaBody,
  signEcdsaInput,
  signEcdsaOutput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { dkls, messageCodec, type PublicKeyPackage } from "@lockkeeper/protocols"
import { checkPath, checkRegistered } from "../children.ts"
import { checkEcdsaKey, checkKeyEpoch, checkUsable, keyUnchanged, readKey } from "../keys.ts"
import { judgeSigning } from "../policies/judge-signing.ts"
import type { Pooled } from "../presigning/pool.ts"
import {
  presignatureId,
  readPresignature,
  takePresignature,
  wipePresignature,
} from "../presigning/presignatures.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { refuseAbort } from "./aborts.ts"
import { dklsIdentity } from "./bulk-step.ts"
import { prepareNext } from "./prepare-ecdsa.ts"
import { noSuchStep } from "./steps.ts"

/**
 * One server's online share of an ECDSA signature. The step number is the attempt: each takes another
 * presignature. What is signed is derived here from the whole content of the request.
 */
export const signEcdsa: OwnerOperationStep = async (step) => {
  if (step.step < 1 || step.step > MAX_ATTEMPTS) throw noSuchStep()
  const body = decodeAs("body", signEcdsaBody, step.request.body)
  const input = decodeAs("input", signEcdsaInput, step.input)
  if (input.prepare > MAX_NONCES) {
    throw new LockKeeperError("invalid-request", `Ask for up to ${MAX_NONCES} nonces.`, {
      field: "input.prepare",
    })
  }
  checkPath(body.path)
  const { self, deps, counters } = step
  const { value: row, version } = await readKey(deps.store, step.request.accountId, body.keyId)
  using _share = row.keyPackage.signingShare
  await checkUsable(step, row)
  checkEcdsaKey(row)
  checkKeyEpoch(row, input.keyEpoch)
  await checkRegistered(deps.store, body.keyId, body.path)
  const key = row.keyPackage.public
  const { keyId, path, content } = body
  const signing = { key, path, content, merkleRoot: null }
  const { signable, allowed } = await judgeSigning(step, signing, { keyId })
  const digest = signable.message
  const pooled = findPresignature(step, key, input.presignature)
  step.incidents.checkNone(pooled.signers)
  const event = { ...allowed.event, signers: pooled.signers }
  const opened = orderOf(step, body, input, key, pooled, digest)
  const presignature = await take(step, opened.order, pooled)
  const signer = { public: key, identifier: self.identifier, identity: dklsIdentity(step) }
  const { certificate } = presignature
  let outcome: ReturnType<typeof dkls.ecdsaSign>
  try {
    outcome = dkls.ecdsaSign(presignature, opened, signer)
  } finally {
    wipePresignature(presignature)
  }
  const taken = takePresignature(pooled.id)
  if (!outcome.ok) return refuseAbort(step, outcome.abort, [taken], event)
  const next = prepareNext(step, key, pooled.signers, input.prepare)
  return {
    output: encode(signEcdsaOutput, {
      share: encode(messageCodec, outcome.value),
      certificate: encode(dkls.presignatureCertificateCodec, certificate),
      prepared: next.prepared,
    }),
    changes: [taken, keyUnchanged(body.keyId, version), ...allowed.changes],
    event: step.event(event),
    afterCommit: () => {
      next.issue()
      counters.add("presignatures-used")
      counters.signed(key.keyType)
    },
  }
}

function findPresignature(step: OwnerStep, key: PublicKeyPackage, presignature: Bytes): Pooled {
  const { presigning, self } = step
  const pooled = presigning.pool.find(presignatureId(key.keyId, presignature))
  const current =
    pooled?.keyEpoch === key.keyEpoch && pooled.rosterEpoch === self.roster.rosterEpoch
  if (pooled === null || !current) throw gone()
  return pooled
}

/** The order as this server itself puts it together, checked as far as it can be without a secret. */
function orderOf(
  step: OwnerStep,
  { keyId, path }: SignEcdsaBody,
  input: SignEcdsaInput,
  key: PublicKeyPackage,
  { signers }: Pooled,
  digest: Bytes,
): dkls.OpenedOrder {
  const nonces = input.nonces.map((nonce, i) =>
    decodeField(`input.nonces.${i}`, () => decode(messageCodec, nonce)),
  )
  const { keyEpoch } = key
  const { rosterEpoch } = step.self.roster
  const order: dkls.EcdsaOrder = {
    ...{ presignatureId: input.presignature, keyId, keyEpoch, rosterEpoch },
    ...{ requestDigest: step.digest, attempt: step.step, digest, path, signers, nonces },
  }
  const verifyKeys = identityKeys(step.self.roster)
  const checked = dkls.checkOrder(order, { public: key, verifyKeys })
  if (checked.ok) return checked.value
  const { reason } = checked.abort
  throw new LockKeeperError("invalid-request", `The nonces are not the signers': ${reason}.`, {
    field: "input.nonces",
    remedy: "Send one of each signer, ascending, as they were handed out.",
  })
}

/**
 * Takes the presignature and this server's nonce of the order: both or neither. The row is read first,
 * so that nothing else runs between finding that both can be used and striking both off.
 */
async function take(
  step: OwnerStep,
  order: dkls.EcdsaOrder,
  pooled: Pooled,
): Promise<dkls.Presignature> {
  const { presigning, self, deps } = step
  const { keyId } = order
  const nonce = dkls.nonceIn(order, self.identifier)
  const presignature = await readPresignature(deps.store, pooled.id)
  if (presignature === null) {
    // Another process over the same store took it, or the database hides it.
    presigning.spend(pooled)
    throw gone()
  }
  const now = deps.clock.now()
  const fresh = nonce !== null && presigning.nonces.has(keyId, nonce, now)
  if (fresh && presigning.spend(pooled)) {
    presigning.nonces.spend(keyId, nonce, now)
    return presignature
  }
  wipePresignature(presignature)
  throw fresh ? gone() : staleNonce()
}

function gone(): LockKeeperError {
  return new LockKeeperError(
    "conflict",
    "The presignature was used, or is not one of this server's.",
    { field: "input.presignature", remedy: "Use another one, or presign." },
  )
}

function staleNonce(): LockKeeperError {
  return new LockKeeperError("conflict", "This server's nonce was used, or is over a minute old.", {
    field: "input.nonces",
    remedy: "Fetch new nonces and sign again.",
  })
}
