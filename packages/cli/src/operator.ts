import { readFileSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"
import { OperatorSession, type SharingKind } from "@lockkeeper/client/operator"
import { fromHex, toHex } from "@lockkeeper/encoding"
import { askServer } from "@lockkeeper/server"
import type { KeeperAddress } from "./owner.ts"
import { readRoster, readRosterBytes } from "./roster-file.ts"

/**
 * Reaches the key servers as the operator of the one that runs over a directory, which certifies this
 * program's key through its control socket.
 */
export async function openOperator(
  { roster, rosterPin, ca }: KeeperAddress,
  directory: string,
): Promise<OperatorSession> {
  const pin = rosterPin ?? readRoster(roster, null).digest
  return OperatorSession.open({
    roster: readRosterBytes(roster),
    pin,
    ...(ca === null ? {} : { ca: readFileSync(ca, "utf8") }),
    async certify(publicKey) {
      const asked = { command: "operator.certify", publicKey: toHex(publicKey) } as const
      return fromHex((await askServer(directory, asked, "certified")).credential)
    },
  })
}

/** How many sharings of one kind a server holds, by the generation of their shares. */
export type Generations = Readonly<Record<number, number>>

/** What one server holds shares of, or why it does not say. */
export interface Holdings {
  readonly server: number
  readonly keys: Generations
  readonly accounts: Generations
  /** Empty when it answered. */
  readonly problem: string
}

/** Counts at one server, which is believed about what it has and about nothing else. */
export async function holdingsAt(
  session: OperatorSession,
  server: number,
  signal: AbortSignal,
): Promise<Holdings> {
  try {
    const keys = await countAt(session, server, "keys", signal)
    const accounts = await countAt(session, server, "accounts", signal)
    return { server, keys, accounts, problem: "" }
  } catch (error) {
    if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
    return { server, keys: {}, accounts: {}, problem: error.message }
  }
}

async function countAt(
  session: OperatorSession,
  server: number,
  kind: SharingKind,
  signal: AbortSignal,
): Promise<Generations> {
  const counts: Record<number, number> = {}
  for await (const page of session.sharingsAt(server, kind, { signal })) {
    for (const { sharing } of page) counts[sharing.keyEpoch] = (counts[sharing.keyEpoch] ?? 0) + 1
  }
  return counts
}
