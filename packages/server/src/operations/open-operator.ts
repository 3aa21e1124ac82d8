import {
  decodeCredential,
  LockKeeperError,
  MAX_CLOCK_SKEW_MS,
  MAX_OPERATOR_LIFETIME_MS,
  type OpenPayload,
  type OperatorCredential,
  operatorOpeningInput,
  type SignedCredential,
  verifyCredential,
} from "@lockkeeper/api"
import { verifySignature } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { commitEvent } from "../request/commit.ts"
import { decodeField } from "../request/decode.ts"
import { sessionEvent } from "../request/events.ts"
import type { Opening, OpeningContext } from "../request/opening.ts"
import { operatorNote, operatorOf } from "../request/operator.ts"
import type { ServerSelf } from "../self.ts"

const FIELD = "payload.credential"

/**
 * Opens an operator's session: the key that signs this very handshake is, by the word of a server of
 * the roster, its operator's.
 */
export async function openOperator(
  { self, deps, incidents, operatorRates }: OpeningContext,
  transcript: Bytes,
  { issuedAt, credential, signature }: Extract<OpenPayload, { kind: "operate" }>,
): Promise<Opening> {
  const now = deps.clock.now()
  const { server, operatorKey, expiresAt } = checkCredential(self, now, credential)
  const signed = encode(operatorOpeningInput, { label: null, transcript, issuedAt })
  if (!verifySignature(operatorKey, signed, signature)) {
    throw new LockKeeperError(
      "unauthenticated",
      "The credential's key did not sign this handshake.",
      { field: "payload.signature", remedy: "Sign with the key that the server certified." },
    )
  }
  incidents.checkNone([server])
  operatorRates.checkOpening(server, now)
  const operator = operatorOf(server, operatorKey)
  const note = operatorNote(operator)
  await commitEvent(deps, sessionEvent("session.operate", operator.operatorId, { note }))
  return {
    answer: { kind: "operate", expiresAt },
    stage: { kind: "operator", ...operator },
    expiresAt,
  }
}

/** What a credential says, when the member that it names signed it and it holds now. */
function checkCredential(
  self: ServerSelf,
  now: number,
  signed: SignedCredential,
): OperatorCredential {
  const said = decodeField(FIELD, () => decodeCredential(signed))
  if (said.rosterEpoch !== self.roster.rosterEpoch) {
    throw new LockKeeperError(
      "wrong-roster",
      `The credential is for roster ${said.rosterEpoch}; this server follows roster ${self.roster.rosterEpoch}.`,
      {
        field: `${FIELD}.rosterEpoch`,
        remedy: "Have the server that follows this roster certify.",
      },
    )
  }
  const member = self.roster.members.find(({ identifier }) => identifier === said.server)
  if (member === undefined) {
    throw new LockKeeperError("permission-denied", `The roster has no server ${said.server}.`, {
      field: `${FIELD}.server`,
      remedy: "Only operators of the roster's servers are let in.",
    })
  }
  if (!verifyCredential(signed, member.identityKey)) {
    throw new LockKeeperError(
      "unauthenticated",
      `The credential is not signed by server ${said.server} "${member.name}".`,
      { field: `${FIELD}.signature`, remedy: "Have that server certify the operator's key." },
    )
  }
  checkTimes(said, now)
  return said
}

function checkTimes({ issuedAt, expiresAt }: OperatorCredential, now: number): void {
  if (expiresAt <= issuedAt || expiresAt - issuedAt > MAX_OPERATOR_LIFETIME_MS) {
    throw new LockKeeperError("invalid-request", "A credential holds for up to a day.", {
      field: `${FIELD}.expiresAt`,
      remedy: "Certify the key for less.",
    })
  }
  if (issuedAt > now + MAX_CLOCK_SKEW_MS) {
    throw new LockKeeperError("clock-skew", "The credential was issued in this server's future.", {
      field: `${FIELD}.issuedAt`,
      remedy: "Set the clocks of both servers.",
    })
  }
  if (now >= expiresAt) {
    throw new LockKeeperError("expired", "The credential has expired.", {
      field: `${FIELD}.expiresAt`,
      remedy: "Have the server certify the key again; if it just did, set its clock.",
    })
  }
}
