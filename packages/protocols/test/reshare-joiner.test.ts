import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, utf8 } from "@lockkeeper/encoding"
import { type Message, type Outcome, reshare } from "../src/index.ts"
import { openPayloadCodec } from "../src/reshare/payloads.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import {
  attemptFor,
  drive,
  everyone,
  HonestMember,
  mixedBatch,
  NEW_ROSTER_EPOCH,
} from "./reshare-cluster.ts"

// What others than those who are dealt to have of a run: who tells a holder about what it is given,
// and who holds no share any more.

const LEAVING = 1
const JOINING = 4
const batch = mixedBatch(2, [1, 2, 3])
const attempt = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })
const { params } = attempt
const verifyKeys = rosterOf(everyone(attempt))

function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok)
  return outcome.value
}

function reasonOf(outcome: Outcome<unknown>): readonly (string | null)[] {
  assert.ok(!outcome.ok)
  return [outcome.abort.reason, outcome.abort.field ?? null]
}

const openingOf = (member: Identifier): Message =>
  value(new HonestMember(attempt, batch, member).step("open", { messages: [], opens: [] }))

const keyOf = (holder: Identifier, opening: Message) =>
  reshare.holderSealingKey(params, holder, opening, verifyKeys)

test("whoever has a holder's opening knows what to seal to it, by its signature alone", () => {
  const opening = openingOf(JOINING)
  const { sealingKey } = decode(openPayloadCodec, opening.broadcast)
  assert.deepEqual(value(keyOf(JOINING, opening)), sealingKey)
  assert.deepEqual(reasonOf(keyOf(LEAVING, openingOf(LEAVING))), ["not-a-participant", "member"])
  assert.deepEqual(reasonOf(keyOf(9, opening))[0], "not-a-participant")
  assert.equal(reasonOf(keyOf(2, opening))[0], "unknown-sender")
  const altered = { ...opening, broadcast: flip(opening.broadcast, 9) }
  assert.equal(reasonOf(keyOf(JOINING, altered))[0], "part-mismatch")
  const junk = rewrite(opening, identity(JOINING), { broadcast: utf8("junk") })
  assert.equal(reasonOf(keyOf(JOINING, junk))[0], "malformed-payload")
  const forged = rewrite(opening, identity(LEAVING), {})
  assert.equal(reasonOf(keyOf(JOINING, forged))[0], "wrong-signature")
  const ofAnother = { ...params, attempt: params.attempt + 1 }
  const elsewhere = reshare.holderSealingKey(ofAnother, JOINING, opening, verifyKeys)
  assert.equal(reasonOf(elsewhere)[0], "wrong-attempt")
})

test("a coordinator proves each new sharing to those who hold none, of its own run alone", () => {
  const { task, waiting, batch: after } = drive(attempt, batch)
  assert.ok(task.kind === "confirmed" && waiting !== null)
  const { certificate } = task
  const certificates = value(reshare.certificatesFor(waiting, certificate))
  const roster = { rosterEpoch: NEW_ROSTER_EPOCH, minSigners: 2, verifyKeys }
  const proven = certificates.map((one) => value(reshare.verifyReshareCertificate(one, roster)))
  assert.deepEqual(
    proven,
    after.map(({ sharing }) => sharing),
  )
  const other = { ...certificate, root: seeded("another outcome", 32) }
  assert.equal(reasonOf(reshare.certificatesFor(waiting, other))[0], "wrong-batch")
  const fewer = { ...waiting, deals: new Map([...waiting.deals].slice(1)) }
  assert.equal(reasonOf(reshare.certificatesFor(fewer, certificate))[0], "wrong-batch")
})
