import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { type Message, type Outcome, reshare, type Statement } from "../src/index.ts"
import { rosterOf, seeded } from "./messages-fixtures.ts"
import {
  assertEquivocation,
  assertFaultyUnderOne,
  assertInnocent,
  assertUnblamed,
  underOneNonce,
} from "./openings.ts"
import {
  assertShares,
  attemptFor,
  driveMembers,
  everyone,
  HonestMember,
  mixedBatch,
} from "./reshare-cluster.ts"

/** A dealer and no holder; a dealer and holder; holders and no dealers. */
const ROLES = { "a dealer that leaves": 1, "a dealer that stays": 2, "a new holder": 4 } as const
const LEAVING = ROLES["a dealer that leaves"]
const STAYING = ROLES["a dealer that stays"]

const batch = mixedBatch(2, [1, 2, 3])
const attempt = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })
const roster = rosterOf(everyone(attempt))

/** A member that gives a repeat the same bytes; at another `time` it remembers nothing of the first. */
class Member extends HonestMember {
  override readonly seed: string
  readonly #answers = new Map<reshare.ReshareStep, Message>()

  constructor(identifier: Identifier, time = "first", some = attempt) {
    super(some, batch, identifier)
    this.seed = `${time}/${identifier}`
  }

  override step(step: reshare.ReshareStep, delivery: reshare.Delivery): Outcome<Message> {
    const stored = this.#answers.get(step)
    if (stored) return { ok: true, value: stored }
    const outcome = super.step(step, delivery)
    if (outcome.ok) this.#answers.set(step, outcome.value)
    return outcome
  }

  opening(): Message {
    const outcome = this.step("open", { messages: [], opens: [] })
    assert.ok(outcome.ok)
    return outcome.value
  }

  dealing(messages: readonly Message[]): Outcome<Message> {
    this.opening()
    return this.step("deal", { messages, opens: [] })
  }
}

const openingOf = (identifier: Identifier, time?: string, some?: typeof attempt) =>
  new Member(identifier, time, some).opening()

const all = () => new Map(everyone(attempt).map((i) => [i, new Member(i)]))
const othersThan = (...those: readonly Identifier[]) =>
  everyone(attempt).filter((i) => !those.includes(i))

/** What the coordinator makes of openings of which one participant gave it two. */
function openedTwice(twice: Identifier, both: readonly Message[]): reshare.ReshareTask {
  const task = reshare.reshareCoordinate(attempt.params, attempt.keys, roster)
  assert.ok(task.kind === "ask")
  const once = othersThan(twice).map((from) => ({ from, message: openingOf(from) }))
  const responses = [...both.map((message) => ({ from: twice, message })), ...once]
  return reshare.reshareAdvance(task.waiting, responses)
}

for (const [who, identifier] of Object.entries(ROLES)) {
  test(`${who}, put back to an older copy, opens again: the run goes through, and nobody is named`, () => {
    const members = all()
    const forgotten = members.get(identifier)!.opening()
    for (const one of members.values()) one.opening()
    const restored = new Member(identifier, "restored")
    const { task, batch: after } = driveMembers(attempt, members.set(identifier, restored))
    assert.ok(task.kind === "confirmed")
    assert.deepEqual([task.missing, task.fault], [[], null])
    for (const shared of after) assertShares(shared)
    assertInnocent(forgotten, restored.opening(), roster)
  })

  test(`${who} is no equivocator to those who see both of its openings`, () => {
    const both = [openingOf(identifier), openingOf(identifier, "restored")]
    const dealer = identifier === STAYING ? LEAVING : STAYING
    const messages = [...both, ...othersThan(dealer, identifier).map((i) => openingOf(i))]
    assertUnblamed(new Member(dealer).dealing(messages), "duplicate-sender")
    const task = openedTwice(identifier, both)
    assert.ok(task.kind === "ask")
    assert.equal(task.step, "deal")
  })

  test(`${who} that opens twice under one nonce is proven an equivocator`, () => {
    const opening = openingOf(identifier)
    const dealer = identifier === STAYING ? LEAVING : STAYING
    const others = othersThan(dealer, identifier).map((i) => openingOf(i))
    for (const second of underOneNonce(opening, identifier, openingOf(identifier, "other"))) {
      const outcome = new Member(dealer).dealing([opening, second, ...others])
      assert.ok(!outcome.ok)
      assertEquivocation(outcome.abort, identifier, roster)
      for (const both of [
        [opening, second],
        [second, opening],
      ]) {
        const task = openedTwice(identifier, both)
        assert.ok(task.kind === "aborted")
        assertEquivocation(task.abort, identifier, roster)
      }
    }
  })
}

test("dealers who were shown different openings deal in different sessions, and nobody is named", () => {
  const [shownToOne, shownToTwo] = [openingOf(4), openingOf(4, "restored")]
  const one = new Member(LEAVING).dealing([openingOf(2), openingOf(3), shownToOne])
  const two = new Member(STAYING)
  assert.ok(one.ok && two.dealing([openingOf(1), openingOf(3), shownToTwo]).ok)
  const outcome = two.step("verdict", { messages: [one.value], opens: [] })
  assertUnblamed(outcome, "wrong-session")
})

test("an opening for another request is refused without blame, and counts as silence", () => {
  const foreign = openingOf(STAYING, "first", {
    ...attempt,
    params: { ...attempt.params, holders: [2, 3, 4, 5] },
  })
  const others = othersThan(LEAVING, STAYING).map((i) => openingOf(i))
  assertUnblamed(new Member(LEAVING).dealing([foreign, ...others]), "echo-mismatch")
  const task = openedTwice(STAYING, [foreign])
  assert.ok(task.kind === "aborted")
  const { reason, culprits, silent } = task.abort
  assert.deepEqual([reason, culprits, silent], ["echo-mismatch", [], [STAYING]])
})

test("a faulty opening is evidence under the parameters that it answers, and under no others", () => {
  const { params } = attempt
  const under = (some: reshare.ReshareParams) => (open: Statement) =>
    ({ kind: "reshare-open", params: some, open }) as const
  const keys = seeded("another batch", 32)
  for (const change of [{ keys }, { minSigners: 3 }, { dealers: [1, 3] }]) {
    const places = { here: under(params), elsewhere: under({ ...params, ...change }) }
    assertFaultyUnderOne(openingOf(3), 3, places, roster)
  }
})
