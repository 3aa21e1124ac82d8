import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  combineSeed,
  contributeSeed,
  encodeRoster,
  LockKeeperError,
  type SeedContribution,
  seedContributions,
} from "@lockkeeper/api"
import { Secret, type SigningKey } from "@lockkeeper/crypto"
import { decode, encode, fromHex, toHex } from "@lockkeeper/encoding"
import { flipped, seeded, type TestServer, testRoster, testServer } from "./fixtures.ts"

const servers = [testServer(1), testServer(2), testServer(3)] as [
  TestServer,
  TestServer,
  TestServer,
]
const roster = testRoster(servers)
const encoded = encodeRoster(roster)

function contributionsFor(label: string, to = encoded, toRoster = roster): SeedContribution[] {
  return servers.flatMap(({ member, identity }) =>
    contributeSeed(
      toRoster,
      to,
      member.identifier,
      new Secret(seeded(`${label} ${member.identifier}`, 32)),
      identity,
      seeded(`${label} randomness ${member.identifier}`, 64 * 3),
    ),
  )
}

function seedOf(server: TestServer, contributions: readonly SeedContribution[]): string {
  const { member, channelSecret } = server
  return toHex(
    combineSeed(roster, encoded, member.identifier, channelSecret, contributions).expose(),
  )
}

function refusedField(
  server: TestServer,
  contributions: readonly SeedContribution[],
  why = /./,
): string {
  try {
    seedOf(server, contributions)
  } catch (error) {
    assert.ok(error instanceof LockKeeperError)
    assert.equal(error.code, "untrusted-roster")
    assert.match(error.message, why)
    return error.field
  }
  return assert.fail("the seed was accepted")
}

describe("the roster-wide seed", () => {
  const contributions = contributionsFor("a")

  it("is the same at every member and depends on every member's contribution", () => {
    assert.equal(contributions.length, 9)
    const seeds = new Set(servers.map((server) => seedOf(server, contributions)))
    assert.equal(seeds.size, 1)
    const replaced = contributionsFor("b")
    for (const { member } of servers) {
      const mixed = contributions.map((c, i) =>
        c.from === member.identifier ? (replaced[i] as SeedContribution) : c,
      )
      seeds.add(seedOf(servers[0], mixed))
    }
    assert.equal(seeds.size, 4)
  })

  it("survives its codec and any order", () => {
    const carried = decode(seedContributions, encode(seedContributions, contributions))
    assert.equal(seedOf(servers[1], carried.toReversed()), seedOf(servers[1], contributions))
  })

  it("names the member whose contribution is missing", () => {
    const without = contributions.filter((c) => !(c.from === 2 && c.to === 1))
    assert.equal(refusedField(servers[0], without), "seed.2")
  })

  it("names the member whose contribution was altered in any field", () => {
    const change = (altered: (c: SeedContribution) => Partial<SeedContribution>) =>
      contributions.map((c) => (c.from === 3 && c.to === 1 ? { ...c, ...altered(c) } : c))
    const cases = [
      change((c) => ({ sealed: flipped(c.sealed, 0) })),
      change((c) => ({ encapsulated: flipped(c.encapsulated, 0) })),
      change((c) => ({ signature: flipped(c.signature, 0) })),
      change((c) => ({ commitment: flipped(c.commitment, 0) })),
    ]
    for (const altered of cases) assert.equal(refusedField(servers[0], altered), "seed.3")
  })

  it("refuses a contribution made for another member, another roster, or signed by another", () => {
    const readdressed = contributions
      .filter((c) => !(c.from === 3 && c.to === 1))
      .map((c) => (c.from === 3 && c.to === 2 ? { ...c, to: 1 } : c))
    assert.equal(refusedField(servers[0], readdressed), "seed.3")
    const otherRoster = { ...roster, createdAt: roster.createdAt + 1 }
    const replayed = contributionsFor("a", encodeRoster(otherRoster), otherRoster)
    assert.equal(refusedField(servers[0], replayed), "seed.1")
    const forged = contributeSeed(
      roster,
      encoded,
      2,
      new Secret(seeded("forged", 32)),
      servers[2].identity,
      seeded("forged randomness", 192),
    )
    const mixed = [...forged, ...contributions.filter((c) => c.from !== 2)]
    assert.equal(refusedField(servers[0], mixed), "seed.2")
  })

  it("names the member that signed what does not open", () => {
    const { member, identity } = servers[1]
    const wrongKeys = {
      ...roster,
      members: [servers[1].member, servers[0].member, servers[2].member],
    }
    const sealedToOthers = contributeSeed(
      { ...wrongKeys, members: wrongKeys.members.map((m, i) => ({ ...m, identifier: i + 1 })) },
      encoded,
      member.identifier,
      new Secret(seeded("x", 32)),
      identity,
      seeded("x randomness", 192),
    )
    const mixed = [...sealedToOthers, ...contributions.filter((c) => c.from !== 2)]
    assert.equal(refusedField(servers[0], mixed, /does not open/), "seed.2")
  })

  it("names the member that deals different contributions, at every member", () => {
    const other = contributionsFor("b")
    const dealt = contributions.map((c, i) =>
      c.from === 2 && c.to === 3 ? (other[i] as SeedContribution) : c,
    )
    for (const server of servers) assert.equal(refusedField(server, dealt, /differs/), "seed.2")
    const both = [...contributions, ...other.filter((c) => c.from === 2 && c.to === 3)]
    for (const server of servers) assert.equal(refusedField(server, both, /differs/), "seed.2")
    const hidden = contributions.filter((c) => !(c.from === 2 && c.to === 3))
    for (const server of servers) assert.equal(refusedField(server, hidden, /missing/), "seed.2")
  })

  it("names the member that commits to another contribution than it deals", () => {
    const { member, identity } = servers[1]
    const [from, randomness] = [member.identifier, seeded("c randomness", 192)]
    const deal = (label: string, by: SigningKey) =>
      contributeSeed(roster, encoded, from, new Secret(seeded(label, 32)), by, randomness)
    const [honest, other] = ["c", "d"].map((label) => deal(label, identity)[0]?.commitment)
    assert.ok(honest !== undefined && other !== undefined)
    const replaced = (message: Uint8Array) =>
      fromHex(toHex(new Uint8Array(message)).replace(toHex(honest), toHex(other)))
    const lying = deal("c", { ...identity, sign: (message) => identity.sign(replaced(message)) })
    const mixed = [
      ...lying.map((c) => ({ ...c, commitment: other })),
      ...contributions.filter((c) => c.from !== from),
    ]
    assert.equal(refusedField(servers[0], mixed, /not what it committed to/), "seed.2")
  })
})
