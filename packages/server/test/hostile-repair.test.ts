import assert from "node:assert/strict"
import { test } from "node:test"
import {
  describeInput,
  type KeyListing,
  keyListing,
  REPAIR_STEPS,
  type RepairBody,
  recordsStatement,
  repairBody,
  repairOpenInput,
  repairOpenOutput,
  reportIncidentBody,
  type SealedRecords,
} from "@lockkeeper/api"
import { groupByName, type Identifier, type Scalar, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { headerCodec, type Message, messageCodec, repair, signMessage } from "@lockkeeper/protocols"
import type { ServerSecrets } from "../src/directory/server-secrets.ts"
import { keyRow } from "../src/keys.ts"
import { MAX_REPAIRS_OF_OPERATOR } from "../src/resharing/repair-runs.ts"
import { equivocationBy } from "./evidence.ts"
import type { ClusterOptions } from "./memory-cluster.ts"
import { expectKind, type TestSession } from "./owner.ts"
import {
  driveRepair,
  empty,
  listingAt,
  Repairer,
  refreshWithout,
  repairAttempt,
  stageAt,
} from "./repair-flows.ts"
import {
  crash,
  heldAt,
  type ReshareWorld,
  refresh,
  refusalOf,
  serverOf,
  startReshare,
} from "./reshare-flows.ts"
import { snapshot } from "./row-store-conformance.ts"

/** Refused with this, and no row changed by it but in the log. */
async function refused(
  world: ReshareWorld,
  id: Identifier,
  call: () => Promise<unknown>,
  what: string,
) {
  const records = async () => (await snapshot(serverOf(world, id).rows)).replace(/\nlog .*$/, "")
  const before = await records()
  assert.equal(await refusalOf(call()), what)
  assert.equal(await records(), before, what)
}

/** Refused as no message of this run, with this reason. */
async function aborted(
  world: ReshareWorld,
  id: Identifier,
  call: () => Promise<unknown>,
  reason: string,
) {
  const said = { message: "" }
  const heard = () =>
    call().catch((error) => {
      said.message = error.message
      throw error
    })
  await refused(world, id, heard, "aborted")
  assert.match(said.message, new RegExp(`aborted: ${reason}; nobody is blamed`))
}

/** A world whose server 3 has an empty table of keys. */
async function startLacking(options: ClusterOptions = {}) {
  const world = await startReshare(options, ["ed25519"])
  await empty(world, 3, "keys", "account-keys")
  return world
}

test("parameters that no repair under this roster may have are refused by name", async () => {
  const world = await startLacking()
  const attempt = await repairAttempt(world, 3, [1, 2])
  const cases: readonly (readonly [Partial<repair.RepairParams>, string])[] = [
    [{ rosterEpoch: 2 }, "wrong-roster body.params.rosterEpoch"],
    [{ helpers: [1] }, "invalid-request body.params.helpers"],
    [{ helpers: [2, 1] }, "invalid-request body.params.helpers"],
    [{ helpers: [1, 9] }, "invalid-request body.params.helpers"],
    [{ helpers: [2, 3], member: 4 }, "invalid-request body.params.member"],
    [{ member: 1 }, "invalid-request body.params.member"],
    [{ helpers: [2, 3], member: 3 }, "invalid-request body.params.member"],
    [{ groups: [] }, "invalid-request body.params.groups"],
    [{ groups: ["secp256k1"] }, "invalid-request input.sharings.0"],
    [{ keys: new Uint8Array(32) }, "invalid-request input.sharings"],
  ]
  for (const [params, what] of cases) {
    const changed = { ...attempt, params: { ...attempt.params, ...params } }
    await refused(world, 1, () => new Repairer(world, changed).open(1), what)
  }
  const elsewhere = new Repairer(world, attempt)
  await refused(world, 1, () => elsewhere.ask(1, 8, new Uint8Array(0)), "invalid-request step")
  const wide = await startReshare({ servers: 4 }, ["ed25519"])
  const others = new Repairer(wide, await repairAttempt(wide, 4, [2, 3]))
  await refused(wide, 1, () => others.open(1), "invalid-request body.params.helpers")
})

test("a roster that asks for three helpers takes the word of no two", async () => {
  const world = await startReshare({ servers: 5, minSigners: 3 }, ["ed25519"])
  const { params, sharings } = await repairAttempt(world, 3, [1, 2])
  const invented = sharings.map((one) => ({
    ...one,
    id: new Uint8Array(32).fill(5),
    minSigners: 2,
  }))
  const attempt = { params: { ...params, keys: repair.sharingsRoot(invented) }, sharings: invented }
  const what = "invalid-request body.params.helpers"
  await refused(world, 3, () => new Repairer(world, attempt).open(3), what)
})

test("accounts are not repaired yet, and a run is of one kind", async () => {
  const world = await startLacking()
  const { params, sharings } = await repairAttempt(world, 3, [1, 2])
  const body: RepairBody = { kind: "accounts", params }
  const { operator, sessions } = world
  const request = operator.sign(operator.request("repair", encode(repairBody, body)))
  const input = encode(repairOpenInput, { sharings })
  const session = sessions.get(1) as TestSession
  const asked = async () =>
    expectKind(await session.call({ kind: "act", request, step: 1, input: input.slice() }), "act")
  await refused(world, 1, asked, "invalid-request body.kind")
})

test("what a participant cannot go on with is told, and nothing is begun with it", async () => {
  const world = await startReshare({}, ["ed25519", "ecdsa-secp256k1"])
  const before = await repairAttempt(world, 3, [1, 2])
  await refreshWithout(world, 3)
  const after = await repairAttempt(world, 3, [1, 2])
  const unfit = async (attempt: repair.RepairAttempt, id: Identifier) => {
    const output = decode(repairOpenOutput, await new Repairer(world, attempt).open(id))
    return output.kind === "unfit" ? output.entries : output.kind
  }
  const both = (reason: string) => [0, 1].map((index) => ({ index, reason }))
  // Helpers help with the generation in force alone, with what they hold, as they hold it.
  assert.deepEqual(await unfit(before, 1), both("wrong-key-epoch"))
  const [first, second] = after.sharings
  assert.ok(first && second)
  const changed = async (other: typeof first) => {
    const sharings = [first, other]
    const params = { ...after.params, keys: repair.sharingsRoot(sharings) }
    return unfit({ params, sharings }, 1)
  }
  const stranger = { ...second, id: new Uint8Array(32).fill(7) }
  assert.deepEqual(await changed(stranger), [{ index: 1, reason: "wrong-key" }])
  const elsewhere = { ...second, context: new Uint8Array(32) }
  assert.deepEqual(await changed(elsewhere), [{ index: 1, reason: "inconsistent-key" }])
  // A member takes nothing of a generation that it has left behind.
  assert.equal(await unfit(after, 3), "message")
  const swapped = { ...before.params, helpers: [2, 3], member: 1 }
  assert.deepEqual(await unfit({ ...before, params: swapped }, 1), both("wrong-key-epoch"))
  assert.equal((await serverOf(world, 2).store.scan("repair-runs", "", "", 8)).length, 0)
})

test("each step is for who it is for, in its turn", async () => {
  const world = await startLacking()
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const send = repairer.send.bind(repairer)
  for (const step of ["split", "sum", "answer"] as const) {
    await refused(world, 3, () => send(3, step, {}), "invalid-request step")
    await refused(world, 1, () => send(1, step, {}), "out-of-order step")
  }
  await refused(world, 1, () => send(1, "verdict", {}), "invalid-request step")
  await refused(world, 3, () => send(3, "verdict", {}), "out-of-order step")
  await repairer.open(1)
  const opening = decode(repairOpenOutput, await repairer.open(3))
  assert.ok(opening.kind === "message")
  const verdict = decode(messageCodec, opening.message)
  await refused(world, 1, () => repairer.finish(1, verdict), "out-of-order step")
  await refused(world, 3, () => repairer.finish(3, verdict), "invalid-request step")
  await refused(world, 1, () => send(1, "sum", {}), "out-of-order step")
  await refused(world, 3, () => repairer.ask(3, 4, Uint8Array.of(1)), "invalid-request input.opens")
  await refused(
    world,
    1,
    () => new Repairer(world, repairer.attempt).send(1, "split", { opens: [Uint8Array.of(1)] }),
    "invalid-request input.opens.0.header.bytes",
  )
})

test("nobody quarantined is helped or helps, until the operator of who quarantines it clears it", async () => {
  for (const [judge, culprit] of [
    [1, 3],
    [3, 2],
  ] as const) {
    const world = await startLacking()
    const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
    const { operator, sessions } = world
    const body = encode(reportIncidentBody, { evidence: equivocationBy(world.cluster, culprit) })
    const request = operator.sign(operator.request("incidents.report", body))
    const session = sessions.get(judge) as TestSession
    const input = new Uint8Array(0)
    expectKind(await session.call({ kind: "act", request, step: 1, input }), "act")
    const what = `quarantined quarantined.${culprit}`
    await refused(world, judge, () => repairer.open(judge), what)
    // What a holder keeps is told to nobody that it has quarantined.
    const other = new Repairer(world, repairer.attempt)
    await other.step(
      3 === judge ? 1 : 3,
      "open",
      { opens: [], splits: [], sums: [], complaints: [] },
      null,
    )
    if (judge === 1) await refused(world, 1, () => other.tell(1), what)
    assert.ok(await serverOf(world, judge).server.clearIncident(1, "its disk was replaced"))
    const again = new Repairer(world, repairer.attempt)
    assert.equal((await driveRepair(again)).task.kind, "repaired")
  }
})

/** Another message in the place of one, by its own sender. */
function resigned(
  world: ReshareWorld,
  message: Message,
  changes: Partial<Pick<Message, "broadcast" | "sealed">>,
) {
  const { sender, previousDigest, ...slot } = decode(headerCodec, message.header.bytes)
  const { identity } = world.cluster.secrets[sender - 1] as ServerSecrets
  const { broadcast, sealed } = { ...message, ...changes }
  return signMessage(identity, { ...slot, sender }, { previousDigest, broadcast, sealed })
}

/** From now on this server holds another share of the key than its own. */
async function spoilShare(world: ReshareWorld, id: Identifier): Promise<void> {
  const { store } = serverOf(world, id)
  const [row] = await store.scan("keys", "", "", 1)
  assert.ok(row)
  const key = decode(keyRow, row.value)
  const group = groupByName(key.keyPackage.public.group)
  const share = group.addScalars(key.keyPackage.signingShare.expose() as Scalar, group.one)
  const keyPackage = { ...key.keyPackage, signingShare: new Secret(share) }
  const value = encode(keyRow, { ...key, keyPackage })
  await store.commit([{ kind: "put", table: "keys", id: row.id, ifVersion: row.version, value }])
}

test("a helper that splits another share answers the complaint once, and is named by its answer", async () => {
  const world = await startLacking()
  await spoilShare(world, 1)
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const answers: Bytes[] = []
  const { task } = await driveRepair(repairer, async (id, step, ...rest) => {
    const message = await repairer.step(id, step, ...rest)
    if (step === "answer") answers.push(encode(messageCodec, message))
    return message
  })
  assert.ok(task.kind === "aborted")
  assert.deepEqual([task.abort.reason, task.abort.culprits], ["bad-dealing", [1]])
  assert.equal(await stageAt(world, 1, repairer), "over")
  const repeat = await new Repairer(world, repairer.attempt).send(1, "answer", {})
  assert.deepEqual(answers, [repeat])
  assert.equal((await serverOf(world, 3).store.scan("keys", "", "", 8)).length, 0)
})

test("whoever sees what no helper may say records it and stops", async () => {
  const world = await startLacking()
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const { refusals } = await driveRepair(repairer, async (id, step, delivery, about) => {
    if (step !== "sum" || id !== 1) return repairer.step(id, step, delivery, about)
    const [split] = delivery.splits
    assert.ok(split)
    const lie = resigned(world, split, { broadcast: split.broadcast.slice(1) })
    return repairer.step(id, step, { ...delivery, splits: [lie] }, about)
  })
  assert.match(refusals.get(1)?.message ?? "", /malformed-payload; server 2 is to blame/)
  assert.deepEqual(serverOf(world, 1).server.incidents.quarantined, [2])
  await crash(world, 1)
  const next = new Repairer(world, await repairAttempt(world, 3, [1, 2], 2))
  await refused(world, 1, () => next.open(1), "quarantined quarantined.2")
})

test("a share is stored where the member says it has it, and nothing where it complains", async () => {
  const world = await startLacking()
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const { task } = await driveRepair(repairer, async (id, step, delivery, about) => {
    if (step !== "verdict") return repairer.step(id, step, delivery, about)
    const sums = delivery.sums.map((sum) => {
      const part = sum.sealed.get(3)
      assert.ok(part)
      const flipped = part.map((byte, i) => (i === part.length - 1 ? byte ^ 1 : byte)) as Bytes
      return resigned(world, sum, { sealed: new Map([[3, flipped]]) })
    })
    return repairer.step(id, step, { ...delivery, sums }, about)
  })
  // Neither has sealed what the member was shown: nobody answers for it.
  assert.ok(task.kind === "aborted")
  assert.equal(await stageAt(world, 3, repairer), "over")
  assert.equal((await serverOf(world, 3).store.scan("keys", "", "", 8)).length, 0)
  const later = new Repairer(world, await repairAttempt(world, 3, [1, 2], 2))
  assert.equal((await driveRepair(later)).task.kind, "repaired")
})

/** Drives a repair to the member's verdict, which `judge` asks for. */
async function upToVerdict(
  world: ReshareWorld,
  repairer: Repairer,
  judge: (ask: (records: readonly SealedRecords[]) => Promise<Message>) => Promise<void>,
): Promise<void> {
  let isAsked = false
  await driveRepair(repairer, async (id, step, delivery, about) => {
    if (step !== "verdict") return repairer.step(id, step, delivery, about)
    isAsked = true
    await judge((records) =>
      new Repairer(world, repairer.attempt).step(id, step, delivery, about, records),
    )
    return null
  })
  assert.ok(isAsked)
}

/** This server says something else of a key than the others. */
async function rewriteListing(
  world: ReshareWorld,
  id: Identifier,
  changes: Partial<KeyListing>,
): Promise<void> {
  const { store } = serverOf(world, id)
  const [row] = await store.scan("account-keys", "", "", 1)
  assert.ok(row)
  const value = encode(keyListing, { ...decode(keyListing, row.value), ...changes })
  const put = { kind: "put", table: "account-keys", id: row.id, ifVersion: row.version } as const
  await store.commit([{ ...put, value }])
}

const RECORDS = "conflict input.records.0"

test("a member believes of a key what as many holders tell as the threshold, and no fewer", async () => {
  const world = await startLacking({ servers: 4 })
  await rewriteListing(world, 2, { label: "not its name" })
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const { certificates } = world
  const keyId = certificates[0]?.public.keyId as Bytes
  await upToVerdict(world, repairer, async (ask) => {
    const [one, liar, other] = await Promise.all([1, 2, 4].map((id) => repairer.tell(id)))
    assert.ok(one && liar && other)
    for (const records of [[], [one], [one, one], [one, liar], [liar, liar, one]]) {
      await refused(world, 3, () => ask(records), RECORDS)
    }
    await ask([liar, one, other])
  })
  assert.equal((await listingAt(world, 3, keyId)).label, "")
  const { public: pkg } = await heldAt(world, 3, keyId)
  assert.deepEqual(pkg, (await heldAt(world, 1, keyId)).public)
})

test("records that were altered, are of another run, or of a stranger count as none", async () => {
  const world = await startLacking()
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const earlier = new Repairer(world, await repairAttempt(world, 3, [1, 2], 2))
  await earlier.step(3, "open", { opens: [], splits: [], sums: [], complaints: [] }, null)
  const old = await earlier.tell(1)
  await upToVerdict(world, repairer, async (ask) => {
    const [one, two] = await Promise.all([1, 2].map((id) => repairer.tell(id)))
    assert.ok(one && two)
    const flip = (bytes: Bytes) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) as Bytes
    const forged = (place: Partial<SealedRecords>, signer: Identifier): SealedRecords => {
      const { identity } = world.cluster.secrets[signer - 1] as ServerSecrets
      const run = repair.openingDigest(repairer.attempt.params)
      const said = { ...one, ...place }
      const { holder, encapsulated, ciphertext } = said
      const statement = { label: null, run, kind: "keys", holder, member: 3 } as const
      const signed = encode(recordsStatement, { ...statement, encapsulated, ciphertext })
      return { ...said, signature: identity.sign(signed) }
    }
    const wrong: readonly SealedRecords[] = [
      old,
      { ...one, holder: 2 },
      { ...one, signature: flip(one.signature) },
      { ...one, ciphertext: flip(one.ciphertext) },
      // Signed, and opens to nothing: sealed for another holder's place.
      forged({ holder: 2 }, 2),
      forged({ ciphertext: flip(one.ciphertext) }, 1),
    ]
    for (const lie of wrong) await refused(world, 3, () => ask([lie, two]), RECORDS)
    await ask([one, two])
  })
})

test("a certificate that proves nothing of what was restored is taken from nobody", async () => {
  const world = await startReshare({}, ["ed25519", "ed25519"])
  const [first, second] = world.certificates
  assert.ok(first && second)
  const only = { ...world, certificates: [first] }
  await empty(world, 3, "keys", "account-keys")
  const other = (await listingAt(world, 1, second.public.keyId)).certificate
  for (const id of [1, 2]) {
    const { store } = serverOf(world, id)
    const rowId = `${toHex(world.owner.accountId)}-${toHex(first.public.keyId)}`
    const row = await store.read("account-keys", rowId)
    assert.ok(row)
    const value = encode(keyListing, { ...decode(keyListing, row.value), certificate: other })
    const put = { kind: "put", table: "account-keys", id: rowId, ifVersion: row.version } as const
    await store.commit([{ ...put, value }])
  }
  const repairer = new Repairer(only, await repairAttempt(only, 3, [1, 2]))
  await upToVerdict(only, repairer, async (ask) => {
    await refused(only, 3, async () => ask(await repairer.told()), RECORDS)
  })
})

test("holders tell the member alone, of what they hold, under an opening of its own", async () => {
  const world = await startLacking({ servers: 4 })
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const nothing = { opens: [], splits: [], sums: [], complaints: [] }
  const helpers = await repairer.step(1, "open", nothing, null)
  const opening = await repairer.step(3, "open", nothing, null)
  await refused(world, 4, () => repairer.tell(4, helpers), "aborted sender")
  await refused(world, 3, () => repairer.tell(3), "invalid-request step")
  const another = new Repairer(world, await repairAttempt(world, 3, [1, 2], 2))
  await aborted(world, 4, () => another.tell(4, opening), "wrong-attempt")
  const input = encode(describeInput, {
    sharings: [],
    opening: encode(messageCodec, opening),
  })
  const less = () => new Repairer(world, repairer.attempt).ask(4, REPAIR_STEPS.describe, input)
  await refused(world, 4, less, "invalid-request input.sharings")
  assert.ok(await repairer.tell(4))
  await empty(world, 4, "keys")
  const asked = new Repairer(world, repairer.attempt)
  await refused(world, 4, () => asked.tell(4, opening), "conflict input.sharings.0")
})

test("helpers erase what they keep on the member's own word that it has its shares, and on no other", async () => {
  const world = await startLacking()
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const said: Message[] = []
  const { task } = await driveRepair(repairer, async (...args) => {
    const message = await repairer.step(...args)
    said.push(message)
    return message
  })
  assert.ok(task.kind === "repaired")
  const [opening] = said
  assert.ok(opening)
  const again = () => new Repairer(world, repairer.attempt)
  await aborted(world, 1, () => again().finish(1, opening), "wrong-step")
  const { verdict } = task
  const { identity } = world.cluster.secrets[1] as ServerSecrets
  const { sender: _, previousDigest, ...slot } = decode(headerCodec, verdict.header.bytes)
  const draft = { previousDigest, broadcast: verdict.broadcast }
  const others = signMessage(identity, { ...slot, sender: 2 }, draft)
  await refused(world, 1, () => again().finish(1, others), "aborted sender")
  await repairer.finish(1, verdict)
  assert.equal(await stageAt(world, 1, repairer), "over")
})

test("a run that restored what is lost once more is no run to ask for again", async () => {
  const world = await startLacking()
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  assert.equal((await driveRepair(repairer)).task.kind, "repaired")
  const again = () => new Repairer(world, repairer.attempt)
  await again().open(3)
  await empty(world, 3, "keys")
  await refused(world, 3, () => again().open(3), "conflict body.params.attempt")
})

test("a generation that came into force meanwhile stays, at helpers and at the member", async () => {
  const world = await startReshare({}, ["ed25519"])
  await refreshWithout(world, 3)
  const repairer = new Repairer(world, await repairAttempt(world, 3, [1, 2]))
  const { refusals } = await driveRepair(repairer, async (id, step, ...rest) => {
    const message = await repairer.step(id, step, ...rest)
    if (step === "open" && id === 3) {
      await empty(world, 3, "reshare-runs")
      await refreshAgain(world)
    }
    return message
  })
  assert.deepEqual(
    [...refusals].map(([id, { code, field }]) => `${id} ${code} ${field}`),
    ["1 aborted sharings.0", "2 aborted sharings.0"],
  )
})

/** A refresh in which server 3, which holds an earlier generation, is put to the one that follows. */
async function refreshAgain(world: ReshareWorld): Promise<void> {
  const other = new Repairer(world, await repairAttempt(world, 3, [1, 2], 7))
  assert.equal((await driveRepair(other)).task.kind, "repaired")
  world.cluster.clock.time += 1000
  await refresh(world)
}

test("operators have as many repairs under way as a server allows", async () => {
  const world = await startLacking()
  for (let n = 1; n <= MAX_REPAIRS_OF_OPERATOR; n++) {
    await new Repairer(world, await repairAttempt(world, 3, [1, 2], n)).open(1)
  }
  const one = new Repairer(world, await repairAttempt(world, 3, [1, 2], 1_000))
  await refused(world, 1, () => one.open(1), "rate-limited")
  await crash(world, 1)
  const other = new Repairer(world, one.attempt)
  await refused(world, 1, () => other.open(1), "rate-limited")
})
