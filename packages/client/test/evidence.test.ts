import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { signedRosterCodec } from "@lockkeeper/api"
import { verifyEvidenceFile } from "@lockkeeper/client"
import { concat, encode } from "@lockkeeper/encoding"
import {
  encodeEvidence,
  equivocationOf,
  LIMITS,
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
  const header = (session: number, rosterEpoch = 1) => {
    const sessionId = new Uint8Array(32).fill(1)
    const place = {
      protocol: "dkg",
      step: 1,
      attempt: 1,
      sessionId,
      rosterEpoch,
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

  it("proves nothing about a run under an earlier roster, though the same key signed", () => {
    const earlier = encodeEvidence(equivocationOf(header(1, 2), header(2, 2)))
    const about = evidenceFile(cluster.signedRoster, earlier)
    assert.deepEqual(verifyEvidenceFile(about, cluster.signedRoster), {
      valid: false,
      why: "it is about a run under another roster",
    })
  })

  it("proves nothing with any byte altered, cut or added", () => {
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = file.slice()
        altered[at] = (altered[at] as number) ^ flip
        const verdict = verifyEvidenceFile(altered, cluster.signedRoster)
        assert.equal(verdict.valid, false, `byte ${at}`)
      }),
      { numRuns: 300 },
    )
    assert.equal(verifyEvidenceFile(file.slice(0, -1), cluster.signedRoster).valid, false)
    const longer = concat(file, new Uint8Array(1))
    assert.equal(verifyEvidenceFile(longer, cluster.signedRoster).valid, false)
  })

  it("is the same whoever else has signed the roster, and no longer than 64 KiB", () => {
    const { roster, signatures } = cluster.signed
    const stranger = new Map([...signatures, [77, new Uint8Array(64).fill(1)]])
    const signedRoster = encode(signedRosterCodec, { roster, signatures: stranger })
    assert.deepEqual(evidenceFile(signedRoster, evidence), file)
    assert.ok(verifyEvidenceFile(file, signedRoster).valid)
    const longest = evidenceFile(signedRoster, new Uint8Array(LIMITS.evidence))
    assert.ok(longest.length <= 65_536 && MAX_EVIDENCE_FILE === 65_536)
  })

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
