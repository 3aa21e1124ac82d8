import { cpSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { Roster, SignedRoster } from "@lockkeeper/api"
import { inlineCompute } from "../src/adapters/inline-compute.ts"
import { systemClock, systemRandomness } from "../src/adapters/system.ts"
import { assembleSelf } from "../src/assemble-self.ts"
import { type Unsealed, unsealServer } from "../src/directory/unseal.ts"
import { KeyServer } from "../src/key-server.ts"
import type { Change, Store } from "../src/ports/store.ts"
import { RosterSuccession } from "../src/roster-succession.ts"
import { Turnstile } from "../src/turnstile.ts"
import { WatchedStore } from "../src/watched-store.ts"
import { createKey } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"
import { RecordedEvents, scratch, seal, type TestServer } from "./server-directories.ts"

export interface LiveServer {
  readonly unsealed: Unsealed
  /** As operations see it. */
  readonly store: Store
  readonly turnstile: Turnstile
  readonly succession: RosterSuccession
  readonly events: RecordedEvents
}

/** What runs around a commit of a live server. */
export type AroundCommit = (batch: readonly Change[], commit: () => Promise<void>) => Promise<void>

/** A server over its directory as `runServer` makes it, without ports, each commit of which can be seen. */
export async function liveServer(
  { directory }: TestServer,
  around: AroundCommit = (_, commit) => commit(),
): Promise<LiveServer> {
  const unsealed = await unsealServer(directory, seal(), systemRandomness)
  const commit = unsealed.store.commit.bind(unsealed.store)
  unsealed.store.commit = async (batch) => {
    let positions: Awaited<ReturnType<Store["commit"]>> = []
    await around(batch, async () => {
      positions = await commit(batch)
    })
    return positions
  }
  const store = new WatchedStore(unsealed.store)
  const events = new RecordedEvents()
  const [clock, randomness, compute] = [systemClock, systemRandomness, inlineCompute]
  const deps = { clock, randomness, compute, store, events }
  const maxAgeMs = 3_600_000
  const server = new KeyServer(await assembleSelf(unsealed), deps, maxAgeMs)
  await server.start("unclean")
  const turnstile = new Turnstile(server)
  const succession = new RosterSuccession({ unsealed, store, deps, turnstile, maxAgeMs })
  return { unsealed, store, turnstile, succession, events }
}

/** The files as a process that is killed now leaves them. */
export function copyOf({ directory, descriptor }: TestServer): TestServer {
  const copy = join(scratch(), "copy")
  mkdirSync(copy, { mode: 0o700 })
  for (const name of readdirSync(directory)) {
    if (name !== "control.sock") cpSync(join(directory, name), join(copy, name))
  }
  return { directory: copy, descriptor }
}

/** Rows of a key that three servers made, 2 of which it takes, as the first one holds them. */
export async function rowsOfKey(): Promise<readonly Change[]> {
  const cluster = await startCluster()
  const owner = new TestOwner(cluster)
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  await createKey(owner, sessions, "ed25519")
  const store = cluster.servers.get(1)?.store
  const rows = (await store?.scan("keys", "", "", 1)) ?? []
  if (rows.length === 0) throw new Error("a server without the key it made")
  return rows.map(({ id, value }) => {
    return { kind: "put", table: "keys", id, ifVersion: "absent", value }
  })
}

/** An owner who can open sessions at this server alone. */
export function ownerAt(server: KeyServer, roster: Roster, signed: SignedRoster): TestOwner {
  const { identifier } = server.self
  const clock = { time: Date.now() }
  const servers = new Map([[identifier, { identifier, server } as never]])
  return new TestOwner({ roster, signed, rostersBefore: [], servers, clock, secrets: [] })
}
