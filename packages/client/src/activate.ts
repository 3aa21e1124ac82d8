import { LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"

export interface Activation {
  readonly name: string
  /** What may be all servers' signatures over the registration; the server checks them. */
  readonly confirmations: readonly Bytes[]
}

/**
 * Tells a server that dealt in a registration and missed its end that all have confirmed it. Whether
 * it has the account active now: one that has another registration, or none, refuses.
 */
export async function activateAt(
  servers: Servers,
  server: Identifier,
  { name, confirmations }: Activation,
  signal: AbortSignal,
): Promise<boolean> {
  const issuedAt = servers.deps.clock.now()
  const payload = () => ({ kind: "register", issuedAt, name }) as const
  const opening = ServerSession.open(servers, server, payload, signal)
  const session = (await orNull(opening))?.session ?? null
  if (session === null) return false
  try {
    for (const said of confirmations) {
      const call = session.call({ kind: "register-activate", confirmations: said }, signal)
      if ((await orNull(call)) !== null) return true
    }
    return false
  } finally {
    session.end()
  }
}

/** Null where the server refuses or cannot be reached. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
    return null
  }
}
