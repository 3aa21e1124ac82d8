import {
  decodeRoster,
  decodeRosterChain,
  encodeRoster,
  encodeRosterChain,
  type FollowedChain,
  followChain,
  holdersOf,
  longestChain,
  type Roster,
  type RosterChain,
  rosterDigest,
  type SignedRoster,
  settledRoster,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { joinRoster, type RosterSignature, rosterSignatureCodec } from "@lockkeeper/server"
import type { Attack, By } from "../harness.ts"
import { type Followed, memberFor, secretsOf } from "../moves/servers.ts"
import { mutantsOf } from "../mutations.ts"
import { EVERYONE, followed, isTrue, rulesBroken } from "./judged.ts"
import {
  CONTINUED,
  FIRST,
  IN_TRANSITION,
  JOINER,
  LEAVER,
  rosterCodec,
  SETTLED,
  STRANGER,
  signedBy,
  transitionCodec,
} from "./rosters.ts"

export const PROTOCOL = "roster"
const PIN = rosterDigest(FIRST.signed.roster)

/** How fields are called of a roster that every member has signed as it is. */
export const ALL = "signed by all: "

/** A roster of the chain that is changed, with what stands before it. */
interface Step {
  readonly step: string
  readonly followed: Followed
  readonly codec: Codec<unknown>
}

const STEPS: readonly Step[] = [
  { step: "in transition", followed: IN_TRANSITION, codec: transitionCodec },
  { step: "continued", followed: CONTINUED, codec: transitionCodec },
  { step: "settled", followed: SETTLED, codec: rosterCodec },
]

export function* attacks(): Iterable<Attack> {
  for (const step of STEPS) yield* rosterAttacks(step)
  yield* takenOver()
  yield* chainAttacks()
  yield* forks()
  yield* joins()
}

function* rosterAttacks({ step, followed: of, codec }: Step): Iterable<Attack> {
  const { before, signed } = of
  const other = step === "settled" ? CONTINUED : IN_TRANSITION
  const mutants = mutantsOf({
    ...{ name: `${PROTOCOL}/${step}`, codec, encoded: signed.roster },
    ...(step === "in transition" ? {} : { sessions: other.signed.roster }),
  })
  for (const { field, mutation, encoded } of mutants) {
    const said = { protocol: PROTOCOL, step, field, mutation, sender: 1, victim: "all" } as const
    // Under the signatures of the true one; by too few of the members before; and by all of them.
    const changed: readonly (readonly [By, string, () => SignedRoster])[] = [
      ["relay", "", () => ({ ...signed, roster: encoded })],
      ["coordinator", "signed by too few: ", () => signedBy(encoded, [1, 4, 5])],
      ["coordinator", ALL, () => signedBy(encoded, EVERYONE)],
    ]
    for (const [by, among, sign] of changed) {
      const run = () => {
        const next = sign()
        const wrong = (found: FollowedChain) => {
          if (among !== ALL) return isTrue(found, [...before, signed]) ? [] : ["another roster"]
          const last = before.at(-1) as SignedRoster
          return rulesBroken(
            decodeRoster(last.roster),
            found.inForce.roster,
            rosterDigest(last.roster),
          )
        }
        return followed(() => followChain([...before, next], PIN), wrong)
      }
      yield { ...said, by, field: `${among}${field}`, run }
    }
  }
}

/** What a relay can make of the signatures, and of the order. */
function* chainAttacks(): Iterable<Attack> {
  const chain: RosterChain = [...SETTLED.before, SETTLED.signed]
  const said = { protocol: PROTOCOL, step: "chain", by: "relay", sender: 1, victim: "all" } as const
  const wrong = (found: FollowedChain) => (isTrue(found, chain) ? [] : ["another roster"])
  for (const [i, signed] of chain.entries()) {
    const mutants = mutantsOf({
      ...{ name: `${PROTOCOL}/signed/${i}`, codec: signedRosterCodec as Codec<unknown> },
      ...{ encoded: encode(signedRosterCodec, signed) },
      sessions: encode(signedRosterCodec, chain[(i + 1) % chain.length] as SignedRoster),
    })
    for (const { field, mutation, encoded } of mutants) {
      const run = () =>
        followed(
          () =>
            followChain(
              chain.map((one, at) => (at === i ? decode(signedRosterCodec, encoded) : one)),
              PIN,
            ),
          wrong,
        )
      yield { ...said, field: `${i}.${field}`, mutation, run }
    }
  }
  const [first, second, third] = chain as [SignedRoster, SignedRoster, SignedRoster]
  const orders: Readonly<Record<string, RosterChain>> = {
    "without the first": [second, third],
    "without the second": [first, third],
    "without the third": [first, second],
    exchanged: [first, third, second],
    "second twice": [first, second, second, third],
    "another third": [first, second, CONTINUED.signed],
    "another settled": [first, second, CONTINUED.signed, third],
  }
  const all = [...chain, CONTINUED.signed]
  for (const [mutation, order] of Object.entries(orders)) {
    const judged = (found: FollowedChain) => (isTrue(found, all) ? [] : ["another roster"])
    const run = () =>
      followed(() => followChain(decodeRosterChain(encodeRosterChain(order)), PIN), judged)
    yield { ...said, field: "chain", mutation, run }
  }
}

/** Two ends of one transition are shown: none of them is followed. */
function* forks(): Iterable<Attack> {
  const said = {
    protocol: PROTOCOL,
    step: "fork",
    by: "coordinator",
    sender: 1,
    victim: "all",
  } as const
  const at = (by: string, { before, signed }: Followed) => ({
    by,
    followed: followChain([...before, signed], PIN),
  })
  const shown = [at("one", SETTLED), at("other", CONTINUED)] as const
  const wrong = () => ["one of two rosters of one number"]
  for (const [mutation, pair] of Object.entries({
    "one first": shown,
    "other first": [...shown].reverse(),
  })) {
    const [a, b] = pair as [(typeof shown)[0], (typeof shown)[1]]
    const run = () => followed(() => longestChain(a, b).followed, wrong)
    yield { ...said, field: "chain", mutation, run }
  }
}

/** Rosters of others alone, whom fewer than the threshold of the members before have signed with. */
function* takenOver(): Iterable<Attack> {
  const said = { protocol: PROTOCOL, by: "coordinator", sender: LEAVER, victim: "all" } as const
  for (const { step, followed: of } of STEPS) {
    for (const ids of [[STRANGER], [JOINER, STRANGER], [LEAVER, JOINER, STRANGER]]) {
      const { before, roster } = of
      const last = before.at(-1) as SignedRoster
      const members = ids.map(memberFor)
      const minSigners = 1
      const next: Roster = { ...roster, members, minSigners, transition: null }
      const run = () => {
        const signed = signedBy(encodeRoster(next), ids)
        const { minSigners: needed } = decodeRoster(last.roster)
        const old = decodeRoster(last.roster).members.filter((m) => ids.includes(m.identifier))
        const wrong = () => (old.length < needed ? ["a roster that too few agreed to"] : [])
        return followed(() => followChain([...before, signed], PIN), wrong)
      }
      yield { ...said, step, field: "members", mutation: `taken over by ${ids}`, run }
    }
  }
}

/** What a member hands to whoever joins the signatures: also the one for the roster that settles. */
function* joins(): Iterable<Attack> {
  const { roster, signed, before } = IN_TRANSITION
  const settled = encodeRoster(settledRoster(roster))
  const holders = holdersOf(roster).map(({ identifier }) => identifier)
  const given = (identifier: Identifier): RosterSignature => ({
    ...{ roster: signed.roster, identifier, contributions: [] },
    signature: signed.signatures.get(identifier) as Bytes,
    settled: holders.includes(identifier)
      ? signRoster(settled, secretsOf(identifier).identity)
      : null,
  })
  const all = roster.members.map(({ identifier }) => given(identifier))
  for (const liar of [LEAVER, JOINER]) {
    const said = { protocol: PROTOCOL, step: "join", by: "sender", sender: liar } as const
    const mutants = mutantsOf({
      ...{ name: `${PROTOCOL}/join/${liar}`, codec: rosterSignatureCodec as Codec<unknown> },
      ...{ encoded: encode(rosterSignatureCodec, given(liar)) },
      participants: encode(rosterSignatureCodec, given(2)),
    })
    for (const { field, mutation, encoded } of mutants) {
      const run = () => {
        const wrong = (found: FollowedChain) =>
          isTrue(found, [...before, signed]) ? [] : ["another"]
        return followed(() => {
          const lie = decode(rosterSignatureCodec, encoded)
          const bundle = joinRoster(
            all.map((one) => (one.identifier === liar ? lie : one)),
            before,
          )
          const end = bundle.settled?.roster ?? null
          if (end === null || !equalBytes(end, settled)) throw new Error("settles something else")
          followChain([...bundle.chain, bundle.settled as SignedRoster], PIN)
          return followChain(bundle.chain, PIN)
        }, wrong)
      }
      yield { ...said, victim: "all", field, mutation, run }
    }
  }
}
