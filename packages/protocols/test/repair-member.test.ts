import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import { type Message, repair } from "../src/index.ts"
import { openPayloadCodec, verdictPayloadCodec } from "../src/repair/payloads.ts"
import { identity, rewrite, rosterOf } from "./messages-fixtures.ts"
import { assertUnblamed } from "./openings.ts"
import { attemptFor, everyone, HonestParticipant } from "./repair-cluster.ts"
import { mixedBatch } from "./reshare-cluster.ts"

const [HELPER, MEMBER] = [1, 2]
const batch = mixedBatch(2, [1, 2, 3, 4])
const attempt = attemptFor(batch, [HELPER, 3], MEMBER)
const { params } = attempt
const roster = rosterOf(everyone(attempt))

/** A run to its end, with what everybody said and the state of one helper behind its sum. */
function run() {
  const all = new Map(everyone(attempt).map((i) => [i, new HonestParticipant(attempt, batch, i)]))
  const said = new Map<string, Message>()
  let task = repair.repairCoordinate(params, attempt.sharings, roster)
  while (task.kind === "ask") {
    const { step, about, waiting } = task
    const responses = [...task.deliveries].map(([from, delivery]) => {
      const outcome = all.get(from)!.step(step, delivery, about)
      assert.ok(outcome.ok)
      said.set(`${step} ${from}`, outcome.value)
      return { from, message: outcome.value }
    })
    task = repair.repairAdvance(waiting, responses)
  }
  assert.equal(task.kind, "repaired")
  const stored = (all.get(HELPER) as unknown as { stored: Uint8Array }).stored
  return { said, state: decode(repair.repairSummedCodec, stored) }
}

const { said, state } = run()
const opening = said.get(`open ${MEMBER}`)!
const verdict = said.get(`verdict ${MEMBER}`)!

test("the member's sealing key is that of its own opening of this run", () => {
  const key = repair.memberSealingKey(params, opening, roster)
  assert.ok(key.ok)
  assert.deepEqual(key.value, decode(openPayloadCodec, opening.broadcast).sealingKey)
  const helpers = said.get(`open ${HELPER}`)!
  assertUnblamed(repair.memberSealingKey(params, helpers, roster), "unknown-sender")
  const other = { ...params, helpers: [1, 4] }
  assertUnblamed(repair.memberSealingKey(other, opening, roster), "echo-mismatch")
  const sealingKey = new Uint8Array(1216).fill(255)
  const broadcast = encode(openPayloadCodec, { sealingKey })
  const faulty = repair.memberSealingKey(
    params,
    rewrite(opening, identity(MEMBER), { broadcast }),
    roster,
  )
  assert.ok(!faulty.ok)
  assert.deepEqual([faulty.abort.reason, faulty.abort.culprits], ["malformed-payload", [MEMBER]])
})

test("a repair is finished by the member's confirmation in this run, and by nothing else", () => {
  assert.ok(repair.repairFinished(state, verdict, roster).ok)
  const complaint = { kind: "complain" as const, complaints: [{ dealer: HELPER, index: 0 }] }
  const complains = rewrite(verdict, identity(MEMBER), {
    broadcast: encode(verdictPayloadCodec, complaint),
  })
  assertUnblamed(repair.repairFinished(state, complains, roster), "complaint-pending")
  const sum = said.get("sum 3")!
  assertUnblamed(repair.repairFinished(state, sum, roster), "wrong-step")
  const others = { ...state, params: { ...params, attempt: 2 } }
  assertUnblamed(repair.repairFinished(others, verdict, roster), "wrong-attempt")
  const junk = repair.repairFinished(
    state,
    rewrite(verdict, identity(MEMBER), { broadcast: utf8("x") }),
    roster,
  )
  assert.ok(!junk.ok)
  assert.deepEqual([junk.abort.reason, junk.abort.culprits], ["malformed-payload", [MEMBER]])
})
