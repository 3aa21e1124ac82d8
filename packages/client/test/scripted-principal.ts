import { LockKeeperError, signRequest } from "@lockkeeper/api"
import { type Identifier, Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Incident } from "../src/incidents.ts"
import type { Principal } from "../src/principal.ts"
import { Servers } from "../src/servers.ts"
import { trustRoster } from "../src/trust.ts"
import type { TestCluster } from "./cluster.ts"
import { VirtualClock, virtualDependencies } from "./virtual-time.ts"

const PATIENCE = { callMs: 1_000, hedgeMs: 100, keyGenerationStepMs: 500, presigningStepMs: 2_000 }
const LOG = { index: 0, treeSize: 1, head: new Uint8Array(32) }

/** What a server answers to one step; a server of which nothing is said is down. */
export type Script = (server: Identifier, step: number, input: Bytes) => Bytes | null

/**
 * The account towards servers that say whatever a test has them say: what no real server would, and
 * what nobody could send in its name.
 */
export function scriptedPrincipal(cluster: TestCluster, script: Script, told: Incident[] = []) {
  const trust = trustRoster(cluster.signedRoster, cluster.pin)
  const clock = new VirtualClock()
  const deps = virtualDependencies(clock)
  const servers = new Servers(trust, deps, PATIENCE, (incident) => told.push(incident))
  const key = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(1)))
  const principal: Pick<Principal, "servers" | "request" | "act" | "assertLive"> = {
    servers,
    assertLive: () => undefined,
    request: (operation, among, body) =>
      signRequest(
        {
          ...{ operation, body, servers: among, rosterEpoch: 1, issuedAt: 1, expiresAt: 2 },
          ...{ accountId: new Uint8Array(32), requestId: new Uint8Array(16) },
        },
        key,
      ),
    async act(server, _, step, input) {
      const output = script(server, step, input)
      if (output === null) throw new LockKeeperError("unavailable", "down", { server })
      return { output, log: LOG as never }
    },
  }
  return principal as Principal
}
