import {
  LockKeeperError,
  type LoginStatement,
  loginStatement,
  type SignedStatement,
} from "@lockkeeper/api"
import { type Identifier, type Secret, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, equalBytes } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { LOGIN_LIFETIME_MS } from "./limits.ts"
import type { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"

/** What a server said after it had seen the password proven. */
export interface Finished {
  readonly session: ServerSession
  readonly statement: SignedStatement
  readonly confirmations: Bytes
  /** The account's keys, from the server's copy, and the version that this copy was wrapped for. */
  readonly keys: opaque.OpenAccountKeys
  readonly opaqueVersion: number
  readonly expiresAt: number
}

/** Proves the password to one server, which proved itself to us before, and checks its answer. */
export async function proveAt(
  servers: Servers,
  accountId: Bytes,
  {
    session,
    proof: { ke3, sessionKey },
    exportKey,
    signal,
  }: {
    readonly session: ServerSession
    readonly proof: opaque.LoginSession
    readonly exportKey: Secret
    readonly signal: AbortSignal
  },
): Promise<Finished> {
  const server = session.identifier
  const answer = await session.finishLogin(ke3, sessionKey, signal)
  const { statement, confirmations, expiresAt } = answer
  const wrapped = decodeKeys(server, answer.accountKeys)
  // What the keys were wrapped for is sealed with them; beside it the server's word counts nothing.
  const { opaqueVersion } = wrapped
  const expected = { server, accountId, opaqueVersion, expiresAt }
  if (!isStatement(servers, statement, expected)) throw malformed(server, "statement")
  const opened = opaque.openAccountKeys(exportKey, accountId, wrapped)
  if (!opened.ok) throw malformed(server, "copy of the account's keys")
  return { session, statement, confirmations, keys: opened.value, opaqueVersion, expiresAt }
}

/**
 * Whether the server signed that this account logged in at it, in words that the others take: with a
 * statement that they refuse, the session could not go on at any server outside the login.
 */
function isStatement(
  { trust, deps }: Servers,
  { statement, signature }: SignedStatement,
  expected: Pick<LoginStatement, "server" | "accountId" | "opaqueVersion" | "expiresAt">,
): boolean {
  const { server, accountId, opaqueVersion, expiresAt } = expected
  if (!verifySignature(trust.verifyKeys.get(server) as Bytes, statement, signature)) return false
  try {
    const said = decode(loginStatement, statement)
    return (
      said.server === server &&
      equalBytes(said.accountId, accountId) &&
      said.rosterEpoch === trust.roster.rosterEpoch &&
      said.opaqueVersion === opaqueVersion &&
      said.expiresAt === expiresAt &&
      said.expiresAt - said.loginAt <= LOGIN_LIFETIME_MS &&
      said.expiresAt > deps.clock.now()
    )
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}

function decodeKeys(server: Identifier, encoded: Bytes): opaque.AccountKeys {
  try {
    return decode(opaque.accountKeysCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw malformed(server, "copy of the account's keys")
  }
}

function malformed(server: Identifier, what: string): LockKeeperError {
  return new LockKeeperError("untrusted-server", `The server's ${what} is malformed.`, { server })
}

/** The registration's version that a login response shows, or 0. */
export function versionIn(response: Bytes): number {
  try {
    return decode(opaque.loginResponseCodec, response).frame.shownVersion
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return 0
  }
}
