import assert from "node:assert/strict"
import { test } from "node:test"
import { edwards25519, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { type AbortReason, type Header, reshare } from "../src/index.ts"
import { confirmOutcome } from "../src/reshare/certificate.ts"
import {
  type DealPayload,
  dealPayloadCodec,
  type OpenPayload,
  openPayloadCodec,
  verdictPayloadCodec,
} from "../src/reshare/payloads.ts"
import { flip, identity, rosterOf, seeded } from "./messages-fixtures.ts"
import {
  assertAborted,
  assertProven,
  attemptFor,
  drive,
  everyone,
  type Misdeed,
  mixedBatch,
  signs,
} from "./reshare-cluster.ts"

/** A dealer and no holder; a dealer and holder; a holder and no dealer. */
const LEAVING = 1
const STAYING = 2
const NEW = 4

const batch = mixedBatch(2, [1, 2, 3])
const attempt = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4, 5], minSigners: 2 })
const verifyKeys = rosterOf(everyone(attempt))
const dealCodec = dealPayloadCodec(attempt.params)

const header =
  (change: Partial<Header>) =>
  (sender: Identifier): Misdeed =>
    signs(sender, () => ({ header: change }))
const says =
  (broadcast: Bytes) =>
  (sender: Identifier): Misdeed =>
    signs(sender, () => ({ broadcast }))
const opensWith =
  (change: (payload: OpenPayload) => Partial<OpenPayload>) =>
  (sender: Identifier): Misdeed =>
    signs(sender, ({ broadcast }) => {
      const payload = decode(openPayloadCodec, broadcast)
      return { broadcast: encode(openPayloadCodec, { ...payload, ...change(payload) }) }
    })
const dealsWith =
  (change: (payload: DealPayload) => Partial<DealPayload>) =>
  (sender: Identifier): Misdeed =>
    signs(sender, ({ broadcast }) => {
      const payload = decode(dealCodec, broadcast)
      return { broadcast: encode(dealCodec, { ...payload, ...change(payload) }) }
    })
const extraPart = (sender: Identifier): Misdeed =>
  signs(sender, ({ sealed }) => ({ sealed: new Map([...sealed, [77, utf8("x")]]) }))
const withoutPart =
  (recipient: Identifier) =>
  (sender: Identifier): Misdeed =>
    signs(sender, ({ sealed }) => ({
      sealed: new Map([...sealed].filter(([to]) => to !== recipient)),
    }))

// The sender's own doing, but a replay would look the same to others: unusable, hence silent.
const UNPROVABLE: readonly (readonly [string, Partial<Header>, AbortReason])[] = [
  ["suite", { suite: "lockkeeper-0" }, "wrong-suite"],
  ["protocol", { protocol: "refresh" }, "wrong-protocol"],
  ["step", { step: 9 }, "wrong-step"],
  ["attempt", { attempt: 2 }, "wrong-attempt"],
  ["sessionId", { sessionId: seeded("another session", 32) }, "wrong-session"],
  ["rosterEpoch", { rosterEpoch: 7 }, "wrong-roster-epoch"],
  ["sender", { sender: 3 }, "wrong-signature"],
  ["parts", { parts: new Map([[0, seeded("x", 32)]]) }, "part-mismatch"],
]
for (const step of ["open", "deal"] as const) {
  for (const [field, change, reason] of UNPROVABLE) {
    if (step === "open" && field === "sessionId") continue
    test(`${step}: a wrong ${field} in a dealer's header makes it silent, not guilty`, () => {
      const result = drive(attempt, batch, { [STAYING]: { [step]: header(change)(STAYING) } })
      assertAborted(result, attempt, { reason, silent: [STAYING] })
    })
  }
  test(`${step}: a dealer that says nothing is silent`, () => {
    const result = drive(attempt, batch, { [LEAVING]: { [step]: () => null } })
    assertAborted(result, attempt, { reason: "missing-messages", silent: [LEAVING] })
  })
  test(`${step}: a wrong echo makes its sender silent, not guilty`, () => {
    const misdeed = header({ previousDigest: seeded("x", 32) })(LEAVING)
    const result = drive(attempt, batch, { [LEAVING]: { [step]: misdeed } })
    assertAborted(result, attempt, { reason: "echo-mismatch", silent: [LEAVING] })
  })
}
test("open: another nonce is as good, since its session is its sender's own", () => {
  const open = header({ sessionId: seeded("another nonce", 32) })(STAYING)
  const { task } = drive(attempt, batch, { [STAYING]: { open } })
  assert.ok(task.kind === "confirmed")
  assert.deepEqual([task.missing, task.fault], [[], null])
})

function firstElement(bytes: Bytes): (sender: Identifier) => Misdeed {
  return (sender) =>
    signs(sender, ({ broadcast }) => {
      const changed = new Uint8Array(broadcast)
      // Behind the blinding; the first key of the batch is of edwards25519.
      changed.set(bytes, 32)
      return { broadcast: changed }
    })
}

/** What a holder would say who confirms another outcome. */
function confirmation(holder: Identifier, root: Bytes): Bytes {
  const { rosterEpoch, groups } = attempt.params
  const statement = { rosterEpoch, size: groups.length, root }
  const signed = confirmOutcome(identity(holder), statement)
  return encode(verdictPayloadCodec, { kind: "confirm", root, confirmation: signed })
}

type Provable = readonly [
  string,
  Identifier,
  "open" | "deal" | "verdict",
  (sender: Identifier) => Misdeed,
  AbortReason,
]
const PROVABLE: readonly Provable[] = [
  ["an extra recipient", NEW, "open", extraPart, "wrong-recipients"],
  ["junk", NEW, "open", says(utf8("junk")), "malformed-payload"],
  [
    "a holder without a key to seal to",
    NEW,
    "open",
    opensWith(() => ({ sealingKey: null })),
    "malformed-payload",
  ],
  [
    "a dealer that leaves with a key to seal to",
    LEAVING,
    "open",
    opensWith(() => ({ sealingKey: seeded("x", 1216) })),
    "malformed-payload",
  ],
  [
    "a key nobody can seal to",
    NEW,
    "open",
    opensWith(() => ({ sealingKey: new Uint8Array(1216).fill(0xff) })),
    "malformed-payload",
  ],
  [
    "a dealer without a commitment",
    STAYING,
    "open",
    opensWith(() => ({ commitment: null })),
    "malformed-payload",
  ],
  [
    "a commitment of a holder that does not deal",
    NEW,
    "open",
    opensWith(() => ({ commitment: seeded("x", 32) })),
    "malformed-payload",
  ],
  [
    "another commitment",
    LEAVING,
    "open",
    opensWith(() => ({ commitment: seeded("x", 32) })),
    "wrong-opening",
  ],
  ["an extra recipient", LEAVING, "deal", extraPart, "wrong-recipients"],
  ["a holder left out", LEAVING, "deal", withoutPart(NEW), "wrong-recipients"],
  ["junk", LEAVING, "deal", says(utf8("junk")), "malformed-payload"],
  [
    "a longer vector (raised threshold)",
    LEAVING,
    "deal",
    (sender) =>
      signs(sender, ({ broadcast }) => ({
        broadcast: new Uint8Array([...broadcast, ...edwards25519.generator]),
      })),
    "malformed-payload",
  ],
  [
    "a shorter vector (lowered threshold)",
    LEAVING,
    "deal",
    (sender) => signs(sender, ({ broadcast }) => ({ broadcast: broadcast.slice(0, -32) })),
    "malformed-payload",
  ],
  [
    "other vectors than committed to",
    STAYING,
    "deal",
    dealsWith(({ vectors }) => ({
      vectors: [[edwards25519.generator], ...vectors.slice(1)],
    })),
    "wrong-opening",
  ],
  [
    "another blinding",
    STAYING,
    "deal",
    dealsWith(() => ({ blinding: seeded("x", 32) })),
    "wrong-opening",
  ],
  ["another element", LEAVING, "deal", firstElement(edwards25519.identity), "wrong-opening"],
]
for (const [what, sender, step, misdeed, reason] of PROVABLE) {
  test(`${step}: ${what} names its signer with evidence`, () => {
    const result = drive(attempt, batch, { [sender]: { [step]: misdeed(sender) } })
    assertAborted(result, attempt, { reason, culprits: [sender] })
  })
}

// What a holder says wrongly at the end stops nobody where enough others confirm.
const WRONG_VERDICTS: readonly (readonly [string, (sender: Identifier) => Misdeed, AbortReason])[] =
  [
    ["an extra recipient", extraPart, "wrong-recipients"],
    ["junk", says(utf8("junk")), "malformed-payload"],
    ["an unknown kind", says(Uint8Array.of(7)), "malformed-payload"],
    [
      "a flipped signature",
      (sender) => signs(sender, ({ broadcast }) => ({ broadcast: flip(broadcast, -40) })),
      "wrong-confirmation",
    ],
    [
      "another root under the right signature",
      (sender) => signs(sender, ({ broadcast }) => ({ broadcast: flip(broadcast, 5) })),
      "wrong-confirmation",
    ],
  ]
for (const [what, misdeed, reason] of WRONG_VERDICTS) {
  test(`verdict: ${what} names its signer, and the others' confirmations stand`, () => {
    const { task, batch: after } = drive(attempt, batch, { [NEW]: { verdict: misdeed(NEW) } })
    assert.equal(task.kind, "confirmed")
    assert.deepEqual(task.missing, [NEW])
    assert.deepEqual([task.fault?.reason, task.fault?.culprits], [reason, [NEW]])
    assertProven(task.fault!, verifyKeys)
    assert.deepEqual([...after[0]!.shares.keys()], [2, 3, 5])
  })
  test(`verdict: ${what} stops a run in which everyone is needed`, () => {
    const three = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })
    const result = drive(three, batch, { [NEW]: { verdict: misdeed(NEW) } })
    const found = assertAborted(result, three, { reason, culprits: [NEW] })
    assert.ok(result.task.kind === "aborted" && result.task.spent)
    assert.equal(reshare.nextAttempt(three, { abort: found, spent: true }), null)
  })
}

for (const [field, change, reason] of UNPROVABLE) {
  test(`verdict: a wrong ${field} in the header is silence, and the others suffice`, () => {
    const { task } = drive(attempt, batch, { [NEW]: { verdict: header(change)(NEW) } })
    assert.equal(task.kind, "confirmed")
    assert.deepEqual([task.missing, task.fault], [[NEW], null])
    const three = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })
    const result = drive(three, batch, { [NEW]: { verdict: header(change)(NEW) } })
    assertAborted(result, three, { reason, silent: [NEW] })
  })
}

for (const liar of [STAYING, NEW]) {
  test(`a confirmation of another outcome by ${liar}, rightly signed, is proven from what was dealt`, () => {
    const other = reshare.keysRoot(attempt.keys)
    const verdict = signs(liar, () => ({ broadcast: confirmation(liar, other) }))
    const { task } = drive(attempt, batch, { [liar]: { verdict } })
    assert.equal(task.kind, "confirmed")
    assert.deepEqual([task.fault?.reason, task.fault?.culprits], ["wrong-confirmation", [liar]])
    assertProven(task.fault!, verifyKeys)
  })
}

test("all culprits of a step are named at once, beside those who are silent", () => {
  const junk = says(utf8("junk"))
  const result = drive(attempt, batch, {
    1: { open: junk(1) },
    4: { open: junk(4) },
    5: { open: () => null },
  })
  const found = { reason: "malformed-payload", culprits: [1, 4], silent: [5] } as const
  assertAborted(result, attempt, found)
})

test("after an abort another dealer deals, and the run goes through without the culprit", () => {
  const deal = says(utf8("junk"))(STAYING)
  const result = drive(attempt, batch, { [STAYING]: { deal } })
  const found = assertAborted(result, attempt, { reason: "malformed-payload", culprits: [STAYING] })
  assert.ok(result.task.kind === "aborted" && !result.task.spent)
  const next = reshare.nextAttempt(attempt, { abort: found, spent: false })!
  assert.deepEqual(
    [next.params.dealers, next.params.attempt, next.leaveOut],
    [[1, 3], 2, [STAYING]],
  )
  const again = drive(next, batch)
  assert.equal(again.task.kind, "confirmed")
  assert.deepEqual([...again.batch[0]!.shares.keys()], [3, 4, 5])
  assert.equal(again.batch[0]!.sharing.keyEpoch, batch[0]!.sharing.keyEpoch + 1)
  assert.deepEqual([...again.batch[0]!.sharing.verifyingShares.keys()], [2, 3, 4, 5])
})
