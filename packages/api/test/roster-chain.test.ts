import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  chainOf,
  decodeRosterChain,
  encodeRoster,
  encodeRosterChain,
  extendChain,
  type FollowedChain,
  followChain,
  longestChain,
  MAX_CHAIN,
  MAX_CHAIN_BYTES,
  openChain,
  type Roster,
  type RosterChain,
  rosterChainCodec,
  rosterDigest,
  type SignedRoster,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import { DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { signedBy, type TestServer, testRoster, testServer } from "./fixtures.ts"
import { refusal } from "./refusal.ts"

const [one, two, three, four] = [1, 2, 3, 4].map((id) => testServer(id)) as [
  TestServer,
  TestServer,
  TestServer,
  TestServer,
]

/** The roster after `before`, of those servers, signed by them and by `leaving`. */
function next(
  before: SignedRoster,
  servers: readonly TestServer[],
  changes: Partial<Roster> = {},
  signers: readonly TestServer[] = servers,
): SignedRoster {
  const { rosterEpoch } = openChain([before]).inForce.roster
  const follows = { rosterEpoch: rosterEpoch + 1, previousDigest: rosterDigest(before.roster) }
  return signedBy(testRoster(servers, { ...follows, ...changes }), signers)
}

const digestOf = ({ roster }: SignedRoster) => rosterDigest(roster)
const first = signedBy(testRoster([one, two, three]), [one, two, three])
const second = next(first, [one, two, four], {}, [one, two, three, four])
const third = next(second, [one, two, four], { minSigners: 3 })
const chain: RosterChain = [first, second, third]

describe("a chain of rosters", () => {
  it("is followed from each of its rosters to the one in force, with those before", () => {
    for (const pinned of chain) {
      const followed = followChain(chain, digestOf(pinned))
      assert.equal(followed.inForce.roster.rosterEpoch, 3)
      assert.deepEqual(followed.inForce.digest, digestOf(third))
      assert.deepEqual(
        followed.before.map(({ roster, digest }) => [roster.rosterEpoch, toHex(digest)]),
        [first, second].map((signed, i) => [i + 1, toHex(digestOf(signed))]),
      )
      assert.deepEqual(chainOf(followed), chain)
    }
  })

  it("begins with any roster, so that the oldest can be left out", () => {
    assert.equal(followChain([second, third], digestOf(third)).before.length, 1)
    const error = refusal(() => followChain([second, third], digestOf(first)))
    assert.deepEqual([error.code, error.field], ["untrusted-roster", "roster"])
    assert.match(error.message, /None of the 2 rosters of the chain is the one that was pinned/)
  })

  it("has one encoding, and that of one roster is the signed roster of old", () => {
    for (const some of [chain, [first, second], [first]]) {
      const encoded = encodeRosterChain(some)
      assert.deepEqual(decodeRosterChain(encoded), some)
      assert.deepEqual(encode(rosterChainCodec, decodeRosterChain(encoded)), encoded)
    }
    assert.deepEqual(encodeRosterChain([first]), encode(signedRosterCodec, first))
    assert.deepEqual(decode(signedRosterCodec, encodeRosterChain([first])), first)
  })

  it("is refused with a mark and fewer than two rosters, or with bytes behind it", () => {
    const encoded = encodeRosterChain(chain)
    assert.throws(() => decodeRosterChain(encoded.subarray(0, 4)), DecodeError)
    const none = new Uint8Array(8)
    none.set(encoded.subarray(0, 4))
    assert.throws(() => decodeRosterChain(none), /fewer than two rosters at offset 0/)
    const signed = encodeRosterChain([first])
    const alone = new Uint8Array([...none.subarray(0, 4), 0, 0, 0, 1, ...signed])
    assert.throws(() => decodeRosterChain(alone), /fewer than two rosters at offset 0/)
    assert.throws(() => decodeRosterChain(new Uint8Array([...encoded, 0])), /1 trailing bytes/)
    assert.throws(() => encodeRosterChain([]), /a chain without a roster/)
  })
})

describe("a chain that does not hold", () => {
  const cases: readonly [string, string, RegExp, () => RosterChain][] = [
    [
      "whose next roster too few of those before have signed",
      "signatures",
      /Too few members .*: 1 of the 2 it takes; missing "server-2", "server-3"/,
      () => [first, next(first, [one, four], {}, [one, four])],
    ],
    [
      "whose next roster only the members of long ago have signed",
      "signatures",
      /: 1 of the 2 it takes; missing "server-2", "server-4"/,
      () => [first, second, next(second, [one, three], {}, [one, three])],
    ],
    [
      "whose next roster only members that leave have signed",
      "signatures.4",
      /lacks a valid signature by its member "server-4"/,
      () => [first, next(first, [four], { minSigners: 1 }, [one, two, three])],
    ],
    [
      "whose next roster one of its own members has not signed",
      "signatures.3",
      /its member "server-3"/,
      () => [first, next(first, [one, two, three], {}, [one, two])],
    ],
    ["that repeats a roster", "rosterEpoch", /number 1, not the next/, () => [first, first]],
    [
      "that goes back to an earlier one",
      "rosterEpoch",
      /The roster is number 1, not the next one after 2/,
      () => [first, second, first],
    ],
    ["that leaves one out", "rosterEpoch", /number 3, not the next/, () => [first, third]],
    [
      "whose next roster names another before it",
      "previousDigest",
      /does not follow/,
      () => [first, next(first, [one, two], { previousDigest: new Uint8Array(32) })],
    ],
    [
      "in which a member has the key that another had two rosters before",
      "members.server-5.identityKey",
      /"server-5" has a key that was "server-3"'s/,
      () => {
        const member = { ...three.member, identifier: 5, name: "server-5" }
        const taken = { ...three, member }
        return [first, second, next(second, [one, two, taken])]
      },
    ],
  ]
  for (const [what, field, message, make] of cases) {
    it(`is refused: one ${what}`, () => {
      const bad = make()
      const error = refusal(() => followChain(bad, digestOf(bad[0] as SignedRoster)))
      assert.equal(error.code, "untrusted-roster")
      assert.equal(error.field, field)
      assert.match(error.message, message)
      assert.notEqual(error.remedy, "")
    })
  }

  it("is refused with a threshold above the number of its servers", () => {
    const encoded = encodeRoster(testRoster([one, two, four], { rosterEpoch: 2 }))
    // The threshold follows the label and the number.
    encoded[25] = 4
    const signatures = new Map(
      [one, two, four].map((s) => [s.member.identifier, signRoster(encoded, s.identity)]),
    )
    const bad = [first, { roster: encoded, signatures }]
    const error = refusal(() => followChain(bad, digestOf(first)))
    assert.deepEqual([error.code, error.field], ["misconfigured", "minSigners"])
    assert.match(error.message, /threshold is 4 but the roster lists 3 servers/)
  })

  it("is refused when it is longer than a chain may be", () => {
    const long = Array.from({ length: MAX_CHAIN + 1 }, () => first)
    const error = refusal(() => followChain(long, digestOf(first)))
    assert.deepEqual([error.code, error.field], ["too-large", "roster"])
    const bytes = refusal(() => decodeRosterChain(new Uint8Array(MAX_CHAIN_BYTES + 1)))
    assert.deepEqual([bytes.code, bytes.field], ["too-large", "roster"])
    const counted = encodeRosterChain([first, second])
    counted[7] = MAX_CHAIN + 1
    assert.throws(() => decodeRosterChain(counted), /count 65 above 64/)
  })
})

describe("the next roster of a chain", () => {
  it("lengthens it, and drops the oldest where it would be too long", () => {
    assert.deepEqual(extendChain([first, second], third), chain)
    let long: RosterChain = [first]
    for (let i = 1; i < MAX_CHAIN; i++) {
      long = [...long, next(long.at(-1) as SignedRoster, [one, two])]
    }
    const longer = extendChain(long, next(long.at(-1) as SignedRoster, [one, two]))
    assert.equal(longer.length, MAX_CHAIN)
    assert.deepEqual(longer[0], long[1])
  })

  it("is refused as one that does not follow the last", () => {
    const error = refusal(() => extendChain([first, second], second))
    assert.deepEqual([error.code, error.field], ["untrusted-roster", "rosterEpoch"])
  })
})

describe("chains of several servers", () => {
  const shown = (by: string, followed: FollowedChain) => ({ by, followed })
  const pin = digestOf(first)

  it("agree where one goes on where the other ends: the longest is followed", () => {
    const [short, long] = [followChain([first, second], pin), followChain(chain, pin)]
    for (const [a, b] of [
      [short, long],
      [long, short],
    ] as const) {
      assert.equal(longestChain(shown("alpha", a), shown("beta", b)).followed, long)
    }
    const later = openChain([second, third])
    assert.equal(longestChain(shown("alpha", short), shown("beta", later)).followed, later)
  })

  it("are a fork with two rosters of one number: both are named, and who signed both", () => {
    const other = next(first, [one, two, three], { minSigners: 3 })
    const fork = followChain([first, other], pin)
    const longer = followChain(chain, pin)
    const error = refusal(() => longestChain(shown("alpha", longer), shown("beta", fork)))
    assert.deepEqual([error.code, error.field], ["untrusted-roster", "roster"])
    assert.match(error.message, /^Two rosters have the number 2: /)
    assert.match(error.message, new RegExp(`${toHex(digestOf(second)).slice(0, 16)} \\(alpha\\)`))
    assert.match(error.message, new RegExp(`${toHex(digestOf(other)).slice(0, 16)} \\(beta\\)`))
    assert.match(error.message, /Both are signed by "server-1", "server-2"\.$/)
  })
})
