import {
  decodeRequest,
  LockKeeperError,
  MAX_CLOCK_SKEW_MS,
  MAX_REQUEST_LIFETIME_MS,
  type Request,
  requestDigest,
  type SignedRequest,
  verifyRequest,
} from "@lockkeeper/api"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import {
  type ActiveAccount,
  accountKey,
  heldRecord,
  readActiveAccount,
  wipeAccount,
} from "../accounts.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { Versioned } from "../ports/store.ts"
import type { ServerSelf } from "../self.ts"
import { decodeField } from "./decode.ts"
import type { Session } from "./sessions.ts"

/** A request whose principal, address, roster and freshness this server has checked itself. */
export interface AuthorisedRequest {
  readonly request: Request
  /** 32 bytes; names the request in protocol messages and logs. */
  readonly digest: Bytes
  readonly account: Versioned<ActiveAccount>
}

/** Step 2 of the life of a request. @throws LockKeeperError naming the field that fails. */
export async function authorise(
  self: ServerSelf,
  deps: Dependencies,
  session: Session,
  signed: SignedRequest,
): Promise<AuthorisedRequest> {
  const { stage } = session
  if (stage.kind !== "authenticated") {
    throw new LockKeeperError("unauthenticated", "The session is not logged in.", {
      remedy: "Log in first.",
    })
  }
  const request = decodeField("request", () => decodeRequest(signed))
  checkAddress(self, request)
  checkFreshness(request, deps.clock.now())
  const account = equalBytes(request.accountId, stage.accountId)
    ? await readActiveAccount(deps.store, stage.accountId)
    : null
  if (account === null) {
    throw new LockKeeperError(
      "permission-denied",
      "The request names another account than the session's.",
      { field: "request.accountId", remedy: "Send it in that account's own session." },
    )
  }
  try {
    checkPrincipal(account.value, stage.opaqueVersion, signed)
  } catch (error) {
    wipeAccount(account.value)
    throw error
  }
  return { request, digest: requestDigest(signed), account }
}

/** @throws LockKeeperError when the session's password or the account's key does not allow it. */
function checkPrincipal(
  account: ActiveAccount,
  opaqueVersion: number,
  signed: SignedRequest,
): void {
  if (heldRecord(account, opaqueVersion) === null) {
    throw new LockKeeperError("session-ended", "The password was changed since this login.", {
      remedy: "Log in with the new password.",
    })
  }
  if (!verifyRequest(signed, accountKey(account))) {
    throw new LockKeeperError(
      "unauthenticated",
      "The request is not signed by the account's key.",
      { field: "signature", remedy: "Sign the request's bytes as they are sent." },
    )
  }
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
