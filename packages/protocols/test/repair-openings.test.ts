import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { type Message, type Outcome, repair, type Statement } from "../src/index.ts"
import { rosterOf, seeded } from "./messages-fixtures.ts"
import {
  assertEquivocation,
  assertFaultyUnderOne,
  assertInnocent,
  assertUnblamed,
  underOneNonce,
} from "./openings.ts"
import {
  assertRepaired,
  attemptFor,
  driveParticipants,
  everyone,
  HonestParticipant,
} from "./repair-cluster.ts"
import { mixedBatch } from "./reshare-cluster.ts"

const HELPER = 1
const LAST = 3
const ROLES = { "a helper": HELPER, "the member": 2 } as const

const batch = mixedBatch(2, [1, 2, 3, 4])
const attempt = attemptFor(batch, [HELPER, LAST], 2)
const roster = rosterOf(everyone(attempt))
const NOTHING: repair.RepairDelivery = { opens: [], splits: [], sums: [], complaints: [] }

/** A participant that gives a repeat the same bytes; at another `time` it remembers nothing of the first. */
class Participant extends HonestParticipant {
  override readonly seed: string
  readonly #answers = new Map<repair.RepairStep, Message>()

  constructor(identifier: Identifier, time = "first", some = attempt) {
    super(some, batch, identifier)
    this.seed = `repair/${time}/${identifier}`
  }

  override step(...[step, delivery, about]: Parameters<HonestParticipant["step"]>) {
    const stored = this.#answers.get(step)
    if (stored) return { ok: true, value: stored } as const
    const outcome = super.step(step, delivery, about)
    if (outcome.ok) this.#answers.set(step, outcome.value)
    return outcome
  }

  opening(): Message {
    const outcome = this.step("open", NOTHING, null)
    assert.ok(outcome.ok)
    return outcome.value
  }

  split(opens: readonly Message[]): Outcome<Message> {
    this.opening()
    return this.step("split", { ...NOTHING, opens }, null)
  }
}

const openingOf = (identifier: Identifier, time?: string, some?: typeof attempt) =>
  new Participant(identifier, time, some).opening()

const othersThan = (...those: readonly Identifier[]) =>
  everyone(attempt).filter((i) => !those.includes(i))

/** What the coordinator makes of openings of which one participant gave it two. */
function openedTwice(twice: Identifier, both: readonly Message[]): repair.RepairTask {
  const task = repair.repairCoordinate(attempt.params, attempt.sharings, roster)
  assert.ok(task.kind === "ask")
  const once = othersThan(twice).map((from) => ({ from, message: openingOf(from) }))
  const responses = [...both.map((message) => ({ from: twice, message })), ...once]
  return repair.repairAdvance(task.waiting, responses)
}

for (const [who, identifier] of Object.entries(ROLES)) {
  const others = othersThan(LAST, identifier)

  test(`${who}, put back to an older copy, opens again: the repair goes through, and nobody is named`, () => {
    const all = new Map(everyone(attempt).map((i) => [i, new Participant(i)]))
    const forgotten = all.get(identifier)!.opening()
    for (const one of all.values()) one.opening()
    const restored = new Participant(identifier, "restored")
    const result = driveParticipants(attempt, all.set(identifier, restored))
    assertRepaired(result, attempt, batch)
    assertInnocent(forgotten, restored.opening(), roster)
  })

  test(`${who} is no equivocator to those who see both of its openings`, () => {
    const both = [openingOf(identifier), openingOf(identifier, "restored")]
    const opens = [...both, ...others.map((i) => openingOf(i))]
    assertUnblamed(new Participant(LAST).split(opens), "duplicate-sender")
    const task = openedTwice(identifier, both)
    assert.ok(task.kind === "ask")
    assert.equal(task.step, "split")
  })

  test(`${who} that opens twice under one nonce is proven an equivocator`, () => {
    const opening = openingOf(identifier)
    for (const second of underOneNonce(opening, identifier, openingOf(identifier, "other"))) {
      const opens = [opening, second, ...others.map((i) => openingOf(i))]
      const outcome = new Participant(LAST).split(opens)
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

test("helpers who were shown different openings split in different sessions, and nobody is named", () => {
  const one = new Participant(HELPER).split([openingOf(2), openingOf(LAST)])
  const last = new Participant(LAST)
  assert.ok(one.ok && last.split([openingOf(HELPER), openingOf(2, "restored")]).ok)
  const outcome = last.step("sum", { ...NOTHING, splits: [one.value] }, null)
  assertUnblamed(outcome, "wrong-session")
})

test("an opening for another request is refused without blame, and counts as silence", () => {
  const foreign = openingOf(HELPER, "first", attemptFor(batch, [HELPER, 4], 2))
  assertUnblamed(new Participant(LAST).split([foreign, openingOf(2)]), "echo-mismatch")
  const task = openedTwice(HELPER, [foreign])
  assert.ok(task.kind === "aborted")
  const { reason, culprits, silent } = task.abort
  assert.deepEqual([reason, culprits, silent], ["echo-mismatch", [], [HELPER]])
})

test("a faulty opening is evidence under the parameters that it answers, and under no others", () => {
  const { params } = attempt
  const under = (some: repair.RepairParams) => (open: Statement) =>
    ({ kind: "repair-open", params: some, open }) as const
  const keys = seeded("another batch", 32)
  for (const change of [{ keys }, { helpers: [1, 4] }, { member: 4 }]) {
    const places = { here: under(params), elsewhere: under({ ...params, ...change }) }
    assertFaultyUnderOne(openingOf(HELPER), HELPER, places, roster)
  }
})
