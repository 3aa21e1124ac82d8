import {
  type Event,
  identityKeys,
  LockKeeperError,
  MAX_ATTEMPTS,
  MAX_PREPARED,
  placementViolation,
  type Roster,
  type SignBody,
  signBody,
  signStepInput,
  signStepOutput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { frost, messageCodec, type PublicKeyPackage } from "@lockkeeper/protocols"
import { checkPath, checkRegistered } from "../children.ts"
import { checkFrostKey, checkKeyEpoch, checkUsable, keyUnchanged, readKey } from "../keys.ts"
import type { Allowed } from "../policies/judge.ts"
import { judgeSigning } from "../policies/judge-signing.ts"
import type { Versioned } from "../ports/store.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { refuseAbort } from "./aborts.ts"
import { freshCommitments, nonceId } from "./commitments.ts"
import { noSuchStep } from "./steps.ts"

/**
 * FROST round two. The step number is the attempt: each attempt is another signer set and takes
 * another commitment. What is signed comes from the request, never from the package.
 */
export const sign: OwnerOperationStep = async (step) => {
  if (step.step < 1 || step.step > MAX_ATTEMPTS) throw noSuchStep()
  const body = decodeAs("body", signBody, step.request.body)
  checkPath(body.path)
  const input = decodeAs("input", signStepInput, step.input)
  const signingPackage = decodeAs("package", frost.signingPackageCodec, input.signingPackage)
  if (input.prepare > MAX_PREPARED) {
    throw new LockKeeperError("invalid-request", `Ask for up to ${MAX_PREPARED} commitments.`, {
      field: "input.prepare",
    })
  }
  if (signingPackage.attempt !== step.step) {
    throw new LockKeeperError("invalid-request", "The package is of another attempt.", {
      field: "package.attempt",
    })
  }
  step.incidents.checkNone(frost.signersIn(signingPackage))
  checkPlacement(step.self.roster, signingPackage)
  const { value: row, version } = await readKey(step.deps.store, step.request.accountId, body.keyId)
  const key = row.keyPackage
  using _share = key.signingShare
  await checkUsable(step, row)
  checkFrostKey(row)
  checkKeyEpoch(row, signingPackage.keyEpoch)
  const signers = frost.signersIn(signingPackage)
  const event = { keyId: body.keyId, signers }
  const { approved, allowed } = await approvedOf(step, body, key.public, event)
  const { nonces, id } = await spendNonces(step, body.keyId, signingPackage)
  const outcome = frost.sign({
    state: nonces.value,
    key,
    package: signingPackage,
    approved,
    verifyKeys: identityKeys(step.self.roster),
    rosterEpoch: step.self.roster.rosterEpoch,
    identity: step.self.identity,
  })
  const taken = { kind: "take", table: "nonces", id, version: nonces.version } as const
  if (!outcome.ok) return refuseAbort(step, outcome.abort, [taken], allowed.event)
  const fresh = freshCommitments(step, key, input.prepare)
  return {
    output: encode(signStepOutput, {
      share: encode(messageCodec, outcome.value),
      commitments: fresh.messages,
    }),
    changes: [taken, ...fresh.changes, keyUnchanged(body.keyId, version), ...allowed.changes],
    event: step.event(allowed.event),
    afterCommit: () => {
      fresh.issue()
      step.counters.signed(key.public.keyType)
    },
    release: fresh.release,
  }
}

/** What this server has found in the request, and allows: the package must say the same. */
async function approvedOf(
  step: OwnerStep,
  { keyId, path, content, merkleRoot }: SignBody,
  key: PublicKeyPackage,
  event: Partial<Event>,
): Promise<{ readonly approved: frost.Approved; readonly allowed: Allowed }> {
  await checkRegistered(step.deps.store, keyId, path)
  const signing = { key, path, content, merkleRoot }
  const { signable, allowed } = await judgeSigning(step, signing, event)
  const { message, tweak } = signable
  return { approved: { requestDigest: step.digest, message, tweak, path }, allowed }
}

/**
 * Strikes the nonces behind the package's commitment of ours off this process's ledger, then reads
 * them. From here on they are gone, whatever happens.
 */
async function spendNonces(
  step: OwnerStep,
  keyId: Bytes,
  signingPackage: frost.SigningPackage,
): Promise<{ nonces: Versioned<frost.NonceState>; id: string }> {
  const commitmentId = frost.commitmentIdIn(signingPackage, step.self.identifier)
  if (commitmentId === null) {
    throw new LockKeeperError("invalid-request", "The package has no commitment of this server.", {
      field: "package.commitments",
    })
  }
  const id = nonceId(keyId, commitmentId)
  const row = step.oneTime.spend(id) ? await step.deps.store.read("nonces", id) : null
  if (row === null) {
    throw new LockKeeperError(
      "conflict",
      "The commitment was used before, or made before this server restarted.",
      { field: "package.commitments", remedy: "Fetch new commitments and sign again." },
    )
  }
  const value = decode(frost.nonceStateCodec, row.value)
  row.value.fill(0)
  return { nonces: { version: row.version, value }, id }
}

/** The roster's placement rules hold at every signer, whatever set a coordinator chooses. */
function checkPlacement(roster: Roster, signingPackage: frost.SigningPackage): void {
  const listed = new Set(roster.members.map(({ identifier }) => identifier))
  const signers = frost.signersIn(signingPackage).filter((signer) => listed.has(signer))
  const violation = placementViolation(roster, signers)
  if (violation === null) return
  throw new LockKeeperError(
    "permission-denied",
    `The roster refuses this signer set: ${violation}.`,
    {
      field: "package.commitments",
      remedy: "Choose signers as the roster's placement rules say.",
    },
  )
}
