import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type IncidentListing,
  incidentListings,
  incidentReceipt,
  LockKeeperError,
  listIncidentsBody,
  MAX_EVIDENCE,
  quarantinedError,
  quarantinedIn,
  reportIncidentBody,
} from "@lockkeeper/api"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import { sample, testCodec } from "./codec-checks.ts"
import { seeded as b, testRoster, testServer } from "./fixtures.ts"

const listing: IncidentListing = {
  ...{ number: 3, servers: [2], reason: "wrong-opening", recordedAt: 1_700_000_000_000 },
  ...{ source: "own", state: "quarantined", evidence: b("digest", 32) },
}

const SAMPLES = [
  sample("reportIncidentBody", reportIncidentBody, { evidence: b("e", 300) }),
  sample(
    "incidentReceipt",
    incidentReceipt,
    { number: 1, isNew: true, quarantined: [3] },
    { number: 9, isNew: false, quarantined: [] },
  ),
  sample("listIncidentsBody", listIncidentsBody, { after: 7, limit: 64 }),
  sample(
    "incidentListings",
    incidentListings,
    [],
    [listing, { ...listing, number: 4, servers: [1, 3], source: "reported", state: "noted" }],
    [{ ...listing, state: "cleared" }],
  ),
]

for (const one of SAMPLES) testCodec(one)

it("covers 4 codecs", () => assert.equal(SAMPLES.length, 4))

describe("bounds", () => {
  it("leave no room for evidence above its limit", () => {
    const most = encode(reportIncidentBody, { evidence: new Uint8Array(MAX_EVIDENCE) })
    assert.equal(decode(reportIncidentBody, most).evidence.length, MAX_EVIDENCE)
    const huge = new Uint8Array([0, 1, 0, 1, ...new Uint8Array(MAX_EVIDENCE + 1)])
    assert.throws(() => decode(reportIncidentBody, huge), DecodeError)
  })

  it("leave no room for an incident of three servers", () => {
    assert.throws(() => encode(incidentListings, [{ ...listing, servers: [1, 2, 3] }]), RangeError)
  })
})

describe("a refusal because of a quarantine", () => {
  it("names the server in its field, and is read back from the wire", () => {
    const error = quarantinedError(testRoster([testServer(1), testServer(2)]), 2)
    assert.equal(error.code, "quarantined")
    assert.equal(error.field, "quarantined.2")
    assert.equal(error.retry, "never")
    assert.equal(quarantinedIn(LockKeeperError.fromBody(error.toBody(1))), 2)
  })

  it("is no other refusal, and no other field", () => {
    const of = (code: "quarantined" | "aborted", field: string) =>
      quarantinedIn(new LockKeeperError(code, "no", { field }))
    assert.equal(of("aborted", "quarantined.2"), null)
    for (const field of ["", "quarantined", "quarantined.", "quarantined.0", "quarantined.65536"]) {
      assert.equal(of("quarantined", field), null, field)
    }
    for (const field of ["quarantined.-1", "quarantined.1.2", "quarantined.1e3", "2"]) {
      assert.equal(of("quarantined", field), null, field)
    }
    assert.equal(of("quarantined", "quarantined.65535"), 65_535)
  })
})
