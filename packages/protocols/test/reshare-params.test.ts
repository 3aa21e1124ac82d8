import assert from "node:assert/strict"
import { test } from "node:test"
import { feldmanPublicShare, groupByName, type Identifier } from "@lockkeeper/crypto"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import {
  type AbortReason,
  LIMITS,
  type Message,
  repair,
  reshare,
  type sharing,
} from "../src/index.ts"
import { isDealtShare } from "../src/reshare/checks.ts"
import { maxKeys } from "../src/reshare/limits.ts"
import { publicShares } from "../src/sharing/public-shares.ts"
import { pathsOf, rootFrom, rootOf } from "../src/sharing/tree.ts"
import { identity, rosterOf, seeded } from "./messages-fixtures.ts"
import { drive as driveRepair, attemptFor as repairAttempt } from "./repair-cluster.ts"
import {
  attemptFor,
  drive,
  everyone,
  HonestMember,
  mixedBatch,
  NEW_ROSTER_EPOCH,
  OLD_ROSTER_EPOCH,
  type Shared,
} from "./reshare-cluster.ts"

const batch = mixedBatch(2, [1, 2, 3])
const attempt = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })
const { params, keys } = attempt
const refresh = attemptFor(batch, {
  kind: "refresh",
  dealers: [1, 2],
  holders: [1, 2, 3],
  minSigners: 2,
})

type Change = Partial<reshare.ReshareParams>
const PARAMS: readonly (readonly [string, Change, AbortReason, string])[] = [
  ["dealers out of order", { dealers: [2, 1] }, "wrong-participants", "dealers"],
  ["a dealer twice", { dealers: [1, 1] }, "wrong-participants", "dealers"],
  ["dealer 0", { dealers: [0, 1] }, "wrong-participants", "dealers"],
  ["holders out of order", { holders: [3, 2, 4] }, "wrong-participants", "holders"],
  ["a holder too large", { holders: [2, 3, 65536] }, "wrong-participants", "holders"],
  ["a holder that is no number", { holders: [2, 3, 3.5] }, "wrong-participants", "holders"],
  [
    "more participants than a run has",
    { holders: Array.from({ length: LIMITS.participants }, (_, i) => i + 2) },
    "wrong-participants",
    "holders",
  ],
  ["one dealer", { dealers: [1] }, "wrong-threshold", "dealers"],
  ["a threshold of one", { minSigners: 1 }, "wrong-threshold", "minSigners"],
  ["a threshold nobody can meet", { minSigners: 4 }, "wrong-threshold", "minSigners"],
  ["a threshold that is no number", { minSigners: 2.5 }, "wrong-threshold", "minSigners"],
  ["an empty batch", { groups: [] }, "wrong-batch", "groups"],
  [
    "a batch too large",
    { groups: Array.from({ length: maxKeys(2, 2) + 1 }, () => "ristretto255" as const) },
    "wrong-batch",
    "groups",
  ],
  ["a group that is none", { groups: ["p256" as "secp256k1"] }, "wrong-batch", "groups"],
  ["a root of another length", { keys: seeded("x", 31) }, "wrong-batch", "keys"],
]
for (const [what, change, reason, field] of PARAMS) {
  test(`${what}: refused by everyone before anything else`, () => {
    const changed = { ...params, ...change }
    const task = reshare.reshareCoordinate(changed, keys, rosterOf(everyone(attempt)))
    assert.ok(task.kind === "aborted")
    assert.deepEqual([task.abort.reason, task.abort.field], [reason, field])
    const outcome = open({ params: changed, keys }, 2)
    assert.deepEqual(outcome, [reason, field])
  })
}

/** What a member refuses a request for, or null. */
function open(
  request: Pick<reshare.ReshareRequest, "params" | "keys"> & { known?: reshare.KnownSharing[] },
  identifier: Identifier,
  verifyKeys = rosterOf(everyone(attempt)),
) {
  const held = batch.map(({ sharing, shares }) =>
    shares.has(identifier) ? { sharing, highestKeyEpoch: sharing.keyEpoch } : null,
  )
  const known = request.known ?? held.slice(0, request.keys.length)
  const randomness = seeded("open", reshare.OPEN_RANDOMNESS_LENGTH)
  const self = { signer: identity(identifier), verifyKeys }
  const outcome = reshare.reshareOpen({ ...request, known }, identifier, self, randomness)
  return outcome.ok ? null : [outcome.abort.reason, outcome.abort.field]
}

test("a refresh that changes threshold or holders is refused", () => {
  const opened = (change: Change) =>
    open({ ...refresh, params: { ...refresh.params, ...change } }, 1)
  assert.equal(opened({}), null)
  assert.deepEqual(opened({ minSigners: 3 }), ["wrong-threshold", "minSigners"])
  assert.deepEqual(opened({ holders: [1, 2, 4] }), ["wrong-participants", "keys.0"])
  assert.deepEqual(opened({ holders: [1, 2] }), ["wrong-participants", "keys.0"])
  assert.deepEqual(opened({ holders: [1, 2, 3, 4] }), ["wrong-participants", "keys.0"])
})

type KeyChange = Partial<sharing.Sharing> & { toKeyEpoch?: number }
const { sharing: first } = keys[0]!
const KEYS: readonly (readonly [string, KeyChange, AbortReason])[] = [
  ["another threshold than there are dealers", { minSigners: 3 }, "wrong-threshold"],
  [
    "a dealer that holds nothing",
    { verifyingShares: new Map([...first.verifyingShares].slice(1)) },
    "wrong-participants",
  ],
  ["the generation there is", { toKeyEpoch: first.keyEpoch }, "wrong-key-epoch"],
  ["a roster that is over", { rosterEpoch: NEW_ROSTER_EPOCH + 1 }, "wrong-roster-epoch"],
  ["another group", { group: "ristretto255" }, "wrong-batch"],
]
for (const [what, { toKeyEpoch = 4, ...change }, reason] of KEYS) {
  test(`a batch with ${what} is refused`, () => {
    const changed = [{ sharing: { ...first, ...change }, toKeyEpoch }, ...keys.slice(1)]
    const request = { params: { ...params, keys: reshare.keysRoot(changed) }, keys: changed }
    assert.deepEqual(open(request, 4), [reason, "keys.0"])
  })
}

test("a batch that is not the one of the parameters is refused", () => {
  const other = { ...keys[0]!, toKeyEpoch: 5 }
  for (const some of [
    [],
    keys.slice(1),
    [keys[1]!, keys[0]!, keys[2]!],
    [other, ...keys.slice(1)],
  ]) {
    assert.deepEqual(open({ params, keys: some }, 4), ["wrong-batch", "keys"])
  }
  const twice = [keys[0]!, keys[0]!]
  const doubled = {
    ...params,
    groups: twice.map((k) => k.sharing.group),
    keys: reshare.keysRoot(twice),
  }
  assert.deepEqual(open({ params: doubled, keys: twice }, 4), ["wrong-batch", "keys"])
})

test("a dealer vouches only for keys that it holds exactly so, and says which it does not", () => {
  const held = (change: Partial<sharing.Sharing>, highestKeyEpoch = 3) =>
    batch.map(({ sharing }) => ({ sharing: { ...sharing, ...change }, highestKeyEpoch }))
  const refused = (known: reshare.KnownSharing[], who = 1) => open({ params, keys, known }, who)
  assert.equal(refused(held({})), null)
  assert.deepEqual(refused(held({ keyEpoch: 2 })), ["wrong-key-epoch", "keys.0"])
  assert.deepEqual(refused(held({ minSigners: 1 })), ["inconsistent-key", "keys.0"])
  assert.deepEqual(open({ params, keys, known: [null, null, null] as never }, 1), [
    "wrong-key",
    "keys.0",
  ])
  const [a, b, c] = held({}) as [reshare.KnownSharing, reshare.KnownSharing, reshare.KnownSharing]
  const old = { ...b, sharing: { ...b.sharing, keyEpoch: 2 } }
  assert.deepEqual(reshare.unfitKeys(params, keys, 1, [a, old, null]), [
    { index: 1, reason: "wrong-key-epoch" },
    { index: 2, reason: "wrong-key" },
  ])
  assert.throws(() => reshare.unfitKeys(params, keys, 1, [a, b]), RangeError)
  assert.deepEqual(reshare.unfitKeys(params, keys, 2, [{ ...a, highestKeyEpoch: 4 }, b, c]), [
    { index: 0, reason: "wrong-key-epoch" },
  ])
  // One that leaves confirms nothing.
  assert.deepEqual(reshare.unfitKeys(params, keys, 1, [{ ...a, highestKeyEpoch: 4 }, b, c]), [])
})

test("whoever knows a key refuses another one under its id", () => {
  const refused = (change: Partial<sharing.Sharing>) => {
    const known = batch.map(({ sharing }) => ({
      ...{ sharing: { ...sharing, ...change }, highestKeyEpoch: 3 },
    }))
    return open({ params, keys, known }, 3)
  }
  assert.equal(refused({}), null)
  assert.equal(refused({ keyEpoch: 1 }), null)
  for (const change of [
    { id: seeded("x", 32) },
    { context: seeded("x", 32) },
    { verifyingKey: seeded("x", 32) },
  ]) {
    assert.deepEqual(refused(change), ["wrong-key", "keys.0"])
  }
  assert.deepEqual(refused({ group: "secp256k1" }), ["wrong-key", "keys.0"])
  assert.deepEqual(refused({ keyEpoch: 4 }), ["wrong-key-epoch", "keys.0"])
  assert.deepEqual(refused({ rosterEpoch: 9 }), ["wrong-roster-epoch", "keys.0"])
})

test("strangers, unknown members and one identity key under two numbers are refused", () => {
  assert.deepEqual(open({ params, keys }, 77), ["not-a-participant", ""])
  const roster = rosterOf([1, 2, 3])
  assert.deepEqual(open({ params, keys }, 2, roster), ["wrong-participants", "participants.4"])
  const same = new Map([...roster, [4, identity(1).publicKey]])
  assert.deepEqual(open({ params, keys }, 2, same), ["wrong-participants", "participants.4"])
})

test("two quorums have an honest member in common, and t' honest members survive t' - 1 liars", () => {
  for (let n = 2; n <= LIMITS.participants; n++) {
    for (let t = 2; t <= n; t++) {
      const quorum = reshare.quorumOf(t, n)
      assert.ok(quorum <= n && quorum >= Math.min(n, 2 * t - 1))
      assert.ok(2 * quorum - n >= t)
      if (n >= 2 * t) assert.ok(quorum < n)
    }
  }
  assert.deepEqual(
    [
      [2, 3],
      [3, 5],
      [2, 4],
      [2, 5],
      [3, 7],
    ].map(([t, n]) => reshare.quorumOf(t!, n!)),
    [3, 5, 3, 4, 5],
  )
})

test("differences give every public share that powers give", () => {
  for (const name of ["edwards25519", "ristretto255", "secp256k1"] as const) {
    const group = groupByName(name)
    for (const degree of [0, 1, 2, 3, 4, 5, 6]) {
      const vector = Array.from({ length: degree + 1 }, (_, k) =>
        group.multiplyBase(group.scalarFromUniform(seeded(`${name}/${k}`, 64))),
      )
      for (const holders of [[1], [1, 2, 3], [2, 4, 5, 7], [3, 900]]) {
        for (const [holder, image] of publicShares(group, vector, holders)) {
          assert.deepEqual(image, feldmanPublicShare(group, vector, holder))
        }
        assert.equal(publicShares(group, vector, holders).size, holders.length)
      }
    }
  }
})

test("a path leads to the root from its own leaf and place only", () => {
  for (const size of [1, 2, 3, 5, 6, 7, 8, 13]) {
    const leaves = Array.from({ length: size }, (_, i) => seeded(`leaf ${i}`, 32))
    const root = rootOf(leaves)
    for (const [index, path] of pathsOf(leaves).entries()) {
      const leaf = leaves[index]!
      assert.deepEqual(rootFrom(leaf, { index, size, path }), root)
      assert.notDeepEqual(rootFrom(seeded("x", 32), { index, size, path }), root)
      assert.equal(rootFrom(leaf, { index: size, size, path }), null)
      assert.equal(rootFrom(leaf, { index, size, path: [...path, root] }), null)
      if (path.length > 0) assert.equal(rootFrom(leaf, { index, size, path: path.slice(1) }), null)
      if (size > 1) {
        const elsewhere = rootFrom(leaf, { index: index ^ 1, size, path })
        assert.notDeepEqual(elsewhere, root)
      }
    }
  }
  assert.throws(() => rootOf([]), RangeError)
})

test("certificates are refused for every wrong value", () => {
  const { task, members } = drive(attempt, batch)
  assert.ok(task.kind === "confirmed")
  const active = members.get(2)!.activate(task.certificate)
  assert.ok(active.ok)
  const { certificate } = active.value[1]!
  const roster = {
    ...{ rosterEpoch: NEW_ROSTER_EPOCH, minSigners: 2 },
    verifyKeys: rosterOf([2, 3, 4, 5]),
  }
  const encoded = encode(reshare.reshareCertificateCodec, certificate)
  assert.deepEqual(decode(reshare.reshareCertificateCodec, encoded), certificate)
  const refused = (
    change: Partial<reshare.ReshareCertificate>,
    view: Partial<reshare.RosterView> = {},
  ) => {
    const verified = reshare.verifyReshareCertificate(
      { ...certificate, ...change },
      { ...roster, ...view },
    )
    return verified.ok ? null : verified.abort.reason
  }
  const sharingWith = (change: Partial<sharing.Sharing>) => ({
    sharing: { ...certificate.sharing, ...change },
  })
  const { confirmations } = certificate
  assert.equal(refused({}), null)
  assert.equal(refused({}, { rosterEpoch: 9 }), "wrong-roster-epoch")
  assert.equal(refused({}, { minSigners: 3 }), "wrong-threshold")
  assert.equal(refused({}, { verifyKeys: rosterOf([2, 3]) }), "wrong-participants")
  assert.equal(refused(sharingWith({ minSigners: 1 })), "wrong-threshold")
  const lonely = new Map([...certificate.sharing.verifyingShares].slice(1, 2))
  assert.equal(refused(sharingWith({ verifyingShares: lonely })), "wrong-participants")
  for (const change of [{ keyEpoch: 5 }, { id: seeded("x", 32) }, { context: seeded("x", 32) }]) {
    assert.equal(refused(sharingWith(change)), "wrong-confirmation")
  }
  assert.equal(refused({ index: 0 }), "wrong-confirmation")
  assert.equal(refused({ size: 4 }), "wrong-confirmation")
  assert.equal(refused({ size: 5 }), "wrong-batch")
  assert.equal(refused({ path: [] }), "wrong-batch")
  const fewer = new Map([...confirmations].slice(1))
  assert.equal(refused({ confirmations: fewer }), "missing-confirmation")
  const stranger = new Map(confirmations).set(5, seeded("x", 64))
  assert.equal(refused({ confirmations: stranger }), "unexpected-confirmation")
  const wrong = new Map(confirmations).set(3, confirmations.get(2)!)
  assert.equal(refused({ confirmations: wrong }), "wrong-confirmation")

  const held = batch[1]!.sharing
  const erase = (change: Partial<sharing.Sharing>) => {
    const may = reshare.mayErase({ ...held, ...change }, certificate, roster)
    return may.ok ? null : may.abort.reason
  }
  assert.equal(erase({}), null)
  const { rosterEpoch } = certificate.sharing
  assert.equal(erase({ keyEpoch: 4, rosterEpoch }), "wrong-key-epoch")
  assert.equal(erase({ rosterEpoch: rosterEpoch + 1 }), "wrong-roster-epoch")
  // Of a roster before it, whatever its number.
  assert.equal(erase({ keyEpoch: 4, rosterEpoch: rosterEpoch - 1 }), null)
  assert.equal(erase({ keyEpoch: 9, rosterEpoch: rosterEpoch - 1 }), null)
  assert.equal(erase({ verifyingKey: seeded("x", 33) }), "wrong-key")
  assert.equal(reshare.mayErase(held, { ...certificate, size: 4 }, roster).ok, false)

  const state = members.get(3)!
  const activated = (change: Partial<reshare.BatchCertificate>) => {
    const outcome = state.activate({ ...task.certificate, ...change })
    return outcome.ok ? null : outcome.abort.reason
  }
  assert.equal(activated({}), null)
  assert.equal(activated({ rosterEpoch: 9 }), "wrong-roster-epoch")
  assert.equal(activated({ size: 2 }), "wrong-batch")
  assert.equal(activated({ root: seeded("x", 32) }), "wrong-batch")
  assert.equal(activated({ confirmations: fewer }), "missing-confirmation")
})

test("a repair is refused for wrong parameters and batches", () => {
  const run = repairAttempt(batch, [1, 3], 2)
  const refused = (
    change: Partial<repair.RepairParams>,
    sharings = run.sharings,
    known: (sharing.Sharing | null)[] = [...sharings],
    who = 1,
    roster = rosterOf([1, 2, 3]),
  ) => {
    const changed = { ...run.params, keys: repair.sharingsRoot(sharings), ...change }
    const request = { params: changed, sharings, known }
    const self = { signer: identity(who), verifyKeys: roster }
    const outcome = repair.repairOpen(
      request,
      who,
      self,
      seeded("x", repair.OPEN_RANDOMNESS_LENGTH),
    )
    return outcome.ok ? null : [outcome.abort.reason, outcome.abort.field]
  }
  assert.equal(refused({}), null)
  assert.deepEqual(refused({ helpers: [3, 1] }), ["wrong-participants", "helpers"])
  assert.deepEqual(refused({ helpers: [1, 2] }), ["wrong-participants", "member"])
  assert.deepEqual(refused({ member: 0 }), ["wrong-participants", "member"])
  assert.deepEqual(refused({ helpers: [1] }), ["wrong-threshold", "helpers"])
  const many = Array.from({ length: LIMITS.participants }, (_, i) => i + 3)
  assert.deepEqual(refused({ helpers: many }), ["wrong-participants", "helpers"])
  assert.deepEqual(refused({ groups: [] }), ["wrong-batch", "groups"])
  assert.deepEqual(refused({ groups: ["p256" as "secp256k1"] }), ["wrong-batch", "groups"])
  assert.deepEqual(refused({ keys: seeded("x", 31) }), ["wrong-batch", "keys"])
  assert.deepEqual(refused({ keys: seeded("x", 32) }), ["wrong-batch", "keys"])
  assert.deepEqual(refused({}, run.sharings.slice(1)), ["wrong-batch", "keys"])
  const swapped = [...run.sharings].reverse()
  assert.deepEqual(refused({}, swapped), ["wrong-batch", "keys.0"])
  assert.deepEqual(refused({ rosterEpoch: OLD_ROSTER_EPOCH - 1 }), ["wrong-roster-epoch", "keys.0"])
  assert.deepEqual(refused({ member: 9 }), ["wrong-participants", "participants.9"])
  const wide = rosterOf([1, 2, 3, 9])
  const everything = [...run.sharings]
  assert.deepEqual(refused({ member: 9 }, run.sharings, everything, 1, wide), [
    "wrong-participants",
    "keys.0",
  ])
  assert.deepEqual(refused({ helpers: [1, 9] }, run.sharings, everything, 1, wide), [
    "wrong-participants",
    "keys.0",
  ])
  const three = run.sharings.map((one) => ({ ...one, minSigners: 3 }))
  assert.deepEqual(refused({}, three), ["wrong-threshold", "keys.0"])
  assert.deepEqual(refused({}, run.sharings, everything, 9), ["not-a-participant", ""])
  const same = new Map(rosterOf([1, 2])).set(3, identity(1).publicKey)
  assert.deepEqual(refused({}, run.sharings, everything, 1, same), [
    "wrong-participants",
    "participants.3",
  ])
  const [a, b, c] = run.sharings as [sharing.Sharing, sharing.Sharing, sharing.Sharing]
  assert.deepEqual(refused({}, run.sharings, [null, b, c]), ["wrong-key", "keys.0"])
  assert.deepEqual(refused({}, run.sharings, [a, { ...b, keyEpoch: 4 }, c]), [
    "wrong-key-epoch",
    "keys.1",
  ])
  assert.deepEqual(refused({}, run.sharings, [a, { ...b, rosterEpoch: 1 }, c]), [
    "inconsistent-key",
    "keys.1",
  ])
  assert.equal(refused({}, run.sharings, [null, { ...b, keyEpoch: 1 }, c], 2), null)
  assert.deepEqual(refused({}, run.sharings, [null, b, { ...c, keyEpoch: 9 }], 2), [
    "wrong-key-epoch",
    "keys.2",
  ])
  assert.throws(() => refused({}, run.sharings, [a, b]), RangeError)
})

test("members refuse a run that lacks dealers or a quorum, whatever its coordinator says", () => {
  const members = new Map(everyone(attempt).map((i) => [i, new HonestMember(attempt, batch, i)]))
  const opens = new Map<Identifier, Message>()
  const nothing = { messages: [], opens: [] }
  for (const [i, member] of members) {
    const opened = member.step("open", nothing)
    assert.ok(opened.ok)
    opens.set(i, opened.value)
  }
  const deal = (dealer: Identifier, from: readonly Identifier[]) => {
    const messages = from.map((i) => opens.get(i)!)
    const dealt = members.get(dealer)!.step("deal", { messages, opens: [] })
    return dealt.ok ? null : [dealt.abort.reason, dealt.abort.silent]
  }
  assert.deepEqual(deal(1, [3, 4]), ["missing-messages", [2]])
  assert.deepEqual(deal(1, [2, 3]), ["missing-messages", [4]])
  assert.deepEqual(deal(1, [2, 2, 3, 4]), ["duplicate-sender", []])
  assert.deepEqual(deal(3, [1, 2, 4]), ["not-a-dealer", []])
  const early = members.get(2)!.step("verdict", nothing)
  assert.ok(!early.ok)
  assert.equal(early.abort.reason, "missing-messages")
  assert.equal(deal(1, [2, 3, 4]), null)
})

test("parameters decode only with members in order", () => {
  const { reshareParamsCodec } = reshare
  const encoded = encode(reshareParamsCodec, params)
  assert.deepEqual(decode(reshareParamsCodec, encoded), params)
  const unordered = encode(reshareParamsCodec, { ...params, dealers: [2, 1] })
  assert.throws(() => decode(reshareParamsCodec, unordered), DecodeError)
  const helpers = encode(repair.repairParamsCodec, {
    ...repairAttempt(batch, [1, 3], 2).params,
    helpers: [3, 1],
  })
  assert.throws(() => decode(repair.repairParamsCodec, helpers), DecodeError)
})

test("a share is none of a sharing whose images are no elements, and no scalar is no share", () => {
  const { sharing } = batch[0]!
  const group = groupByName(sharing.group)
  const vector = [group.generator]
  const owed = { sharing, dealers: [1, 2] }
  const dealt = { dealer: 1, vector }
  assert.equal(isDealtShare(owed, dealt, 3, new Uint8Array(32).fill(0xff)), false)
  assert.equal(isDealtShare(owed, dealt, 3, new Uint8Array(5)), false)
  const broken = {
    ...sharing,
    verifyingShares: new Map([1, 2, 3].map((i) => [i, new Uint8Array(32)])),
  }
  assert.equal(isDealtShare({ ...owed, sharing: broken }, dealt, 3, group.one), false)
})

test("nobody activates on confirmations whose signers it does not know", () => {
  const { task, members } = drive(attempt, batch)
  assert.ok(task.kind === "confirmed")
  const state = members.get(3)!.judged
  const outcome = reshare.reshareActivate(state, task.certificate, rosterOf([2, 3]))
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "unexpected-confirmation")
})

test("a batch that contradicts itself, vouched for by all, stops without a name", () => {
  const [first, ...others] = batch as [Shared, ...Shared[]]
  const group = groupByName(first.sharing.group)
  for (const verifyingKey of [group.generator, new Uint8Array(32)]) {
    const wrong = [{ ...first, sharing: { ...first.sharing, verifyingKey } }, ...others]
    const listed = attemptFor(wrong, { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 })
    const { task, aborts } = drive(listed, wrong)
    assert.ok(task.kind === "aborted")
    for (const holder of [2, 3, 4]) {
      const { reason, culprits, field } = aborts.get(holder)!
      assert.deepEqual([reason, culprits, field], ["inconsistent-key", [], "keys.0"])
    }
  }
  for (const image of [group.generator, new Uint8Array(32)]) {
    const verifyingShares = new Map(first.sharing.verifyingShares).set(2, image)
    const wrong = [{ ...first, sharing: { ...first.sharing, verifyingShares } }, ...others]
    const { task, aborts } = driveRepair(repairAttempt(wrong, [1, 3], 2), wrong)
    assert.ok(task.kind === "aborted")
    assert.deepEqual([task.abort.culprits, task.abort.silent], [[], [2]])
    assert.deepEqual([aborts.get(2)?.reason, aborts.get(2)?.culprits], ["inconsistent-key", []])
  }
})
