import { LockKeeperError, type OpenPayload, visitInput } from "@lockkeeper/api"
import { verifySignature } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { readKnownAccount, wipeAccount } from "../accounts.ts"
import { personOf, readCharter } from "../policies/charters.ts"
import { commitEvent } from "../request/commit.ts"
import { sessionEvent } from "../request/events.ts"
import type { Opening, OpeningContext } from "../request/opening.ts"
import { visitorNote } from "../request/visitor.ts"

/** Longest the session of a person lasts, milliseconds. */
export const VISIT_LIFETIME_MS = 3_600_000

/**
 * Opens a session of a person in an account's charter: the key that signs this very handshake is theirs.
 * Accounts that do not exist, have no charter or do not have the person are refused alike.
 */
export async function openVisit(
  { deps }: OpeningContext,
  transcript: Bytes,
  { issuedAt, accountId, credential, signature }: Extract<OpenPayload, { kind: "visit" }>,
): Promise<Opening> {
  const signed = encode(visitInput, { label: null, transcript, accountId, issuedAt })
  if (!verifySignature(credential, signed, signature)) {
    throw new LockKeeperError("unauthenticated", "The key did not sign this handshake.", {
      field: "payload.signature",
      remedy: "Sign with the key that the charter has.",
    })
  }
  const person = await personIn(deps, accountId, credential)
  const event = sessionEvent("session.visit", accountId, { note: visitorNote({ person }) })
  await commitEvent(deps, event)
  const expiresAt = deps.clock.now() + VISIT_LIFETIME_MS
  return {
    answer: { kind: "visit", person, expiresAt },
    stage: { kind: "person", accountId, person, credential },
    expiresAt,
  }
}

async function personIn(
  { store }: OpeningContext["deps"],
  accountId: Bytes,
  credential: Bytes,
): Promise<string> {
  const account = await readKnownAccount(store, accountId)
  const charter = account === null ? null : await readCharter(store, account.value)
  if (account !== null) wipeAccount(account.value)
  const person = personOf(charter, credential)
  if (person !== null) return person.id
  throw new LockKeeperError("unauthenticated", "The key is nobody's in the account's charter.", {
    field: "payload.credential",
    remedy: "Ask who keeps the account's policy.",
  })
}
