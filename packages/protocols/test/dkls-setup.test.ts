import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { type PairStatus, type SetupParams, setupInspect, setupTask } from "../src/dkls/index.ts"
import { setupOpenCodec } from "../src/dkls/setup/checks.ts"
import {
  type Abort,
  type AbortReason,
  deliver,
  type Evidence,
  encodeEvidence,
  LIMITS,
  type Message,
  verifyEvidence,
} from "../src/index.ts"
import { presign, senderOf, signWith } from "./dkls-cluster.ts"
import { type SetupMeddling, SetupRunner, setupParams } from "./dkls-setup-cluster.ts"
import { makeCluster, seeded } from "./frost-fixture.ts"
import { flip, identity, type Rewrite, rewrite, rosterOf } from "./messages-fixtures.ts"

const params = setupParams([1, 2, 3])
const verifyKeys = rosterOf([1, 2, 3])
const honest = new SetupRunner(params).run()

test("both ends of every pair keep two halves of one setup, with which keys sign", () => {
  assert.equal(honest.aborts.size, 0)
  for (const low of [1, 2]) {
    for (const high of [2, 3].filter((id) => id > low)) {
      const [a, b] = [honest.pairs.get(low)!.get(high)!, honest.pairs.get(high)!.get(low)!]
      assert.deepEqual(a.setupDigest, b.setupDigest)
      assert.deepEqual(a.pairSecret.expose(), b.pairSecret.expose())
      for (const [sender, receiver] of [
        [a, b],
        [b, a],
      ] as const) {
        for (let k = 0; k < 128; k++) {
          const bit = (receiver.delta.expose()[k >> 3]! >> (k & 7)) & 1
          const seeds = bit ? sender.oneSeeds : sender.zeroSeeds
          const at = (secret: typeof seeds) => secret.expose().slice(16 * k, 16 * k + 16)
          assert.deepEqual(at(receiver.chosenSeeds), at(seeds))
        }
      }
    }
  }
  const cluster = makeCluster({ keyType: "ecdsa-secp256k1" })
  signWith(cluster, presign(cluster, [1, 3], { pairs: honest.pairs }), 0)
})

test("a pair is set up unless an end calls it dead or both hold the same one", () => {
  const live = (seed: string): PairStatus => ({ kind: "live", setupDigest: seeded(seed) })
  const dead: PairStatus = { kind: "dead" }
  const none: PairStatus = { kind: "none" }
  for (const [a, b, expected] of [
    [none, none, true],
    [live("a"), live("a"), false],
    [live("a"), live("b"), true],
    [live("a"), none, true],
    [dead, none, false],
    [live("a"), dead, false],
  ] as const) {
    const statuses = new Map([
      [1, new Map([[2, a]])],
      [2, new Map([[1, b]])],
    ])
    const runner = new SetupRunner(setupParams([1, 2]), statuses).run()
    assert.equal(runner.aborts.size, 0)
    assert.deepEqual(
      [...runner.pairs.values()].map((pairs) => pairs.size),
      expected ? [1, 1] : [0, 0],
    )
  }
})

test("no two runs share a secret, and none prints", () => {
  const again = new SetupRunner(params, new Map(), "again").run()
  const [a, b] = [honest, again].map((runner) => runner.pairs.get(1)!.get(2)!)
  assert.notDeepEqual(a!.pairSecret.expose(), b!.pairSecret.expose())
  assert.notDeepEqual(a!.delta.expose(), b!.delta.expose())
  assert.notDeepEqual(a!.setupDigest, b!.setupDigest)
  assert.equal(JSON.stringify(a!.pairSecret), '"[redacted]"')
})

/** Everyone who stopped names exactly this culprit, with evidence that verifies offline. */
function assertNames(
  aborts: ReadonlyMap<Identifier, Abort>,
  expected: { readonly by: readonly Identifier[]; readonly culprit: Identifier },
  reason: AbortReason,
): void {
  assert.deepEqual([...aborts.keys()], expected.by)
  for (const abort of aborts.values()) {
    assert.equal(abort.reason, reason)
    assert.deepEqual(abort.culprits, [expected.culprit])
    assert.equal(abort.pair, null)
    const [evidence] = abort.evidence
    assert.ok(evidence && abort.evidence.length === 1)
    const encoded = encodeEvidence(evidence)
    assert.ok(encoded.length <= LIMITS.evidence)
    const verdict = { valid: true, culprit: expected.culprit, reason }
    assert.deepEqual(verifyEvidence(encoded, verifyKeys), verdict)
  }
}

type Change = (message: Message) => Rewrite

/** All messages of a step of the honest run, but for 2's. */
function saidWith(step: 1 | 2 | 3, change: Change): Message[] {
  return honest.said[step - 1]!.map((message) =>
    senderOf(message) === 2 ? rewrite(message, identity(2), change(message)) : message,
  )
}

/** What the others make of it at the next step. */
function abortsWith(
  step: 1 | 2 | 3,
  change: Change,
  by: readonly Identifier[] = [1, 3],
): ReadonlyMap<Identifier, Abort> {
  const said = saidWith(step, change)
  const next = (step + 1) as 2 | 3 | 4
  const aborts = new Map<Identifier, Abort>()
  for (const identifier of by) {
    const messages = said
      .filter((message) => senderOf(message) !== identifier)
      .map((message) => deliver(message, identifier))
    const outcome = honest.before(next).step(next, identifier, messages)
    if (!outcome.ok) aborts.set(identifier, outcome.abort)
  }
  return aborts
}

const others = { by: [1, 3], culprit: 2 }

test("an opening of no form, for too many or too few, or with parts names its sender", () => {
  const changes: readonly Change[] = [
    ({ broadcast }) => ({ broadcast: broadcast.slice(1) }),
    ({ broadcast }) => {
      const open = decode(setupOpenCodec, broadcast)
      const statuses = new Map(open.statuses)
      statuses.delete(3)
      return { broadcast: encode(setupOpenCodec, { ...open, statuses }) }
    },
    ({ broadcast }) => {
      const open = decode(setupOpenCodec, broadcast)
      const statuses = new Map([...open.statuses, [4, { kind: "none" } as const]])
      return { broadcast: encode(setupOpenCodec, { ...open, statuses }) }
    },
    ({ broadcast }) => {
      const open = decode(setupOpenCodec, broadcast)
      const statuses = new Map([...open.statuses].slice(0, 1)).set(4, { kind: "none" })
      return { broadcast: encode(setupOpenCodec, { ...open, statuses }) }
    },
    ({ broadcast }) => {
      const broken = new Uint8Array(broadcast)
      broken.fill(0xff, broken.length - 33)
      return { broadcast: broken }
    },
    () => ({ header: { previousDigest: seeded("previous") } }),
  ]
  for (const change of changes) {
    assertNames(abortsWith(1, change), others, "malformed-payload")
  }
  const sealed = new Map([[1, seeded("part")]])
  assertNames(
    abortsWith(1, () => ({ sealed })),
    others,
    "wrong-recipients",
  )
})

test("base transfers that are no points name their sender, with the part as evidence", () => {
  const broken = (at: number) => (message: Message) => {
    const part = new Uint8Array(message.sealed.get(1)!)
    part.fill(0xff, at, at + 33)
    return { sealed: new Map([...message.sealed, [1, part]]) }
  }
  const only1 = { by: [1], culprit: 2 }
  const byOne = (change: Change) => abortsWith(2, change, [1])
  for (const at of [33, 128 * 66, 128 * 99 - 33]) {
    assertNames(byOne(broken(at)), only1, "malformed-payload")
  }
  const short = (message: Message) => ({
    sealed: new Map([...message.sealed, [1, message.sealed.get(1)!.slice(1)]]),
  })
  assertNames(byOne(short), only1, "malformed-payload")
})

test("a part that no evidence has room for names nobody, and stops no honest participant's process", () => {
  const long = (message: Message) => ({
    sealed: new Map([...message.sealed, [1, new Uint8Array(200_000)]]),
  })
  const abort = abortsWith(2, long).get(1)!
  assert.equal(abort.reason, "malformed-payload")
  assert.deepEqual([abort.culprits, abort.silent, abort.evidence], [[], [2], []])
})

test("an exchange with parts for others than the openings say names its sender", () => {
  const without = (message: Message) => ({ sealed: new Map([...message.sealed].slice(0, 1)) })
  assertNames(abortsWith(2, without), others, "wrong-recipients")
  const misled = (message: Message) => ({
    sealed: new Map([...without(message).sealed, [4, seeded("part")]]),
  })
  const addressed = abortsWith(2, misled, [1])
  assertNames(addressed, { by: [1], culprit: 2 }, "wrong-recipients")
  const speaking = () => ({ broadcast: Uint8Array.of(1) })
  assertNames(abortsWith(2, speaking), others, "malformed-payload")
})

test("a confirmation of another outcome names its sender", () => {
  const confirms = (message: Message) => ({ broadcast: flip(message.broadcast, 0) })
  assertNames(abortsWith(3, confirms), others, "wrong-confirmation")
  const sealed = new Map([[1, seeded("part")]])
  assertNames(
    abortsWith(3, () => ({ sealed })),
    others,
    "wrong-recipients",
  )
  const malformed = () => ({ broadcast: Uint8Array.of(1) })
  assertNames(abortsWith(3, malformed), others, "malformed-payload")
})

test("evidence about a setup is worth nothing with any byte altered, nor against an honest message", () => {
  const cases: readonly (readonly [1 | 2 | 3, Change])[] = [
    [1, () => ({ sealed: new Map([[1, seeded("part")]]) })],
    [2, () => ({ broadcast: Uint8Array.of(1) })],
    [3, ({ broadcast }) => ({ broadcast: flip(broadcast, 0) })],
  ]
  for (const [step, change] of cases) {
    const [evidence] = abortsWith(step, change).get(1)!.evidence
    const encoded = encodeEvidence(evidence!)
    for (let at = 0; at < encoded.length; at += 1 + (encoded.length >> 7)) {
      const verdict = verifyEvidence(flip(encoded, at), verifyKeys)
      assert.ok(!verdict.valid, `byte ${at} of step ${step}`)
    }
  }
  const statement = ({ header, broadcast }: Message) => ({ header, broadcast })
  const said = (step: 1 | 2 | 3) =>
    new Map(honest.said[step - 1]!.map((message) => [senderOf(message), message]))
  const opens = new Map([...said(1)].map(([id, message]) => [id, statement(message)]))
  const whole = said(2).get(2)!
  const innocent: readonly Evidence[] = [
    { kind: "dkls-setup-open", params, open: opens.get(2)! },
    {
      ...{ kind: "dkls-setup-exchange", params, opens },
      message: { ...whole, sealed: new Map([[1, whole.sealed.get(1)!]]) },
    },
    { kind: "dkls-setup-confirm", params, opens, confirm: statement(said(3).get(2)!) },
  ]
  for (const evidence of innocent) {
    const verdict = verifyEvidence(encodeEvidence(evidence), verifyKeys)
    assert.deepEqual(verdict, { valid: false, why: "nothing is wrong with it" })
  }
})

test("evidence about an opening that is no payload names no setup that anybody could exchange", () => {
  const broadcast = seeded("no payload")
  const [evidence] = abortsWith(1, () => ({ broadcast })).get(1)!.evidence
  assert.ok(evidence?.kind === "dkls-setup-open")
  const named = { valid: true, culprit: 2, reason: "malformed-payload" }
  assert.deepEqual(verifyEvidence(encodeEvidence(evidence), verifyKeys), named)
  for (const change of [{ setupId: seeded("id") }, { participants: [1, 2] }]) {
    const altered: Evidence = { ...evidence, params: { ...evidence.params, ...change } }
    const why = "open: it names no run, and the evidence one"
    assert.deepEqual(verifyEvidence(encodeEvidence(altered), verifyKeys), { valid: false, why })
  }
})

test("whatever the coordinator drops, repeats, mixes or replays names nobody", () => {
  const other = new SetupRunner(params, new Map(), "other").run()
  const relays: readonly NonNullable<SetupMeddling["deliver"]>[] = [
    (_step, _recipient, messages) => messages.slice(1),
    (_step, _recipient, messages) => [...messages, ...messages.slice(0, 1)],
    (step, recipient, messages) => {
      const foreign = (other.said[step - 2] ?? []).filter((m) => senderOf(m) !== recipient)
      return [...foreign.slice(0, 1), ...messages.slice(1)]
    },
    (_step, _recipient, messages) =>
      messages.map((message) => ({ ...message, broadcast: flip(message.broadcast, 0) })),
    (step, _recipient, messages) => (step === 3 ? messages.map(withoutParts) : messages),
  ]
  for (const [at, relay] of relays.entries()) {
    for (const step of [2, 3, 4] as const) {
      const messages = honest.said[step - 2]!.slice(1).map((message) => deliver(message, 1))
      if (!canFlip(at, messages)) continue
      const outcome = honest.before(step).step(step, 1, relay(step, 1, messages))
      if (outcome.ok) continue
      const { culprits, pair, evidence } = outcome.abort
      assert.deepEqual([culprits, pair, evidence], [[], null, []])
    }
  }
})

const withoutParts = (message: Message) => ({ ...message, sealed: new Map() })
const canFlip = (at: number, messages: readonly Message[]) =>
  at !== 3 || messages.every(({ broadcast }) => broadcast.length > 0)

test("openings of two runs at once make no equivocation: each run names itself", () => {
  const runner = new SetupRunner(params)
  runner.round(1)
  const again = new SetupRunner(params, new Map(), "again")
  again.round(1)
  const outcome = runner.step(2, 1, [runner.said[0]![1]!, again.said[0]![1]!, runner.said[0]![2]!])
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "duplicate-sender")
  assert.deepEqual(outcome.abort.culprits, [])
})

test("the coordinator finds the same faults as the participants", () => {
  assert.ok(setupInspect(params, verifyKeys, honest.said).ok)
  for (const [step, change] of [
    [1, () => ({ sealed: new Map([[1, seeded("part")]]) })],
    [2, () => ({ broadcast: Uint8Array.of(1) })],
    [3, ({ broadcast }: Message) => ({ broadcast: flip(broadcast, 0) })],
  ] as const) {
    const said = [...honest.said.slice(0, step - 1), saidWith(step, change)]
    const found = setupInspect(params, verifyKeys, said)
    assert.ok(!found.ok)
    assert.deepEqual(found.abort.culprits, [2])
  }
})

test("runs that nobody can have, and callers that mix up steps, are refused", () => {
  const ask = (change: Partial<SetupParams>, identifier = 1, keys = verifyKeys): AbortReason => {
    const runner = new SetupRunner({ ...params, ...change })
    const context = runner.contextOf(identifier)
    const identity = { ...context.identity, verifyKeys: keys }
    const task = setupTask({ ...context, identity }, 1, null, [], seeded("random", 64))
    assert.ok(!task.ok)
    return task.abort.reason
  }
  assert.equal(ask({ setupId: seeded("short", 31) }), "wrong-params")
  assert.equal(ask({ participants: [1] }), "wrong-participants")
  assert.equal(ask({ participants: [2, 1] }), "wrong-participants")
  assert.equal(ask({ participants: [1, 1] }), "wrong-participants")
  const many = Array.from({ length: 25 }, (_, i) => i + 1)
  assert.equal(ask({ participants: many }, 1, rosterOf(many)), "wrong-participants")
  assert.equal(ask({ participants: [1, 2, 9] }), "unknown-sender")
  assert.equal(ask({ participants: [2, 3] }), "not-a-participant")
  const context = honest.contextOf(1)
  const state = (step: 2 | 3) => honest.before(step).states.get(1)!
  const random = seeded("random", 64)
  for (const mistake of [
    () => setupTask(context, 1, state(2), [], random),
    () => setupTask(context, 2, null, [], random),
    () => setupTask(context, 2, state(3), [], random),
  ]) {
    assert.throws(mistake, /state of another step/)
  }
  assert.throws(() => setupTask(context, 1, null, [], random.slice(1)), /randomness is not 64/)
})

test("openings of another place, another run or a stranger name nobody", () => {
  const elsewhere: readonly (readonly [Change, AbortReason])[] = [
    [() => ({ header: { protocol: "dkg" } }), "wrong-protocol"],
    [() => ({ header: { step: 1 } }), "wrong-step"],
    [() => ({ header: { attempt: 2 } }), "wrong-attempt"],
    [() => ({ header: { rosterEpoch: 8 } }), "wrong-roster-epoch"],
    [
      ({ broadcast }) => {
        const open = decode(setupOpenCodec, broadcast)
        return { broadcast: encode(setupOpenCodec, { ...open, params: seeded("another run") }) }
      },
      "wrong-session",
    ],
  ]
  for (const [change, reason] of elsewhere) {
    const aborts = abortsWith(1, change)
    assert.deepEqual([...aborts.keys()], [1, 3])
    for (const abort of aborts.values()) {
      assert.deepEqual([abort.reason, abort.culprits, abort.evidence], [reason, [], []])
    }
  }
  const keys = rosterOf([1, 2, 3, 4])
  const stranger = rewrite(honest.said[0]![0]!, identity(4), { header: { sender: 4 } })
  const found = setupInspect(params, keys, [[...honest.said[0]!, stranger]])
  assert.ok(!found.ok)
  assert.deepEqual([found.abort.reason, found.abort.culprits], ["unknown-sender", []])
})

test("pieces of honest setups, put together otherwise, are evidence of nothing", () => {
  const statement = ({ header, broadcast }: Message) => ({ header, broadcast })
  const said = (step: 1 | 2 | 3, of = honest) =>
    new Map(of.said[step - 1]!.map((message) => [senderOf(message), statement(message)]))
  const opens = said(1)
  const other = new SetupRunner(params, new Map(), "other")
  other.round(1)
  const two = { ...params, participants: [1, 2] }
  const faulty = statement(saidWith(1, () => ({ sealed: new Map([[1, seeded("part")]]) }))[1]!)
  const spoilt = saidWith(2, () => ({ broadcast: Uint8Array.of(1) }))[1]!
  const message = { ...spoilt, sealed: new Map() }
  const [, exchange] = honest.said[1]!
  const confirm = statement(saidWith(3, ({ broadcast }) => ({ broadcast: flip(broadcast, 0) }))[1]!)
  const kind = "dkls-setup-exchange"
  const pieces: readonly (readonly [Evidence, string])[] = [
    [{ kind: "dkls-setup-open", params: two, open: opens.get(2)! }, "open: of another run"],
    [{ kind: "dkls-setup-open", params: two, open: opens.get(3)! }, "open: not-a-participant"],
    [{ kind: "dkls-setup-open", params, open: said(2).get(2)! }, "open: wrong-step"],
    [{ kind, params, opens: new Map([...opens].slice(1)), message }, "opens: not one of each"],
    [{ kind, params, opens: new Map([...opens, [2, opens.get(1)!]]), message }, "opens: under"],
    [{ kind, params, opens: new Map([...opens, [2, faulty]]), message }, "opens: one is faulty"],
    [{ kind, params, opens: said(1, other), message }, "exchange: wrong-session"],
    [{ kind, params, opens: new Map([...opens, [2, said(2).get(2)!]]), message }, "opens: wrong"],
    [{ kind, params, opens, message: { ...confirm, sealed: new Map() } }, "exchange: wrong-step"],
    [
      { kind: "dkls-setup-confirm", params, opens, confirm: statement(exchange!) },
      "confirm: wrong",
    ],
    [
      { kind: "dkls-setup-confirm", params, opens: said(1, other), confirm },
      "confirm: wrong-session",
    ],
  ]
  for (const [evidence, why] of pieces) {
    const verdict = verifyEvidence(encodeEvidence(evidence), verifyKeys)
    assert.ok(!verdict.valid)
    assert.ok(`exchange: ${verdict.why}`.includes(why), `${verdict.why}, not ${why}`)
  }
  const stranger = rewrite(message, identity(4), { header: { sender: 4 } })
  const strange = encodeEvidence({ kind, params, opens, message: stranger })
  const found = verifyEvidence(strange, rosterOf([1, 2, 3, 4]))
  assert.deepEqual(found, { valid: false, why: "exchange: not-a-participant" })
  const whole = { kind, params, opens, message } as const
  assert.ok(verifyEvidence(encodeEvidence(whole), verifyKeys).valid)
})
