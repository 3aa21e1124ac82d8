import {
  LockKeeperError,
  MAX_NONCES,
  type PreparedEcdsa,
  preparedEcdsa,
  prepareEcdsaBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { dkls, messageCodec, type PublicKeyPackage } from "@lockkeeper/protocols"
import { checkEcdsaKey, checkKeyEpoch, checkUsable, readKey } from "../keys.ts"
import { takePresignature } from "../presigning/presignatures.ts"
import { checkSignerSet } from "../presigning/signer-sets.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** Nonces and offers for up to 16 future signatures, so that each takes one round trip. */
export const prepareEcdsa: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { keyId, keyEpoch, signers, count } = decodeAs("body", prepareEcdsaBody, step.request.body)
  if (count < 1 || count > MAX_NONCES) {
    throw new LockKeeperError("invalid-request", `Ask for 1 to ${MAX_NONCES} nonces.`, {
      field: "body.count",
    })
  }
  const { self, deps, presigning } = step
  const { value: row } = await readKey(deps.store, step.request.accountId, keyId)
  using _share = row.keyPackage.signingShare
  await checkUsable(step, row)
  checkEcdsaKey(row)
  checkKeyEpoch(row, keyEpoch)
  const key = row.keyPackage.public
  checkSignerSet(self.roster, self.identifier, key, signers)
  step.incidents.checkNone(signers)
  const old = presigning.pool.dropOutdated(keyId, key.keyEpoch, self.roster.rosterEpoch)
  presigning.countBurnt(old)
  const { prepared, issue } = prepareNext(step, key, signers, count)
  return {
    output: encode(preparedEcdsa, prepared),
    changes: old.map(({ id }) => takePresignature(id)),
    event: step.event({ keyId }),
    afterCommit: issue,
  }
}

/**
 * What the next signatures with this signer set take from this server: nonces, usable once `issue`
 * was called after the commit, and, from the set's first signer, presignatures nobody else is offered.
 */
export function prepareNext(
  { self, deps, presigning }: OwnerStep,
  { keyId, keyEpoch }: PublicKeyPackage,
  signers: readonly Identifier[],
  count: number,
): { readonly prepared: PreparedEcdsa; issue(): void } {
  const now = deps.clock.now()
  const nonces: Bytes[] = Array.from({ length: count }, () => deps.randomness.bytes(32))
  const identity = { signer: self.identity }
  const place = { identifier: self.identifier, keyId, keyEpoch }
  const messages = nonces.map((randomness) => {
    const input = { ...place, rosterEpoch: self.roster.rosterEpoch, randomness }
    return encode(messageCodec, dkls.ecdsaNonce(input, identity))
  })
  const first = signers[0] === self.identifier
  const presignatures = first ? presigning.pool.offer(keyId, signers, count, now) : []
  return {
    prepared: { nonces: messages, presignatures },
    issue: () => {
      for (const nonce of nonces) presigning.nonces.issue(keyId, nonce, now)
    },
  }
}
