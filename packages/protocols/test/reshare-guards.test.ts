import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName, type Identifier, Secret, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, fixedBytes } from "@lockkeeper/encoding"
import {
  abort,
  echoDigest,
  type Header,
  headerCodec,
  headerDigest,
  type Message,
  repair,
  reshare,
  sharing,
  signMessage,
} from "../src/index.ts"
import { isLogarithm, sumImage, summandImage } from "../src/repair/checks.ts"
import { batchOf, confirmOutcome } from "../src/reshare/certificate.ts"
import { vectorsCommitment } from "../src/reshare/checks.ts"
import { headOf } from "../src/reshare/keys.ts"
import {
  dealPayloadCodec,
  openPayloadCodec,
  type Vectors,
  type VerdictPayload,
  verdictPayloadCodec,
} from "../src/reshare/payloads.ts"
import { publicOutcome } from "../src/reshare/result.ts"
import { inOrder } from "../src/sharing/packed.ts"
import { pathsOf, rootOf } from "../src/sharing/tree.ts"
import { identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import * as repairs from "./repair-cluster.ts"
import * as reshares from "./reshare-cluster.ts"

const batch = reshares.mixedBatch(2, [1, 2, 3])
const target = { dealers: [1, 2], holders: [2, 3, 4, 5], minSigners: 2 }
const attempt = reshares.attemptFor(batch, target)
const repairing = repairs.attemptFor(batch, [1, 3], 2)
const self = (identifier: Identifier) => ({
  signer: identity(identifier),
  verifyKeys: rosterOf([1, 2, 3, 4, 5]),
})

// What only a caller can do wrong.

function openedReshare() {
  const { params, keys } = attempt
  const known = batch.map((one) => ({ sharing: one.sharing, highestKeyEpoch: 3 }))
  const randomness = seeded("open", reshare.OPEN_RANDOMNESS_LENGTH)
  const opened = reshare.reshareOpen({ params, keys, known }, 1, self(1), randomness)
  assert.ok(opened.ok)
  const others = [2, 3, 4, 5].map((i) => {
    const member = new reshares.HonestMember(attempt, batch, i)
    const said = member.step("open", { messages: [], opens: [] })
    assert.ok(said.ok)
    return said.value
  })
  const held = batch.map((one, i) => ({ ...known[i]!, share: one.shares.get(1)! }))
  return { state: opened.value.state, others, held, known }
}

function openedRepair(): { state: repair.RepairOpened; others: Message[]; shares: Secret[] } {
  const { params, sharings } = repairing
  const open = (who: Identifier) => {
    const randomness = seeded(`open ${who}`, repair.OPEN_RANDOMNESS_LENGTH)
    const opened = repair.repairOpen(
      { params, sharings, known: sharings },
      who,
      self(who),
      randomness,
    )
    assert.ok(opened.ok)
    return opened.value
  }
  const shares = batch.map((one) => Secret.copyOf(one.shares.get(1)!.expose()))
  return { state: open(1).state, others: [open(2).message, open(3).message], shares }
}

test("every step that draws insists on as much randomness as it takes", () => {
  const { state, others, held, known } = openedReshare()
  const { params, keys } = attempt
  const short = new Uint8Array(7)
  const open = () => reshare.reshareOpen({ params, keys, known }, 1, self(1), short)
  assert.throws(open, /reshareOpen takes 128 bytes/)
  const deal = () => reshare.reshareDeal(state, others, held, self(1), short)
  assert.throws(deal, /reshareDeal takes 256 bytes/)
  const helping = openedRepair()
  const { sharings } = repairing
  const request = { params: repairing.params, sharings, known: sharings }
  assert.throws(() => repair.repairOpen(request, 1, self(1), short), /repairOpen takes 64 bytes/)
  const split = (randomness: Uint8Array<ArrayBuffer>) =>
    repair.repairSplit(helping.state, helping.others, helping.shares, self(1), randomness)
  assert.throws(() => split(short), /repairSplit takes/)
  const made = split(seeded("split", repair.splitRandomnessLength(repairing.params)))
  assert.ok(made.ok)
  assert.throws(() => repair.repairSum(made.value.state, [], self(1), short), /repairSum takes/)
})

test("shares that are none, or too few, are a caller's mistake and not dealt", () => {
  const unreduced = new Uint8Array(32).fill(0xff)
  const { state, others, held } = openedReshare()
  const wrong = held.map((one) => ({ ...one, share: Secret.copyOf(unreduced) }))
  const randomness = seeded("deal", reshare.dealRandomnessLength(state))
  const deal = () => reshare.reshareDeal(state, others, wrong, self(1), randomness)
  assert.throws(deal, /a share that is held is a scalar of its group/)
  const helping = openedRepair()
  const split = (shares: readonly Secret[]) => () => {
    const drawn = seeded("split", repair.splitRandomnessLength(repairing.params))
    return repair.repairSplit(helping.state, helping.others, shares, self(1), drawn)
  }
  assert.throws(split(helping.shares.slice(1)), /a share for each key/)
  assert.throws(split(batch.map(() => Secret.copyOf(unreduced))), /is a scalar of its group/)
})

test("lists of another length, other sharings and empty trees have no encoding, path or root", () => {
  const two = inOrder([fixedBytes(1), fixedBytes(1)])
  assert.throws(() => encode(two, [new Uint8Array(1)]), /expected 2 items/)
  assert.throws(() => rootOf([]), /a tree without leaves/)
  const { task, members } = reshares.drive(attempt, batch)
  assert.ok(task.kind === "confirmed")
  const sharings = members.get(3)!.judged.pending!.reshared.map((one) => one.sharing)
  const none = /not the sharings of this batch/
  assert.throws(() => reshare.certificatesOf(task.certificate, [...sharings].reverse()), none)
  assert.throws(() => reshare.certificatesOf(task.certificate, sharings.slice(0, 1)), none)
  assert.throws(() => reshare.certificatesOf(task.certificate, [...sharings, sharings[0]!]), none)
  const [certificate] = reshare.certificatesOf(task.certificate, sharings)
  assert.deepEqual(batchOf(certificate!), task.certificate)
  assert.equal(batchOf({ ...certificate!, path: [] }), null)
  assert.equal(pathsOf(sharings.map(sharing.sharingDigest)).length, 3)
})

// The step machines.

test("no run is begun for parameters or a batch that cannot be", () => {
  const keys = rosterOf([1, 2, 3, 4, 5])
  const reasonOf = (task: reshare.ReshareTask | repair.RepairTask) =>
    task.kind === "aborted" ? [task.abort.reason, task.abort.field] : task.kind
  const { params } = attempt
  const one = reshare.reshareCoordinate({ ...params, dealers: [1] }, attempt.keys, keys)
  assert.deepEqual(reasonOf(one), ["wrong-threshold", "dealers"])
  const without = ["wrong-batch", "keys"]
  assert.deepEqual(reasonOf(reshare.reshareCoordinate(params, [], keys)), without)
  const { sharings } = repairing
  const alone = { ...repairing.params, helpers: [1] }
  const two = repair.repairCoordinate(alone, sharings, keys)
  assert.deepEqual(reasonOf(two), ["wrong-threshold", "helpers"])
  assert.deepEqual(reasonOf(repair.repairCoordinate(repairing.params, [], keys)), without)
})

test("answers are taken only in a dispute", () => {
  const begun = reshare.reshareCoordinate(attempt.params, attempt.keys, rosterOf([1, 2, 3, 4, 5]))
  assert.ok(begun.kind === "ask")
  const asked = /only asked for when there are complaints/
  const waiting = { ...begun.waiting, step: "answer" as const }
  assert.throws(() => reshare.reshareAdvance(waiting, []), asked)
  const first = repair.repairCoordinate(repairing.params, repairing.sharings, rosterOf([1, 2, 3]))
  assert.ok(first.kind === "ask")
  const mending = { ...first.waiting, step: "answer" as const }
  assert.throws(() => repair.repairAdvance(mending, []), asked)
})

test("where nobody confirms and nobody complains, everyone is silent and the generation is spent", () => {
  const silent = { verdict: () => null }
  const { task } = reshares.drive(attempt, batch, { 2: silent, 3: silent, 4: silent, 5: silent })
  assert.ok(task.kind === "aborted" && task.spent)
  const { reason, culprits, silent: who } = task.abort
  assert.deepEqual([reason, culprits, who], ["missing-messages", [], [2, 3, 4, 5]])
})

/** What a member answers with in place of what it should; nothing is silence. */
type Answers = (from: Identifier, step: reshare.ReshareStep, given: Given) => readonly Message[]
interface Given {
  readonly message: Message | null
  readonly delivery: reshare.Delivery
}

function driveWith(answers: Answers): Extract<reshare.ReshareTask, { kind: "aborted" }> {
  const { params, keys } = attempt
  const members = new Map(
    reshares.everyone(attempt).map((i) => [i, new reshares.HonestMember(attempt, batch, i)]),
  )
  let task = reshare.reshareCoordinate(params, keys, rosterOf([...members.keys()]))
  while (task.kind === "ask") {
    const responses: reshare.ReshareResponse[] = []
    for (const [from, delivery] of task.deliveries) {
      const answer = members.get(from)!.step(task.step, delivery)
      const given = { message: answer.ok ? answer.value : null, delivery }
      const sent = answers(from, task.step, given)
      responses.push(...sent.map((message) => ({ from, message })))
    }
    task = reshare.reshareAdvance(task.waiting, responses)
  }
  assert.ok(task.kind === "aborted")
  return task
}

for (const step of ["open", "deal", "verdict", "answer"] as const) {
  test(`${step}: two messages for one place stop a run with their author's name`, () => {
    const spent = step === "verdict" || step === "answer"
    const { abort, spent: wasSpent } = driveWith((from, at, { message }) => {
      if (!message || from !== 2) return message ? [message] : []
      // It deals what does not open to 3, which complains, so that it has something to answer.
      const sealed = new Map(message.sealed)
      if (at === "deal" && step === "answer") sealed.set(3, message.sealed.get(4)!)
      const said = rewrite(message, identity(2), { sealed })
      if (at !== step) return [said]
      return [said, rewrite(said, identity(2), { broadcast: said.broadcast.slice(1) })]
    })
    assert.deepEqual([abort.reason, abort.culprits, wasSpent], ["equivocation", [2], spent])
  })
}

const OUTCOMES = (from: Identifier) => {
  const { rosterEpoch, groups } = attempt.params
  const root = seeded(`outcome ${from}`, 32)
  const statement = { rosterEpoch, size: groups.length, root }
  return { kind: "confirm", root, confirmation: confirmOutcome(identity(from), statement) } as const
}
const COMPLAINTS = () => ({ kind: "complain", complaints: [{ dealer: 1, index: 0 }] }) as const
for (const [what, saying] of [
  ["confirm different outcomes", OUTCOMES],
  ["complain of another dealer", COMPLAINTS],
] as const) {
  test(`liars who ${what} do not hide who dealt what is no element`, () => {
    const { params } = attempt
    const codec = dealPayloadCodec(params)
    let payload = { blinding: seeded("blinding", 32), vectors: [] as Vectors }
    const ofSmallOrder = (broadcast: Bytes) => {
      const { vectors } = decode(codec, broadcast)
      payload = { ...payload, vectors: [[new Uint8Array(32)], ...vectors.slice(1)] }
    }
    // What it will deal is fixed by its seed: a first run shows it.
    driveWith((from, step, { message }) => {
      if (from === 2 && step === "deal") ofSmallOrder(message!.broadcast)
      return message && step !== "verdict" ? [message] : []
    })
    const commitment = vectorsCommitment(params, 2, payload.vectors, payload.blinding)
    let place: Partial<Header> = {}
    const { abort } = driveWith((from, step, { message, delivery }) => {
      if (step === "verdict")
        return from === 3 || from === 4 ? [sayingLast(from, delivery, saying(from))] : []
      if (!message || from > 2) return message ? [message] : []
      const { sessionId, previousDigest } = decode(headerCodec, message.header.bytes)
      if (from === 1) place = { sessionId, previousDigest }
      if (from === 1) return [message]
      if (step === "deal") {
        return [rewrite(message, identity(2), { header: place, broadcast: encode(codec, payload) })]
      }
      const opened = { ...decode(openPayloadCodec, message.broadcast), commitment }
      return [rewrite(message, identity(2), { broadcast: encode(openPayloadCodec, opened) })]
    })
    assert.deepEqual([abort.reason, abort.culprits], ["malformed-payload", [2]])
  })
}

/** A verdict of whatever, rightly signed, with an echo of what there was to see. */
function sayingLast(
  from: Identifier,
  { messages }: reshare.Delivery,
  verdict: VerdictPayload,
): Message {
  const headers = messages.map(({ header }) => decode(headerCodec, header.bytes))
  const [first] = headers
  const broadcast = encode(verdictPayloadCodec, verdict)
  const digests = headers.map(
    ({ sender }, i) => [sender, headerDigest(messages[i]!.header)] as const,
  )
  const previousDigest = echoDigest(new Map(digests))
  const slot = { ...first!, step: 3, sender: from }
  return signMessage(identity(from), slot, { previousDigest, broadcast })
}

test("a dealer that has forgotten what it dealt confirms nothing, and blames nobody", () => {
  const opens = new Map<Identifier, Message>()
  const memberOf = (i: Identifier) => {
    const member = new reshares.HonestMember(attempt, batch, i)
    const before = new reshares.HonestMember(attempt, batch, i)
    const step = member.step.bind(member)
    member.step = (at, delivery) => {
      if (i === 2 && at === "deal") return before.step(at, delivery)
      // The coordinator shows it all openings, as it does to those who deal nothing.
      const shown = i === 2 && at === "verdict" ? [...opens.values()] : delivery.opens
      const said = step(at, { ...delivery, opens: shown })
      if (at === "open" && said.ok) opens.set(i, said.value)
      if (at === "open") before.step(at, delivery)
      return said
    }
    return [i, member] as const
  }
  const members = reshares.everyone(attempt).map(memberOf)
  const { task, aborts } = reshares.driveMembers(attempt, new Map(members))
  assert.equal(aborts.get(2)?.reason, "missing-messages")
  assert.ok(task.kind === "confirmed")
  assert.deepEqual([task.missing, task.fault], [[2], null])
})

test("polynomials that cancel out leave no outcome rather than a share that is no share", () => {
  const { params, keys } = reshares.attemptFor(batch.slice(1, 2), target)
  const minus = secp256k1.negate(secp256k1.generator)
  const dealings = [[[secp256k1.generator]], [[minus]]]
  const outcome = publicOutcome(params, keys.map(headOf), dealings)
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.field], ["identity-key", "keys.0"])
})

test("where a helper's image is no element there is nothing that its summands could be", () => {
  const { params, sharings } = repairing
  const [first] = sharings as [sharing.Sharing]
  const group = groupByName(first.group)
  const broken = {
    ...first,
    verifyingShares: new Map([1, 2, 3].map((i) => [i, new Uint8Array(32)])),
  }
  const split = { helper: 1, images: [group.generator] }
  // The last helper's follows from the image; the first one's was published.
  assert.equal(summandImage(params, broken, split, 3), null)
  assert.equal(summandImage(params, broken, split, 1), group.generator)
  const splits = new Map([1, 3].map((i) => [i, [group.generator]]))
  assert.equal(sumImage(params, broken, splits, 3), null)
  assert.equal(isLogarithm(group, null, group.one), false)
  assert.equal(isLogarithm(group, group.generator, new Uint8Array(32).fill(0xff)), false)
  assert.equal(isLogarithm(group, group.generator, group.one), true)
})

// Who goes on.

function stopped(culprits: readonly Identifier[], silent: readonly Identifier[] = []) {
  return abort("missing-messages", { culprits, silent }).abort
}

test("another try takes only dealers that hold every key, and as many holders as a quorum needs", () => {
  const next = (some: reshare.ReshareAttempt, ...who: Parameters<typeof stopped>) =>
    reshare.nextAttempt(some, { abort: stopped(...who), spent: false })
  assert.deepEqual(next(attempt, [1])?.params.dealers, [2, 3])
  assert.deepEqual(next(attempt, [], [3])?.leaveOut, [3])
  assert.equal(next(attempt, [1, 2]), null)
  assert.equal(next(attempt, [], [4, 5]), null)
  assert.equal(next({ ...attempt, leaveOut: [4] }, [], [5]), null)
  const fewer = [batch[0]!, reshares.sharedSecret("narrow", "secp256k1", 2, [1, 2])]
  const narrow = reshares.attemptFor(fewer, target)
  assert.equal(next(narrow, [1]), null)
  assert.deepEqual(next(narrow, [])?.params.dealers, [1, 2])
})

test("another repair takes only helpers that hold every key, and never the member", () => {
  const next = (some: repair.RepairAttempt, ...who: Parameters<typeof stopped>) =>
    repair.nextAttempt(some, stopped(...who))?.params.helpers ?? null
  const five = repairs.attemptFor(reshares.mixedBatch(2, [1, 2, 3, 4, 5]), [1, 3], 2)
  assert.deepEqual(next(five, [1]), [3, 4])
  assert.deepEqual(next(five, [], [3]), [1, 4])
  assert.equal(next(five, [2]), null)
  assert.equal(next(five, [1], [4, 5]), null)
  assert.equal(next(repairing, [1]), null)
  const wide = reshares.mixedBatch(2, [1, 2, 3, 4]).slice(0, 1)
  const both = [...wide, reshares.sharedSecret("narrow", "secp256k1", 2, [1, 2, 3])]
  assert.equal(next(repairs.attemptFor(both, [1, 3], 2), [1]), null)
})
