import { changePasswordBody, type LockKeeperError, type SignedRequest } from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { askAll, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { type LoginOutcome, loginTo } from "./login.ts"
import type { Principal } from "./principal.ts"
import { checkConfirmations, dealAccount, needsEveryServer } from "./register.ts"

/** How far ahead of the others a server is believed to be. */
const MOST_VERSIONS_AHEAD = 16

export interface PasswordChange {
  readonly name: string
  readonly current: Secret
  readonly next: Secret
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

/**
 * Deals a new OPRF key under the new password and wraps the account's unchanged keys under it. The
 * current password is asked for again, by a login of its own: an unattended session must not be
 * enough to shut the owner out. Afterwards the principal goes on with the new password's login.
 */
export async function changePassword(principal: Principal, change: PasswordChange): Promise<void> {
  const { servers, accountId } = principal
  const { name, current, next, signal, incidents } = change
  const proven = await loginTo(servers, name, current, signal, incidents)
  // Servers can go back to the version of the session that activates: it is this login's everywhere.
  await principal.renew(proven.login)
  const opaqueVersion = nextVersion(proven)

  const dealt = await dealAccount(servers, accountId, opaqueVersion, next, principal.keys)
  const { registration, dealings } = dealt
  const body = encode(changePasswordBody, {
    opaqueVersion,
    registrationDigest: opaque.registrationDigest(registration),
  })
  const request = principal.request("account.change-password", servers.holders, body)
  const signatures = await dealAll(principal, request, dealings, signal)
  const confirmations = checkConfirmations(servers, registration, signatures)

  // From here on the new password counts: whoever misses this learns of it at the next login.
  const { answers, failures } = await askAll(servers, servers.holders, (server) =>
    principal.act(server, request, 2, confirmations, signal),
  )
  for (const [server, error] of failures) incidents.failed(server, error)
  if (answers.size < servers.minSigners) {
    throw notEnough(servers.minSigners, answers.size, failures)
  }
  const renewed = await loginTo(servers, name, next, signal, incidents)
  await principal.renew(renewed.login)
  // Until now every server could go back. Only when none needs to is the old password destroyed.
  if (failures.size > 0) return
  const unfinished = await finaliseEverywhere(principal, request, signal)
  for (const [server, error] of unfinished) incidents.failed(server, error)
}

/** Above the version of every server, also of those that an unfinished change has put ahead. */
function nextVersion({ login, versionsAhead }: LoginOutcome): number {
  // A server that lies about its version must not use the numbers up.
  return login.opaqueVersion + 1 + Math.min(versionsAhead, MOST_VERSIONS_AHEAD)
}

async function finaliseEverywhere(
  principal: Principal,
  request: SignedRequest,
  signal: AbortSignal,
): Promise<ReadonlyMap<Identifier, LockKeeperError>> {
  const none = new Uint8Array(0)
  const { servers } = principal
  const finalise = (server: Identifier) => principal.act(server, request, 3, none, signal)
  return (await askAll(servers, servers.holders, finalise)).failures
}

/**
 * Activates the password change in force at servers that dealt in it and missed its end: the other
 * servers' word that the owner has logged in lets the owner in, everyone's confirmations do the rest.
 * A server that lies is no better afterwards, and nothing is lost by trying.
 */
export async function bringUpToDate(
  principal: Principal,
  { stale, confirmations, login }: LoginOutcome,
  signal: AbortSignal,
): Promise<void> {
  if (stale.length === 0) return
  const { servers } = principal
  const { opaqueVersion } = login
  const requestFor = (registrationDigest: Bytes, among: readonly Identifier[]) => {
    const body = encode(changePasswordBody, { opaqueVersion, registrationDigest })
    return principal.request("account.change-password", among, body)
  }
  const { hedgeMs } = servers.patience
  const { answers, failures } = await askAll(servers, stale, (server) => {
    const request = requestFor(new Uint8Array(32), [server])
    return principal.act(server, request, 2, confirmations, signal, hedgeMs)
  })
  // The digest is a server's word; servers with another registration refuse to finalise by it.
  const [activated] = answers.values()
  if (failures.size > 0 || activated?.output.length !== 32) return
  await finaliseEverywhere(principal, requestFor(activated.output, servers.holders), signal)
}

async function dealAll(
  principal: Principal,
  request: SignedRequest,
  dealings: ReadonlyMap<Identifier, opaque.AccountDealing>,
  signal: AbortSignal,
): Promise<ReadonlyMap<Identifier, Bytes>> {
  const { servers } = principal
  const deal = async (server: Identifier): Promise<Bytes> => {
    const encoded = encode(
      opaque.accountDealingCodec,
      dealings.get(server) as opaque.AccountDealing,
    )
    try {
      return (await principal.act(server, request, 1, encoded, signal)).output
    } finally {
      encoded.fill(0)
    }
  }
  try {
    const { answers, failures } = await askAll(servers, servers.holders, deal)
    if (failures.size > 0) throw needsEveryServer(servers, answers.size, failures)
    return answers
  } finally {
    for (const { share } of dealings.values()) share.wipe()
  }
}
