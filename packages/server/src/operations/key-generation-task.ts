import {
  type CreateKeyBody,
  identityKeys,
  isLeaving,
  LockKeeperError,
  OWNER_DEVICE,
  protocolStepInput,
} from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { type dkg, type Message, messageCodec } from "@lockkeeper/protocols"
import { decodeAs, decodeField } from "../request/decode.ts"
import type { OwnerStep } from "../request/step.ts"

/** What each step of a key generation works on. */
export interface Task {
  readonly step: OwnerStep
  readonly body: CreateKeyBody
  readonly params: dkg.DkgParams
  readonly identity: dkg.DkgIdentity
  readonly messages: readonly Message[]
}

export function readMessages(input: Bytes): readonly Message[] {
  const { messages } = decodeAs("input", protocolStepInput, input)
  return messages.map((m, i) => decodeField(`input.messages.${i}`, () => decode(messageCodec, m)))
}

export function contextOf(
  { self, request, account }: OwnerStep,
  body: CreateKeyBody,
): Pick<Task, "params" | "identity"> {
  const { keyId, keyType, custody, minSigners, holders, attempt } = body
  if (minSigners !== self.roster.minSigners) {
    throw new LockKeeperError(
      "invalid-request",
      `Keys of this roster take ${self.roster.minSigners} signers.`,
      { field: "body.minSigners" },
    )
  }
  const same =
    holders.length === request.servers.length &&
    holders.every((holder, i) => holder === request.servers[i])
  if (!same) {
    throw new LockKeeperError(
      "invalid-request",
      "The holders are not the servers the request is addressed to.",
      { field: "body.holders" },
    )
  }
  const leaving = holders.find((holder) => isLeaving(self.roster, holder))
  if (leaving !== undefined) {
    throw new LockKeeperError("invalid-request", `Server ${leaving} gets no new shares.`, {
      field: "body.holders",
      remedy: "Leave out the members that leave under this roster.",
    })
  }
  if (custody.kind === "self" && keyType === "ecdsa-secp256k1") throw noDeviceYet()
  const { rosterEpoch } = self.roster
  // The owner's device signs as the account does: nobody else can take part in its place.
  const owner = account.value.owner.signingPublicKey
  const additive = new Map(custody.kind === "self" ? [[OWNER_DEVICE, owner]] : [])
  const params = {
    ...{ keyId, keyType, minSigners, participants: holders, additive, rosterEpoch, attempt },
  }
  const identity = { signer: self.identity, verifyKeys: identityKeys(self.roster) }
  return { params, identity }
}

/** Presigning with an owner's device is not built. */
function noDeviceYet(): LockKeeperError {
  return new LockKeeperError("invalid-request", "ecdsa-secp256k1 keys have no owner's share yet.", {
    field: "body.custody",
    remedy: "Create the key with custody custodial, or one of type ed25519 or bip340.",
  })
}
