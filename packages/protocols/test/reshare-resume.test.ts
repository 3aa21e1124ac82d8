import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { headerCodec, type Message, type Outcome, reshare } from "../src/index.ts"
import { rosterOf } from "./messages-fixtures.ts"
import {
  assertShares,
  attemptFor,
  collect,
  drive,
  driveMembers,
  everyone,
  HonestMember,
  mixedBatch,
  NEW_ROSTER_EPOCH,
  type Shared,
  sharedSecret,
} from "./reshare-cluster.ts"

/** Stores the answer to each step with the state, and gives a repeat the same bytes, as a server does. */
class StoringMember extends HonestMember {
  readonly #answers = new Map<reshare.ReshareStep, Message>()

  override step(step: reshare.ReshareStep, delivery: reshare.Delivery): Outcome<Message> {
    const stored = this.#answers.get(step)
    if (stored) return { ok: true, value: stored }
    const outcome = super.step(step, delivery)
    if (outcome.ok) this.#answers.set(step, outcome.value)
    return outcome
  }
}

const three = mixedBatch(2, [1, 2, 3])
const attempt = attemptFor(three, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })

const membersOf = (some: reshare.ReshareAttempt, batch: readonly Shared[]) =>
  new Map(everyone(some).map((i) => [i, new StoringMember(some, batch, i)]))

/** Drives a run until its coordinator stops: after `answers` answers altogether. */
function stopAfter(
  answers: number,
  { params, keys }: reshare.ReshareAttempt,
  members: ReadonlyMap<Identifier, HonestMember>,
): boolean {
  let left = answers
  let task = reshare.reshareCoordinate(params, keys, rosterOf([...members.keys()]))
  while (task.kind === "ask") {
    const responses = []
    for (const [from, delivery] of task.deliveries) {
      if (left-- === 0) return true
      const answer = members.get(from)!.step(task.step, delivery)
      assert.ok(answer.ok)
      responses.push({ from, message: answer.value })
    }
    task = reshare.reshareAdvance(task.waiting, responses)
  }
  return false
}

// 4 openings, 2 dealings, 3 verdicts.
for (let answers = 0; answers < 9; answers++) {
  test(`a coordinator that stops after ${answers} answers: the old shares sign on, another resumes`, () => {
    const members = membersOf(attempt, three)
    assert.ok(stopAfter(answers, attempt, members))
    // Nothing is in force, so nobody may have erased anything: there is no certificate to erase on.
    for (const shared of three) assertShares(shared)
    const { task, batch } = driveMembers(attempt, members)
    assert.equal(task.kind, "confirmed")
    for (const shared of batch) {
      assert.equal(shared.shares.size, 3)
      assertShares(shared)
    }
  })

  test(`a coordinator that stops after ${answers} answers: another set of dealers starts again`, () => {
    const members = membersOf(attempt, three)
    assert.ok(stopAfter(answers, attempt, members))
    const confirmed = answers > 6
    const stopped = { abort: silenceOf(1), spent: confirmed }
    const next = reshare.nextAttempt(attempt, stopped)!
    assert.deepEqual(next.params.dealers, [2, 3])
    const { task, batch } = drive(next, three)
    assert.equal(task.kind, "confirmed")
    for (const shared of batch) assertShares(shared)
  })
}

function silenceOf(...silent: readonly Identifier[]) {
  const none = { culprits: [], pair: null, evidence: [], field: "" }
  return { reason: "missing-messages" as const, silent, ...none }
}

test("a member that was down at the verdict comes back and has its share too", () => {
  const batch = mixedBatch(2, [1, 2, 3])
  const run = attemptFor(batch, { dealers: [1, 2], holders: [1, 2, 3, 4], minSigners: 2 })
  const members = membersOf(run, batch)
  let late: reshare.Delivery | null = null
  const sleeping = new (class extends StoringMember {
    override step(step: reshare.ReshareStep, delivery: reshare.Delivery) {
      if (step !== "verdict" || late) return super.step(step, delivery)
      late = delivery
      return { ok: false, abort: silenceOf(4) } as const
    }
  })(run, batch, 4)
  const { task, batch: after } = driveMembers(run, members.set(4, sleeping))
  assert.ok(task.kind === "confirmed")
  assert.deepEqual(task.missing, [4])
  assert.deepEqual([...after[0]!.shares.keys()], [1, 2, 3])
  assert.ok(sleeping.step("verdict", late!).ok)
  const active = sleeping.activate(task.certificate)
  assert.ok(active.ok)
  const everyoneNow = new Map(
    [1, 2, 3, 4].map((i) => [i, members.get(i)!.activate(task.certificate)]),
  )
  const all = collect(new Map([...everyoneNow].map(([i, one]) => [i, one.ok ? one.value : []])))
  for (const shared of all) assertShares(shared)
})

test("a holder that is down from the start is a holder all the same, without a share", () => {
  const batch = mixedBatch(2, [1, 2, 3])
  const target = { dealers: [1, 2], holders: [1, 2, 3, 4], minSigners: 2, leaveOut: [3] }
  const { task, batch: after } = drive(attemptFor(batch, target), batch)
  assert.ok(task.kind === "confirmed")
  assert.deepEqual(task.missing, [3])
  for (const { sharing, shares } of after) {
    assert.deepEqual([...shares.keys()], [1, 2, 4])
    assert.deepEqual([...sharing.verifyingShares.keys()], [1, 2, 3, 4])
  }
  for (const shared of after) assertShares(shared)
})

test("too few holders to be sure of: the run does not even begin to deal", () => {
  const batch = mixedBatch(2, [1, 2, 3])
  const target = { dealers: [1, 2], holders: [1, 2, 3, 4], minSigners: 2, leaveOut: [3, 4] }
  const { task } = drive(attemptFor(batch, target), batch)
  assert.ok(task.kind === "aborted" && !task.spent)
  assert.equal(task.abort.reason, "missing-messages")
})

test("forget and forgive: whoever is dealt to badly never leads the others to erase", () => {
  // One holder of 2/3 gets nothing usable and says nothing; the others have confirmed.
  const members = membersOf(attempt, three)
  const cheated = new (class extends StoringMember {
    override step(step: reshare.ReshareStep, delivery: reshare.Delivery) {
      if (step !== "verdict") return super.step(step, delivery)
      return { ok: false, abort: silenceOf(4) } as const
    }
  })(attempt, three, 4)
  const { task } = driveMembers(attempt, members.set(4, cheated))
  assert.ok(task.kind === "aborted" && task.spent)
  assert.deepEqual(task.abort.silent, [4])
  // What the two did confirm is no ground to erase anything on.
  const judged = [2, 3].map((i) => members.get(i)!.judged)
  const { root, reshared } = judged[0]!.pending!
  const confirmations = new Map(judged.map((state, i) => [i + 2, state.pending!.confirmation]))
  const half = { rosterEpoch: NEW_ROSTER_EPOCH, size: 3, root, confirmations }
  const refused = members.get(2)!.activate(half)
  assert.ok(!refused.ok)
  assert.deepEqual([refused.abort.reason, refused.abort.silent], ["missing-confirmation", [4]])
  const sharings = reshared.map(({ sharing }) => sharing)
  const roster = {
    ...{ rosterEpoch: NEW_ROSTER_EPOCH, minSigners: 2 },
    verifyKeys: rosterOf([2, 3, 4]),
  }
  for (const [i, certificate] of reshare.certificatesOf(half, sharings).entries()) {
    const may = reshare.mayErase(three[i]!.sharing, certificate, roster)
    assert.ok(!may.ok)
    assert.equal(may.abort.reason, "missing-confirmation")
  }
})

test("nobody confirms one keyEpoch twice, so two coordinators bring no two sharings of it into force", () => {
  const first = membersOf(attempt, three)
  assert.equal(driveMembers(attempt, first).task.kind, "confirmed")
  const again = attemptFor(three, { dealers: [1, 3], holders: [2, 3, 4], minSigners: 2 })
  const second = membersOf(again, three)
  // Whoever confirmed remembers the generation, whether or not it has activated it.
  for (const member of second.values()) {
    member.held = member.held.map(
      (held) => held && { ...held, highestKeyEpoch: held.sharing.keyEpoch + 1 },
    )
  }
  const { task, aborts } = driveMembers(again, second)
  assert.ok(task.kind === "aborted")
  for (const holder of [2, 3]) {
    assert.deepEqual(
      [aborts.get(holder)?.reason, aborts.get(holder)?.field],
      ["wrong-key-epoch", "keys.0"],
    )
  }
  const next = reshare.nextAttempt({ ...again, leaveOut: [] }, { abort: silenceOf(), spent: true })!
  const third = membersOf(next, three)
  for (const member of third.values()) {
    member.held = member.held.map(
      (held) => held && { ...held, highestKeyEpoch: held.sharing.keyEpoch + 1 },
    )
  }
  assert.equal(driveMembers(next, third).task.kind, "confirmed")
})

test("another run that is confirmed between the steps stops the confirmation of this one", () => {
  const members = membersOf(attempt, three)
  assert.ok(stopAfter(6, attempt, members))
  const holder = members.get(3)!
  holder.held = holder.held.map(
    (held) => held && { ...held, highestKeyEpoch: held.sharing.keyEpoch + 1 },
  )
  const { aborts } = driveMembers(attempt, members)
  assert.equal(aborts.get(3)?.reason, "wrong-key-epoch")
})

test("a key refreshed between the steps is not dealt from its old shares", () => {
  const members = membersOf(attempt, three)
  assert.ok(stopAfter(4, attempt, members))
  const dealer = members.get(1)!
  dealer.held = dealer.held.map(
    (held) => held && { ...held, sharing: { ...held.sharing, keyEpoch: 4 } },
  )
  const { aborts } = driveMembers(attempt, members)
  assert.equal(aborts.get(1)?.reason, "wrong-key-epoch")
})

test("states survive their codecs, and encode again to the same bytes", () => {
  const one = [sharedSecret("one", "secp256k1", 2, [1, 2])]
  const run = attemptFor(one, { dealers: [1, 2], holders: [1, 2], minSigners: 2 })
  const members = membersOf(run, one)
  assert.equal(driveMembers(run, members).task.kind, "confirmed")
  const judged = encode(reshare.reshareJudgedCodec, members.get(1)!.judged)
  const again = encode(reshare.reshareJudgedCodec, decode(reshare.reshareJudgedCodec, judged))
  assert.deepEqual(again, judged)
  const header = members.get(1)!.judged.opens.get(2)!.header
  assert.equal(decode(headerCodec, header.bytes).protocol, "reshare")
})
