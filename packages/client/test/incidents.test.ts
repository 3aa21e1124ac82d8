import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import type { Incident } from "@lockkeeper/client"
import {
  encodeEvidence,
  equivocationOf,
  NO_PREVIOUS,
  SUITE,
  signHeader,
} from "@lockkeeper/protocols"
import { IncidentLog } from "../src/incidents.ts"
import { Servers } from "../src/servers.ts"
import { trustRoster } from "../src/trust.ts"
import { TestCluster } from "./cluster.ts"
import { VirtualClock, virtualDependencies } from "./virtual-time.ts"

describe("what is noted of servers", async () => {
  const cluster = await TestCluster.start()
  const patience = { callMs: 1, hedgeMs: 1, keyGenerationStepMs: 1, presigningStepMs: 2_000 }
  const make = (heard: Incident[] = []) => {
    const trust = trustRoster(cluster.signedRoster, cluster.pin)
    const deps = virtualDependencies(new VirtualClock())
    return new IncidentLog(new Servers(trust, deps, patience, (one) => heard.push(one)))
  }
  const equivocation = (signer: number, rosterEpoch = 1) => {
    const header = (byte: number) => {
      const sessionId = new Uint8Array(32)
      const place = { protocol: "dkg", step: 1, attempt: 1, rosterEpoch, sender: 2 } as const
      const parts = new Map([[0, new Uint8Array(32).fill(byte)]])
      const { identity } = cluster.server(signer).self
      const fields = { suite: SUITE, ...place, sessionId, previousDigest: NO_PREVIOUS, parts }
      return signHeader(identity, fields)
    }
    return equivocationOf(header(1), header(2))
  }

  it("is a proof when its evidence holds, and heard of at once", () => {
    const heard: Incident[] = []
    const incidents = make(heard)
    assert.equal(incidents.proven(equivocation(2)), 2)
    const [incident] = incidents.all
    assert.deepEqual([incident?.kind, incident?.server, incident?.name], ["proven", 2, "server-2"])
    assert.deepEqual(heard, incidents.all)
  })

  it("names nobody by evidence that the named server did not sign", () => {
    const incidents = make()
    assert.equal(incidents.proven(equivocation(3)), null)
    assert.deepEqual(incidents.all, [])
  })

  it("names nobody by evidence about an earlier roster, whoever brings it", () => {
    const heard: Incident[] = []
    const incidents = make(heard)
    assert.equal(incidents.provenBy(encodeEvidence(equivocation(2, 0))), null)
    assert.deepEqual([...incidents.all, ...heard], [])
  })

  it("is never a proof when an abort names someone without evidence", () => {
    const incidents = make()
    const blame = { culprits: [1], silent: [3], pair: null, evidence: [], field: "" }
    incidents.aborted({ reason: "bad-dealing", ...blame })
    assert.deepEqual(
      incidents.all.map(({ kind, server }) => [kind, server]),
      [
        ["suspected", 1],
        ["suspected", 3],
      ],
    )
    incidents.aborted({ reason: "missing-messages", ...blame, culprits: [] })
    assert.equal(incidents.all.at(-1)?.kind, "unresponsive")
  })

  it("tells silence from refusal, and says each thing once", () => {
    const incidents = make()
    for (let i = 0; i < 2; i++) {
      incidents.failed(1, new LockKeeperError("unavailable", "no answer"))
      incidents.failed(2, new LockKeeperError("locked", "locked"))
      incidents.silent(3)
    }
    assert.deepEqual(
      incidents.all.map(({ kind, server }) => [kind, server]),
      [
        ["unresponsive", 1],
        ["refused", 2],
        ["unresponsive", 3],
      ],
    )
  })
})
