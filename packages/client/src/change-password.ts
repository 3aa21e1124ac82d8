import { changePasswordBody, type SignedRequest } from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { askAll, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { discardLogin, loginTo } from "./login.ts"
import type { Principal } from "./principal.ts"
import { checkConfirmations, dealAccount, needsEveryServer } from "./register.ts"

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
  const { opaqueVersion } = proven.login
  discardLogin(proven.login)

  const dealt = await dealAccount(servers, accountId, opaqueVersion + 1, next, principal.keys)
  const { registration, dealings } = dealt
  const body = encode(changePasswordBody, {
    opaqueVersion: opaqueVersion + 1,
    registrationDigest: opaque.registrationDigest(registration),
  })
  const request = principal.request("account.change-password", servers.all, body)
  const signatures = await dealAll(principal, request, dealings, signal)
  const confirmations = checkConfirmations(servers, registration, signatures)

  // From here on the new password counts: whoever misses this learns of it at the next login.
  const { answers, failures } = await askAll(servers, servers.all, (server) =>
    principal.act(server, request, 2, confirmations, signal),
  )
  for (const [server, error] of failures) incidents.failed(server, error)
  if (answers.size < servers.minSigners) {
    throw notEnough(servers.minSigners, answers.size, failures)
  }
  const renewed = await loginTo(servers, name, next, signal, incidents)
  await principal.renew(renewed.login)
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
    const { answers, failures } = await askAll(servers, servers.all, deal)
    if (failures.size > 0) throw needsEveryServer(servers, answers.size, failures)
    return answers
  } finally {
    for (const { share } of dealings.values()) share.wipe()
  }
}
