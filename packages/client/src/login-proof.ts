import { LockKeeperError, loginStatement, type SignedStatement } from "@lockkeeper/api"
import { type Identifier, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, equalBytes } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"

/** What a server said after it had seen the password proven. */
export interface Finished {
  readonly session: ServerSession
  readonly statement: SignedStatement
  readonly accountKeys: opaque.AccountKeys
  readonly confirmations: Bytes
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
    signal,
  }: {
    readonly session: ServerSession
    readonly proof: opaque.LoginSession
    readonly signal: AbortSignal
  },
): Promise<Finished> {
  const server = session.identifier
  const answer = await session.finishLogin(ke3, sessionKey, signal)
  const { statement, confirmations, opaqueVersion, expiresAt } = answer
  if (!isStatement(servers, server, accountId, statement)) throw malformed(server, "statement")
  const accountKeys = decodeKeys(server, answer.accountKeys)
  return { session, statement, accountKeys, confirmations, opaqueVersion, expiresAt }
}

/** Whether the server signed that this account logged in at it: other servers will ask. */
function isStatement(
  { trust }: Servers,
  server: Identifier,
  accountId: Bytes,
  { statement, signature }: SignedStatement,
): boolean {
  if (!verifySignature(trust.verifyKeys.get(server) as Bytes, statement, signature)) return false
  try {
    const said = decode(loginStatement, statement)
    return said.server === server && equalBytes(said.accountId, accountId)
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
