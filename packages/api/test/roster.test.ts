import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  acceptNextRoster,
  decodeRoster,
  encodeRoster,
  identityKeys,
  MAX_MEMBERS,
  type Member,
  memberOf,
  OWNER_DEVICE,
  openPinnedRoster,
  openRoster,
  type Roster,
  rosterDigest,
  signedRosterCodec,
} from "@lockkeeper/api"
import { edwards25519 } from "@lockkeeper/crypto"
import { decode, encode, fromUtf8, toHex } from "@lockkeeper/encoding"
import { type PublicKeyPackage, publicKeyPackageCodec } from "@lockkeeper/protocols"
import { flipped, signedBy, testRoster, testServer } from "./fixtures.ts"
import { refusal } from "./refusal.ts"

const servers = [testServer(1), testServer(2), testServer(3)]
const roster = testRoster(servers)

// What was pinned must never change.
const FIRST_DIGEST = "ad8a34f295c26dc11f3dd95ea44e481a36e5815cbfea76a44181c9acddcb0682"
const SECOND_DIGEST = "a329734e805314af414af35c6885f96aacc423272ecd75954803e2a697ae844e"

function withMember(index: number, changes: Partial<Member>): Roster {
  const members = roster.members.map((member, i) =>
    i === index ? { ...member, ...changes } : member,
  )
  return { ...roster, members }
}

describe("a roster's bytes", () => {
  it("lists no more servers than leave room for an owner's device", () => {
    const one = edwards25519.generator
    const holders = Array.from({ length: MAX_MEMBERS }, (_, i) => [i + 1, one] as const)
    const device = { publicShare: one, identityKey: new Uint8Array(32) }
    const pkg: PublicKeyPackage = {
      ...{ keyId: new Uint8Array(32), keyType: "ed25519", group: "edwards25519" },
      ...{ keyEpoch: 2, rosterEpoch: 2, minSigners: 12, verifyingKey: one },
      ...{ verifyingShares: new Map(holders), additive: new Map([[OWNER_DEVICE, device]]) },
    }
    const encoded = encode(publicKeyPackageCodec, pkg)
    assert.deepEqual(decode(publicKeyPackageCodec, encoded), pkg)
  })

  it("decode to what was encoded, and encode again to the same bytes", () => {
    const encoded = encodeRoster(roster)
    assert.deepEqual(decodeRoster(encoded), roster)
    assert.deepEqual(encodeRoster(decodeRoster(encoded)), encoded)
  })

  it("are of version 1 without a schedule, as rosters before there were any", () => {
    const encoded = encodeRoster(roster)
    assert.equal(fromUtf8(encoded.subarray(0, 20)), "lockkeeper/roster/v1")
    assert.equal(toHex(rosterDigest(encoded)), FIRST_DIGEST)
  })

  for (const schedule of [{ refreshHours: 168 }, { cryptoperiodDays: 730 }]) {
    it(`are of version 2 with ${Object.keys(schedule)}`, () => {
      const scheduled = { ...roster, ...schedule }
      const encoded = encodeRoster(scheduled)
      assert.equal(fromUtf8(encoded.subarray(0, 20)), "lockkeeper/roster/v2")
      assert.deepEqual(decodeRoster(encoded), scheduled)
    })
  }

  it("keep the digest that version 2 was published with", () => {
    const scheduled = encodeRoster({ ...roster, refreshHours: 168, cryptoperiodDays: 730 })
    assert.equal(toHex(rosterDigest(scheduled)), SECOND_DIGEST)
  })

  it("have one form: version 2 without a schedule is refused, and so is a version to come", () => {
    const encoded = encodeRoster({ ...roster, refreshHours: 1 })
    const without = encoded.slice()
    without.fill(0, -4)
    assert.throws(() => decodeRoster(without), /version 2 without a schedule/)
    encoded[19] = "4".charCodeAt(0)
    assert.throws(() => decodeRoster(encoded), /not a roster of this version at offset 0/)
  })

  const [first] = roster.members as [Member]
  const cases: readonly [what: string, field: string, bad: Roster][] = [
    ["a rosterEpoch of zero", "rosterEpoch", { ...roster, rosterEpoch: 0 }],
    ["a refresh longer than fits", "refreshHours", { ...roster, refreshHours: 65_536 }],
    ["a cryptoperiod below zero", "cryptoperiodDays", { ...roster, cryptoperiodDays: -1 }],
    ["half a day's cryptoperiod", "cryptoperiodDays", { ...roster, cryptoperiodDays: 0.5 }],
    ["no members", "members", { ...roster, members: [] }],
    ["a threshold of zero", "minSigners", { ...roster, minSigners: 0 }],
    ["a threshold above the number of servers", "minSigners", { ...roster, minSigners: 4 }],
    ["identifiers out of order", "members.server-3.identifier", withMember(1, { identifier: 9 })],
    ["a device's identifier", "members.server-3.identifier", withMember(2, { identifier: 0xff00 })],
    ["one identifier twice", "members.server-2.identifier", withMember(1, { identifier: 1 })],
    ["a server without a name", "members.1.name", withMember(1, { name: "" })],
    ["one name twice", "members.server-1.name", withMember(1, { name: "server-1" })],
    ["a URL without TLS", "members.server-2.url", withMember(1, { url: "http://s2.example:1" })],
    ["a URL with a path", "members.server-2.url", withMember(1, { url: "https://s2.example/x" })],
    ["a URL with a user", "members.server-2.url", withMember(1, { url: "https://u@s2.example" })],
    ["one URL twice", "members.server-2.url", withMember(1, { url: first.url })],
    [
      "one identity key twice",
      "members.server-2.identityKey",
      withMember(1, { identityKey: first.identityKey }),
    ],
    [
      "one channel key twice",
      "members.server-2.channelKey",
      withMember(1, { channelKey: first.channelKey }),
    ],
    [
      "a channel key that is none",
      "members.server-2.channelKey",
      withMember(1, { channelKey: new Uint8Array(1216).fill(255) }),
    ],
    [
      "one OPAQUE key twice",
      "members.server-2.opaqueKey",
      withMember(1, { opaqueKey: first.opaqueKey }),
    ],
  ]
  for (const [what, field, bad] of cases) {
    it(`are refused with ${what}, naming ${field} and a remedy`, () => {
      const error = refusal(() => encodeRoster(bad))
      assert.equal(error.code, "misconfigured")
      assert.equal(error.field, field)
      assert.notEqual(error.remedy, "")
    })
  }

  it("are refused by a reader too, who did not build them", () => {
    const encoded = encodeRoster({ ...roster, minSigners: 3 })
    const at = encoded.findIndex((_, i) => i > 20 && encoded[i] === 3 && encoded[i - 1] === 0)
    const bad = encoded.slice()
    bad[at] = 4
    const error = refusal(() => decodeRoster(bad))
    assert.equal(error.code, "misconfigured")
    assert.equal(error.field, "minSigners")
  })
})

describe("a signed roster", () => {
  it("opens when every member has signed it, and against its pin", () => {
    const signed = signedBy(roster, servers)
    assert.deepEqual(openRoster(signed), roster)
    assert.deepEqual(openPinnedRoster(signed, rosterDigest(signed.roster)), roster)
    assert.deepEqual(decode(signedRosterCodec, encode(signedRosterCodec, signed)), signed)
  })

  it("is refused without one member's signature, naming the member", () => {
    const error = refusal(() => openRoster(signedBy(roster, servers.slice(0, 2))))
    assert.equal(error.code, "untrusted-roster")
    assert.equal(error.field, "signatures.3")
    assert.match(error.message, /server-3/)
  })

  it("is refused when a signature is another member's", () => {
    const signed = signedBy(roster, servers)
    const signatures = new Map(signed.signatures)
    signatures.set(2, signatures.get(1) as Uint8Array<ArrayBuffer>)
    const error = refusal(() => openRoster({ ...signed, signatures }))
    assert.equal(error.field, "signatures.2")
  })

  it("is refused when a signature is of another roster", () => {
    const signed = signedBy(roster, servers)
    const other = encodeRoster({ ...roster, createdAt: roster.createdAt + 1 })
    const error = refusal(() => openRoster({ ...signed, roster: other }))
    assert.equal(error.code, "untrusted-roster")
    assert.equal(error.field, "signatures.1")
  })

  it("is refused against another pin, before anything of it is read", () => {
    const signed = signedBy(roster, servers)
    const pin = flipped(rosterDigest(signed.roster), 0)
    assert.equal(refusal(() => openPinnedRoster(signed, pin)).field, "roster")
    const garbage = { roster: new Uint8Array(3), signatures: new Map() }
    assert.equal(refusal(() => openPinnedRoster(garbage, pin)).code, "untrusted-roster")
    assert.equal(refusal(() => openPinnedRoster(signed, pin.slice(0, 31))).field, "roster")
  })
})

describe("the next roster", () => {
  const current = encodeRoster(roster)
  const joined = [...servers.slice(0, 2), testServer(4)]
  const follows = { rosterEpoch: 2, previousDigest: rosterDigest(current) }

  it("is accepted with all its members' signatures and minSigners of those before", () => {
    const next = testRoster(joined, follows)
    assert.deepEqual(acceptNextRoster(current, signedBy(next, joined)), next)
  })

  it("is accepted with signatures of leaving members", () => {
    const replaced = [servers[0] as (typeof servers)[0], testServer(5)]
    const next = testRoster(replaced, follows)
    const signed = signedBy(next, [...replaced, servers[2] as (typeof servers)[0]])
    assert.deepEqual(acceptNextRoster(current, signed), next)
  })

  const cases: readonly [string, string, () => unknown][] = [
    [
      "of the same number",
      "rosterEpoch",
      () =>
        acceptNextRoster(
          current,
          signedBy(testRoster(joined, { ...follows, rosterEpoch: 1 }), joined),
        ),
    ],
    [
      "that skips a number",
      "rosterEpoch",
      () =>
        acceptNextRoster(
          current,
          signedBy(testRoster(joined, { ...follows, rosterEpoch: 3 }), joined),
        ),
    ],
    [
      "that follows another roster",
      "previousDigest",
      () =>
        acceptNextRoster(
          current,
          signedBy(testRoster(joined, { ...follows, previousDigest: new Uint8Array(32) }), joined),
        ),
    ],
    [
      "signed by fewer than minSigners of those before",
      "signatures",
      () => {
        const strangers = [servers[0] as (typeof servers)[0], testServer(8), testServer(9)]
        return acceptNextRoster(current, signedBy(testRoster(strangers, follows), strangers))
      },
    ],
    [
      "in which members before keep their identifier but not their key",
      "signatures",
      () => {
        const impostors = [testServer(1, " new"), testServer(2, " new"), testServer(3)]
        return acceptNextRoster(current, signedBy(testRoster(impostors, follows), impostors))
      },
    ],
    [
      "in which a new member has the key of another one before",
      "members.server-4.identityKey",
      () => {
        const renamed = { ...servers[2]!, member: { ...servers[2]!.member, identifier: 4 } }
        const taken = { ...renamed, member: { ...renamed.member, name: "server-4" } }
        const next = [...servers.slice(0, 2), taken]
        return acceptNextRoster(current, signedBy(testRoster(next, follows), next))
      },
    ],
    [
      "that a new member has not signed",
      "signatures.4",
      () => acceptNextRoster(current, signedBy(testRoster(joined, follows), servers)),
    ],
  ]
  for (const [what, field, act] of cases) {
    it(`is refused when it is one ${what}`, () => {
      const error = refusal(act)
      assert.equal(error.code, "untrusted-roster")
      assert.equal(error.field, field)
    })
  }
})

describe("members", () => {
  it("finds members and their keys, and refuses strangers", () => {
    assert.equal(memberOf(roster, 2).name, "server-2")
    assert.equal(identityKeys(roster).size, 3)
    assert.equal(refusal(() => memberOf(roster, 7)).code, "not-found")
  })
})
