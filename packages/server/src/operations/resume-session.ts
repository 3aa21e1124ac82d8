import {
  fewestSigners,
  LockKeeperError,
  loginStatement,
  memberOf,
  type OpenPayload,
  resumptionInput,
  type SignedStatement,
} from "@lockkeeper/api"
import { type Identifier, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import { type KnownAccount, readKnownAccount, wipeAccount } from "../accounts.ts"
import { readDecoy } from "../decoy-account.ts"
import { checkAnswers } from "../names-under-roster.ts"
import { commitEvent } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import { sessionEvent } from "../request/events.ts"
import type { Opening, OpeningContext } from "../request/opening.ts"
import { LOGIN_LIFETIME_MS } from "../request/sessions.ts"
import type { ServerSelf } from "../self.ts"
import { readUnknownNames } from "../unknown-names.ts"

/**
 * Opens an authenticated session for an owner who has logged in at t servers: their statements say
 * so, and the account's key signs this very handshake.
 */
export async function resumeSession(
  { self, deps }: OpeningContext,
  transcript: Bytes,
  payload: Extract<OpenPayload, { kind: "resume" }>,
): Promise<Opening> {
  const { accountId, issuedAt, statements, signature } = payload
  const known = (await readKnownAccount(deps.store, accountId))?.value ?? null
  // Anyone can ask this of any name, as often as they like: no account takes as long as one.
  const decoy = known === null || known.active === null ? await readDecoy(deps.store) : null
  const account = known ?? (decoy as KnownAccount)
  wipeAccount(account)
  const signed = encode(resumptionInput, { label: null, transcript, issuedAt })
  const right = verifySignature(account.owner.signingPublicKey, signed, signature)
  if (!right || known === null) {
    // Where it does not answer for the range it says that, to owners and to everybody else.
    checkAnswers((await readUnknownNames(deps.store)).value, accountId)
    throw new LockKeeperError("unauthenticated", "The account's key did not sign this handshake.", {
      field: "payload.signature",
      remedy: "Log in again.",
    })
  }
  const { opaqueVersion, expiresAt } = checkStatements(self, deps.clock.now(), account, statements)
  await commitEvent(deps, sessionEvent("session.resume", accountId))
  return {
    answer: { kind: "resume", expiresAt },
    stage: { kind: "authenticated", accountId, opaqueVersion },
    expiresAt,
  }
}

interface Resumed {
  /** The version held here that the login counts as one at. */
  readonly opaqueVersion: number
  /** When the earliest of the t statements ends. */
  readonly expiresAt: number
}

/**
 * What t valid statements by distinct servers say. A password change that stopped half way leaves
 * servers with different versions, so a login counts here when it was at the active version or a
 * later one, or at the one before while it may still log in.
 */
function checkStatements(
  self: ServerSelf,
  now: number,
  account: KnownAccount,
  statements: readonly SignedStatement[],
): Resumed {
  const active = account.owner.opaqueVersion
  const previous = account.previous?.registration.keys.opaqueVersion ?? active
  const atActive = new Map<Identifier, number>()
  const atPrevious = new Map<Identifier, number>()
  for (const [i, { statement, signature }] of statements.entries()) {
    const said = decodeAs(`payload.statements.${i}`, loginStatement, statement)
    const { identityKey } = memberOf(self.roster, said.server)
    const holds =
      verifySignature(identityKey, statement, signature) &&
      equalBytes(said.accountId, account.accountId) &&
      said.rosterEpoch === self.roster.rosterEpoch &&
      said.expiresAt > now &&
      said.expiresAt - said.loginAt <= LOGIN_LIFETIME_MS
    if (holds && said.opaqueVersion >= active) atActive.set(said.server, said.expiresAt)
    else if (holds && said.opaqueVersion === previous) atPrevious.set(said.server, said.expiresAt)
  }
  // An account that was not moved yet logs in at as many as before.
  const minSigners = fewestSigners(self.roster)
  const isActive = atActive.size >= minSigners
  const expiries = isActive ? atActive : atPrevious
  if (expiries.size < minSigners) {
    throw new LockKeeperError(
      "session-ended",
      `A session resumes with login statements of ${minSigners} servers; ${Math.max(atActive.size, atPrevious.size)} hold now.`,
      { field: "payload.statements", remedy: "Log in again." },
    )
  }
  return {
    opaqueVersion: isActive ? active : previous,
    expiresAt: Math.min(...expiries.values()),
  }
}
