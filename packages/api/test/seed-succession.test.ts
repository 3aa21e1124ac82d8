import assert from "node:assert/strict"
import { test } from "node:test"
import {
  contributeSeed,
  encodeRoster,
  LockKeeperError,
  passSeedOn,
  type Roster,
  rosterDigest,
  type SeedContribution,
  succeedSeed,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import { flipped, seeded, type TestServer, testRoster, testServer } from "./fixtures.ts"

const old = [1, 2, 3].map((i) => testServer(i)) as [TestServer, TestServer, TestServer]
const before = { ...testRoster(old), minSigners: 2 }
const joining = testServer(4)
const members = [old[0], old[1], joining]
const next: Roster = {
  ...testRoster(members),
  rosterEpoch: before.rosterEpoch + 1,
  previousDigest: rosterDigest(encodeRoster(before)),
}
const encoded = encodeRoster(next)
const seed = seeded("the seed", 32)
const other = seeded("another seed", 32)

/** What one member of the roster before passes on. */
function passed(by: TestServer, value = seed, to = { roster: next, encoded }): SeedContribution[] {
  const { identifier } = by.member
  const randomness = seeded(`randomness ${identifier}`, 64 * to.roster.members.length)
  const secret = new Secret(value.slice())
  return passSeedOn(to.roster, to.encoded, identifier, secret, by.identity, randomness)
}

const all = old.flatMap((server) => passed(server))

function received(
  by: TestServer,
  contributions: readonly SeedContribution[],
  held: Uint8Array | null,
  roster = before,
): string {
  const { member, channelSecret } = by
  const receiver = {
    identifier: member.identifier,
    channelSecret,
    held: held === null ? null : new Secret(held.slice() as typeof seed),
  }
  return toHex(succeedSeed(roster, next, encoded, receiver, contributions).expose())
}

function refused(field: string, message: RegExp) {
  return (error: unknown) =>
    error instanceof LockKeeperError &&
    error.code === "untrusted-roster" &&
    error.field === field &&
    message.test(error.message)
}

test("every member of the next roster has the seed of the one before, new or not", () => {
  for (const from of [all, all.toReversed(), ...old.map((one) => without(one))]) {
    assert.equal(received(joining, from, null), toHex(seed))
    assert.equal(received(old[0], from, seed), toHex(seed))
  }
})

function without({ member }: TestServer): SeedContribution[] {
  return all.filter(({ from }) => from !== member.identifier)
}

const replaced = (by: TestServer, value = other) => [...without(by), ...passed(by, value)]

test("a member that passes on another seed is named by new members and by those who stay", () => {
  for (const liar of old) {
    const field = `seed.${liar.member.identifier}`
    const given = replaced(liar)
    const outvoted = refused(field, /is not what enough others vouch for/)
    assert.throws(() => received(joining, given, null), outvoted)
    for (const staying of [old[0], old[1]]) {
      const contradicted = refused(field, /is not the one that is held here/)
      assert.throws(() => received(staying, given, seed), contradicted)
    }
  }
  // Where all that is passed on contradicts, the first is named.
  const theirs = old.flatMap((server) => passed(server, other))
  assert.throws(() => received(old[0], theirs, seed), refused("seed.1", /held here/))
})

test("what fewer vouch for than the roster before asks for is no seed, also where it is held", () => {
  const few = refused("seed", /^1 members .* it takes 2/)
  assert.throws(() => received(joining, passed(old[2]), null), few)
  assert.throws(() => received(old[0], passed(old[2]), seed), few)
  assert.throws(() => received(joining, [], null), refused("seed", /^0 members/))
  const split = [...passed(old[0]), ...passed(old[1], other)]
  assert.throws(() => received(joining, split, null), few)
  const single = { ...before, minSigners: 1 }
  const two = refused("seed", /each of two seeds/)
  assert.throws(() => received(joining, replaced(old[1]), null, single), two)
})

test("a contribution that was altered, withheld from one, or sealed wrongly names its member", () => {
  const altered = (change: (one: SeedContribution) => Partial<SeedContribution>, to: number) =>
    all.map((one) => (one.from === 3 && one.to === to ? { ...one, ...change(one) } : one))
  const signed = /not signed by it|differs from member to member/
  for (const to of [1, 2, 4]) {
    for (const change of [
      (one: SeedContribution) => ({ sealed: flipped(one.sealed, 0) }),
      (one: SeedContribution) => ({ encapsulated: flipped(one.encapsulated, 0) }),
      (one: SeedContribution) => ({ signature: flipped(one.signature, 0) }),
      (one: SeedContribution) => ({ commitment: flipped(one.commitment, 0) }),
    ]) {
      const given = altered(change, to)
      assert.throws(() => received(joining, given, null), refused("seed.3", signed))
      assert.throws(() => received(old[0], given, seed), refused("seed.3", signed))
    }
    const withheld = all.filter((one) => !(one.from === 3 && one.to === to))
    assert.throws(() => received(joining, withheld, null), refused("seed.3", /is missing/))
  }
  const two = [...passed(old[2]).slice(0, 2), ...passed(old[2], other).slice(2)]
  const different = refused("seed.3", /differs from member to member/)
  for (const server of [joining, old[0]]) {
    assert.throws(() => received(server, [...without(old[2]), ...two], null), different)
  }
  // What was made for the server beside it, signed by its own member.
  const elsewhere = [
    next.members[0]!,
    next.members[1]!,
    { ...joining.member, ...channelOf(old[2]) },
  ]
  const roster = { ...next, members: elsewhere }
  const sealedToAnother = passed(old[2], seed, { roster, encoded })
  const given = [...without(old[2]), ...sealedToAnother]
  assert.throws(() => received(joining, given, null), refused("seed.3", /does not open/))
  assert.equal(received(old[0], given, seed), toHex(seed))
})

function channelOf({ member }: TestServer) {
  return { channelKey: member.channelKey }
}

test("only members of the roster before pass it on, for this roster and under this label", () => {
  const stranger = [...all, ...passed(joining)]
  const none = /is of no member of the roster before/
  assert.throws(() => received(joining, stranger, null), refused("seed.4", none))
  const later = { ...next, createdAt: next.createdAt + 1 }
  const elsewhere = passed(old[1], seed, { roster: later, encoded: encodeRoster(later) })
  const forAnother = [...without(old[1]), ...elsewhere]
  assert.throws(() => received(joining, forAnother, null), refused("seed.2", /not signed by it/))
  const [server] = old
  const randomness = seeded("contribution", 64 * 3)
  const secret = new Secret(seed.slice())
  const asFirst = contributeSeed(next, encoded, 1, secret, server.identity, randomness)
  const mixed = [...without(server), ...asFirst]
  assert.throws(() => received(joining, mixed, null), refused("seed.1", /not signed by it/))
  const forged = [...without(server), ...passed({ ...server, identity: old[1].identity })]
  assert.throws(() => received(joining, forged, null), refused("seed.1", /not signed by it/))
})
