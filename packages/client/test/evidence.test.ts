import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { verifyEvidenceFile } from "@lockkeeper/client"
import { concat } from "@lockkeeper/encoding"
import {
  encodeEvidence,
  equivocationOf,
  NO_PREVIOUS,
  SUITE,
  signHeader,
} from "@lockkeeper/protocols"
import fc from "fast-check"
import { evidenceFile, MAX_EVIDENCE_FILE } from "../src/evidence.ts"
import { TestCluster } from "./cluster.ts"

describe("an evidence file", async () => {
  const cluster = await TestCluster.start()
  const { identity } = cluster.server(2).self
  const header = (session: number) => {
    const sessionId = new Uint8Array(32).fill(1)
    const place = {
      protocol: "dkg",
      step: 1,
      attempt: 1,
      sessionId,
      rosterEpoch: 1,
      sender: 2,
    } as const
    const parts = new Map([[0, new Uint8Array(32).fill(session)]])
    return signHeader(identity, { suite: SUITE, ...place, previousDigest: NO_PREVIOUS, parts })
  }
  const evidence = encodeEvidence(equivocationOf(header(1), header(2)))
  const file = evidenceFile(cluster.signedRoster, evidence)

  it("names the culprit to whoever trusts the roster in it", () => {
    const verdict = verifyEvidenceFile(file, cluster.signedRoster)
    assert.ok(verdict.valid && verdict.pair === null)
    const { culprit, name, operator, reason, rosterEpoch, rosterDigest } = verdict
    assert.deepEqual([culprit, name, operator], [2, "server-2", "operator-2"])
    assert.deepEqual([reason, rosterEpoch], ["equivocation", 1])
    assert.deepEqual(rosterDigest, cluster.pin)
  })

  it("proves nothing to whoever trusts another roster", async () => {
    const other = await TestCluster.start({ servers: 2 })
    const verdict = verifyEvidenceFile(file, other.signedRoster)
    assert.deepEqual(verdict, {
      valid: false,
      why: "it is about another roster than the one you trust",
    })
  })

  it("proves nothing with any byte altered, cut or added", () => {
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = file.slice()
        altered[at] = (altered[at] as number) ^ flip
        const verdict = verifyEvidenceFile(altered, cluster.signedRoster)
        // The copies of members' signatures in the file are not what is trusted.
        if (verdict.valid) assert.ok(isInSignatures(at), `byte ${at}`)
      }),
      { numRuns: 300 },
    )
    assert.equal(verifyEvidenceFile(file.slice(0, -1), cluster.signedRoster).valid, false)
    const longer = concat(file, new Uint8Array(1))
    assert.equal(verifyEvidenceFile(longer, cluster.signedRoster).valid, false)
  })

  function isInSignatures(at: number): boolean {
    const label = 28 + 4
    const rosterEnd = label + 4 + cluster.signed.roster.length
    return at >= rosterEnd && at < label + cluster.signedRoster.length
  }

  it("never makes the verifier throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 400 }), (a, b) => {
        assert.equal(verifyEvidenceFile(a, b).valid, false)
        assert.equal(verifyEvidenceFile(file, b).valid, false)
        assert.equal(verifyEvidenceFile(a, cluster.signedRoster).valid, false)
      }),
    )
    const huge = new Uint8Array(MAX_EVIDENCE_FILE + 1)
    assert.equal(verifyEvidenceFile(huge, cluster.signedRoster).valid, false)
  })
})
