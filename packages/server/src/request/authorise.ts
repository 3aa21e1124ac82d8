import {
  decodeRequest,
  LockKeeperError,
  MAX_CLOCK_SKEW_MS,
  MAX_REQUEST_LIFETIME_MS,
  mayAsk,
  type OperatorOperation,
  type OwnerOperation,
  type PersonOperation,
  type Request,
  requestDigest,
  type SignedRequest,
  verifyRequest,
} from "@lockkeeper/api"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { isCurrent, type KnownAccount, readKnownAccount, wipeAccount } from "../accounts.ts"
import { personOf, readCharter, roleOf } from "../policies/charters.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { Versioned } from "../ports/store.ts"
import type { ServerSelf } from "../self.ts"
import { decodeField } from "./decode.ts"
import type { Operator } from "./operator.ts"
import type { Authenticated, SessionStage } from "./sessions.ts"
import type { CallContext } from "./step.ts"
import type { Visitor } from "./visitor.ts"

/** What every authorised request has, whoever asks. */
interface Authorised {
  readonly request: Request
  /** 32 bytes; names the request in protocol messages and logs. */
  readonly digest: Bytes
}

export interface OwnerRequest extends Authorised {
  readonly role: "owner"
  readonly operation: OwnerOperation
  readonly account: Versioned<KnownAccount>
}

export interface OperatorRequest extends Authorised {
  readonly role: "operator"
  readonly operation: OperatorOperation
  readonly operator: Operator
}

export interface PersonRequest extends Authorised {
  /** A person of the kind "owner" decides like any approver. */
  readonly role: "approver" | "auditor"
  readonly operation: PersonOperation
  readonly account: Versioned<KnownAccount>
  readonly visitor: Visitor
}

/** A request whose principal, role, address, roster and freshness this server has checked itself. */
export type AuthorisedRequest = OwnerRequest | OperatorRequest | PersonRequest

const IN_SOMEBODYS_NAME: ReadonlySet<SessionStage["kind"]> = new Set([
  ...["authenticated", "operator", "person"],
] as const)

/** Step 2 of the life of a request. @throws LockKeeperError naming the field that fails. */
export async function authorise(
  context: Pick<CallContext, "self" | "deps" | "session" | "incidents" | "operatorRates">,
  signed: SignedRequest,
): Promise<AuthorisedRequest> {
  const { self, deps, session } = context
  const { stage } = session
  if (!IN_SOMEBODYS_NAME.has(stage.kind)) {
    throw new LockKeeperError("unauthenticated", "The session is not logged in.", {
      remedy: "Log in first.",
    })
  }
  const request = decodeField("request", () => decodeRequest(signed))
  const { operation } = request
  checkAddress(self, request)
  checkFreshness(request, deps.clock.now())
  const checked = { request, digest: requestDigest(signed) }
  if (stage.kind === "operator") {
    if (!mayAsk("operator", operation)) throw notForOperators(request)
    checkOperator(context, stage, request, signed)
    return { ...checked, role: "operator", operation, operator: stage }
  }
  if (stage.kind === "person") {
    return { ...checked, ...(await personsRequest(deps, stage, request, signed)) }
  }
  if (stage.kind !== "authenticated") throw new Error("a session in nobody's name")
  if (!mayAsk("owner", operation)) throw notForOwners(request)
  const account = await accountOf(deps, stage, request, signed)
  return { ...checked, role: "owner", operation, account }
}

function notForOwners({ operation }: Request): LockKeeperError {
  return new LockKeeperError("permission-denied", `"${operation}" is for operators of servers.`, {
    field: "request.operation",
    remedy: "Ask the operator of a server to do it.",
  })
}

function notForOperators({ operation }: Request): LockKeeperError {
  return new LockKeeperError("permission-denied", `"${operation}" is for owners of accounts.`, {
    field: "request.operation",
    remedy: "Only the owner can ask for it, in a session of their own.",
  })
}

/** @throws LockKeeperError when the session's operator did not ask for this, or may not any more. */
function checkOperator(
  { deps, incidents, operatorRates }: Pick<CallContext, "deps" | "incidents" | "operatorRates">,
  { server, operatorId, operatorKey }: Operator,
  request: Request,
  signed: SignedRequest,
): void {
  if (!equalBytes(request.accountId, operatorId)) throw otherPrincipal("operator")
  if (!verifyRequest(signed, operatorKey)) throw notSignedBy("operator")
  // Since the session was opened, its server may have been proven at fault.
  incidents.checkNone([server])
  operatorRates.checkStep(server, deps.clock.now())
}

/**
 * The request of a person, who is looked up as the charter has them now: whoever was taken out of it, or
 * whose key was, is let in no more.
 */
async function personsRequest(
  { store }: Dependencies,
  visitor: Visitor,
  request: Request,
  signed: SignedRequest,
): Promise<Omit<PersonRequest, keyof Authorised>> {
  const { operation } = request
  if (!equalBytes(request.accountId, visitor.accountId)) throw otherPrincipal("account")
  if (!verifyRequest(signed, visitor.credential)) throw notSignedBy("person")
  const account = await readKnownAccount(store, visitor.accountId)
  if (account === null) throw otherPrincipal("account")
  try {
    const person = personOf(await readCharter(store, account.value), visitor.credential)
    if (person === null || person.id !== visitor.person) throw noLongerThere()
    const role = roleOf(person)
    if (!mayAsk(role, operation)) throw notForPeople(request, role)
    return { role, operation, account, visitor }
  } catch (error) {
    wipeAccount(account.value)
    throw error
  }
}

function noLongerThere(): LockKeeperError {
  return new LockKeeperError("session-ended", "The account's charter does not have this key.", {
    remedy: "Ask who keeps the account's policy.",
  })
}

function notForPeople({ operation }: Request, role: string): LockKeeperError {
  return new LockKeeperError(
    "permission-denied",
    `"${operation}" is not for a person who is ${role}.`,
    {
      field: "request.operation",
      remedy: "Ask the owner of the account to do it.",
    },
  )
}

function otherPrincipal(who: "account" | "operator"): LockKeeperError {
  return new LockKeeperError(
    "permission-denied",
    `The request names another ${who} than the session's.`,
    { field: "request.accountId", remedy: `Send it in that ${who}'s own session.` },
  )
}

function notSignedBy(who: "account" | "operator" | "person"): LockKeeperError {
  return new LockKeeperError("unauthenticated", `The request is not signed by the ${who}'s key.`, {
    field: "signature",
    remedy: "Sign the request's bytes as they are sent.",
  })
}

/** The session's account, in whose name the request is. The caller wipes it. */
async function accountOf(
  { store }: Dependencies,
  { accountId, opaqueVersion }: Authenticated,
  request: Request,
  signed: SignedRequest,
): Promise<Versioned<KnownAccount>> {
  const isOwn = equalBytes(request.accountId, accountId)
  const account = isOwn ? await readKnownAccount(store, accountId) : null
  if (account === null) throw otherPrincipal("account")
  try {
    checkOwner(account.value, opaqueVersion, signed)
  } catch (error) {
    wipeAccount(account.value)
    throw error
  }
  return account
}

/** @throws LockKeeperError when the session's password or the account's key does not allow it. */
function checkOwner(account: KnownAccount, opaqueVersion: number, signed: SignedRequest): void {
  if (!isCurrent(account, opaqueVersion)) {
    throw new LockKeeperError("session-ended", "The password was changed since this login.", {
      remedy: "Log in with the new password.",
    })
  }
  if (!verifyRequest(signed, account.owner.signingPublicKey)) throw notSignedBy("account")
}

function checkAddress(self: ServerSelf, request: Request): void {
  if (request.rosterEpoch !== self.roster.rosterEpoch) {
    throw new LockKeeperError(
      "wrong-roster",
      `The request is for roster ${request.rosterEpoch}; this server follows roster ${self.roster.rosterEpoch}.`,
      { field: "request.rosterEpoch", remedy: "Fetch the current roster and sign a new request." },
    )
  }
  const ascending = request.servers.every((s, i) => i === 0 || s > (request.servers[i - 1] ?? 0))
  if (!ascending) {
    throw new LockKeeperError("invalid-request", "The servers are not distinct and ascending.", {
      field: "request.servers",
    })
  }
  if (!request.servers.includes(self.identifier)) {
    throw new LockKeeperError("wrong-server", "The request is not addressed to this server.", {
      field: "request.servers",
      remedy: "Send it only to the servers it names.",
    })
  }
}

function checkFreshness(request: Request, now: number): void {
  const { issuedAt, expiresAt } = request
  if (expiresAt <= issuedAt || expiresAt - issuedAt > MAX_REQUEST_LIFETIME_MS) {
    throw new LockKeeperError("invalid-request", "A request lives for up to ten minutes.", {
      field: "request.expiresAt",
    })
  }
  if (issuedAt > now + MAX_CLOCK_SKEW_MS) {
    throw new LockKeeperError("clock-skew", "The request was issued in this server's future.", {
      field: "request.issuedAt",
      remedy: "Set the client's clock.",
    })
  }
  if (now >= expiresAt) {
    throw new LockKeeperError("expired", "The request has expired.", {
      field: "request.expiresAt",
      remedy: "Sign a new request; if it has just been signed, set the client's clock.",
    })
  }
}
