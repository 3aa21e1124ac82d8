// A second process of one key server: over the same database, without the lock that forbids it.
import { decodeRoster, type SignedRoster } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import { SqliteRowStore } from "../../src/adapters/sqlite/row-store.ts"
import { systemRandomness } from "../../src/adapters/system.ts"
import { deriveSecrets, generateSeeds } from "../../src/directory/server-secrets.ts"
import { OneTimeLedger } from "../../src/one-time.ts"
import { seededRandomness, startServer } from "../memory-cluster.ts"

/** What the parent says first. */
export interface ReplicaPlan {
  readonly path: string
  readonly time: number
  readonly signed: SignedRoster
  /** Takes the process's own ledger away, so that nothing but the database decides. */
  readonly withoutLedger: boolean
}

type Frame = { sessionId: Bytes; counter: number; sealed: Bytes }

export type ReplicaCall =
  | { readonly id: number; readonly kind: "open"; readonly hello: Bytes }
  | { readonly id: number; readonly kind: "call"; readonly frame: Frame }

process.once("message", async ({ path, time, signed, withoutLedger }: ReplicaPlan) => {
  if (withoutLedger) {
    const { spend } = OneTimeLedger.prototype
    OneTimeLedger.prototype.spend = function (id) {
      spend.call(this, id)
      return true
    }
  }
  const { server } = await startServer({
    identifier: 1,
    own: deriveSecrets(generateSeeds(seededRandomness("server 1"))),
    roster: decodeRoster(signed.roster),
    signed,
    clock: { time },
    rows: new SqliteRowStore(path),
    randomness: systemRandomness,
  })
  process.on("message", async (asked: ReplicaCall) => {
    const answer = asked.kind === "open" ? server.open(asked.hello) : server.call(asked.frame)
    const bytes = await answer.catch((error: unknown) => String(error))
    process.send?.({ id: asked.id, bytes })
  })
  process.send?.({ id: 0, bytes: null })
})
