import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName, type Identifier, type Scalar } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import { type Message, type Outcome, repair } from "../src/index.ts"
import { sumPayloadCodec } from "../src/repair/payloads.ts"
import { identity, rewrite, rosterOf } from "./messages-fixtures.ts"
import {
  assertRepaired,
  attemptFor,
  drive,
  driveParticipants,
  everyone,
  HonestParticipant,
} from "./repair-cluster.ts"
import {
  drive as driveReshare,
  mixedBatch,
  attemptFor as reshareAttempt,
  subsets,
} from "./reshare-cluster.ts"

const SIZES: readonly (readonly [number, readonly Identifier[]])[] = [
  [2, [1, 2, 3]],
  [3, [1, 2, 3, 4, 5]],
  [2, [7, 300, 65535]],
  [4, [1, 3, 4, 8, 9]],
]
for (const [minSigners, holders] of SIZES) {
  test(`${minSigners} of ${holders.length}: any helpers restore anyone's shares, of every group`, () => {
    const batch = mixedBatch(minSigners, holders)
    for (const member of [holders[0]!, holders.at(-1)!]) {
      const others = holders.filter((holder) => holder !== member)
      for (const helpers of subsets(others, minSigners).slice(0, 3)) {
        const attempt = attemptFor(batch, helpers, member)
        assertRepaired(drive(attempt, batch), attempt, batch)
      }
    }
  })
}

test("a holder that was down at the reshare gets the share it never had", () => {
  const before = mixedBatch(2, [1, 2, 3])
  const target = { dealers: [1, 2], holders: [1, 2, 3, 4], minSigners: 2, leaveOut: [3] }
  const { batch } = driveReshare(reshareAttempt(before, target), before)
  const sharings = batch.map(({ sharing }) => sharing)
  const attempt = attemptFor(batch, [1, 4], 3)
  const params = { ...attempt.params, rosterEpoch: 8 }
  const { task, repaired } = drive({ params, sharings }, batch)
  assert.equal(task.kind, "repaired")
  for (const { sharing, share } of repaired!) {
    const group = groupByName(sharing.group)
    const image = group.multiplyBase(share.expose() as Scalar)
    assert.deepEqual(image, sharing.verifyingShares.get(3))
  }
})

/** Stores the answer to each step with the state, and gives a repeat the same bytes. */
class StoringParticipant extends HonestParticipant {
  readonly #answers = new Map<repair.RepairStep, Message>()

  override step(
    ...[step, delivery, about]: Parameters<HonestParticipant["step"]>
  ): Outcome<Message> {
    const stored = this.#answers.get(step)
    if (stored) return { ok: true, value: stored }
    const outcome = super.step(step, delivery, about)
    if (outcome.ok) this.#answers.set(step, outcome.value)
    return outcome
  }
}

// 3 openings, 2 splits, 2 sums, 1 verdict.
for (let answers = 0; answers < 8; answers++) {
  test(`a coordinator that stops after ${answers} answers: another resumes`, () => {
    const batch = mixedBatch(2, [1, 2, 3])
    const attempt = attemptFor(batch, [1, 3], 2)
    const members = new Map(
      everyone(attempt).map((i) => [i, new StoringParticipant(attempt, batch, i)]),
    )
    let left = answers
    const roster = rosterOf([1, 2, 3])
    let task = repair.repairCoordinate(attempt.params, attempt.sharings, roster)
    while (task.kind === "ask" && left >= 0) {
      const responses = []
      for (const [from, delivery] of task.deliveries) {
        if (left-- <= 0) break
        const answer = members.get(from)!.step(task.step, delivery, task.about)
        assert.ok(answer.ok)
        responses.push({ from, message: answer.value })
      }
      if (left < 0) break
      task = repair.repairAdvance(task.waiting, responses)
    }
    assert.ok(left < 0)
    assertRepaired(driveParticipants(attempt, members), attempt, batch)
  })
}

test("everyone takes only its own steps, and the member nothing while somebody complains", () => {
  const batch = mixedBatch(2, [1, 2, 3])
  const attempt = attemptFor(batch, [1, 3], 2)
  const refusals: unknown[] = []
  const curious = new (class extends HonestParticipant {
    override step(...[step, delivery, about]: Parameters<HonestParticipant["step"]>) {
      if (step === "split") {
        // A helper in the member's place, and answers that nobody asked for.
        const verdict = super.step("verdict", delivery, null)
        refusals.push(verdict.ok || verdict.abort.reason)
        const outcome = super.step(step, delivery, about)
        for (const what of ["split", "sum"] as const) {
          const answer = super.step("answer", { ...delivery, complaints: [] }, what)
          refusals.push(answer.ok || answer.abort.reason)
        }
        return outcome
      }
      return super.step(step, delivery, about)
    }
  })(attempt, batch, 1)
  const member = new (class extends HonestParticipant {
    override step(...[step, delivery, about]: Parameters<HonestParticipant["step"]>) {
      if (step === "verdict") {
        const split = super.step("split", delivery, null)
        refusals.push(split.ok || split.abort.reason)
        const [first, ...sums] = delivery.sums
        const broadcast = encode(sumPayloadCodec, {
          kind: "complain",
          complaints: [{ dealer: 3, index: 0 }],
        })
        const complaint = rewrite(first!, identity(1), { broadcast, sealed: new Map() })
        const told = super.step(step, { ...delivery, sums: [complaint, ...sums] }, about)
        refusals.push(told.ok || told.abort.reason)
      }
      return super.step(step, delivery, about)
    }
  })(attempt, batch, 2)
  const helper = new HonestParticipant(attempt, batch, 3)
  const members = new Map([1, 2, 3].map((i) => [i, [curious, member, helper][i - 1]!]))
  assertRepaired(driveParticipants(attempt, members), attempt, batch)
  assert.deepEqual(refusals, [
    "not-a-participant",
    "not-accused",
    "not-accused",
    "not-a-dealer",
    "complaint-pending",
  ])
})
