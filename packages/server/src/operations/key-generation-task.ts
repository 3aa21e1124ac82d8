import {
  type CreateKeyBody,
  identityKeys,
  LockKeeperError,
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
  { self, request }: OwnerStep,
  body: CreateKeyBody,
): Pick<Task, "params" | "identity"> {
  const { keyId, keyType, minSigners, holders, attempt } = body
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
  const { rosterEpoch } = self.roster
  const params = { keyId, keyType, minSigners, participants: holders, rosterEpoch, attempt }
  const identity = { signer: self.identity, verifyKeys: identityKeys(self.roster) }
  return { params, identity }
}
