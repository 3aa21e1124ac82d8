import assert from "node:assert/strict"
import { test } from "node:test"
import { keyListing, reshareOpenOutput, type SealedRecords } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  decode,
  encode,
  fixedBytes,
  struct,
  toHex,
  u16,
  u32,
} from "@lockkeeper/encoding"
import {
  type KeyCertificate,
  keyCertificateCodec,
  reshare,
  sharing,
  signLabelled,
} from "@lockkeeper/protocols"
import type { ServerSecrets } from "../src/directory/server-secrets.ts"
import { keyRow } from "../src/keys.ts"
import { describeKey } from "../src/resharing/key-records.ts"
import { sealRecords } from "../src/resharing/sealed-records.ts"
import { signWith } from "./flows.ts"
import {
  describeAt,
  driveMove,
  goOnTo,
  holdersOfKey,
  leaveAt,
  logIn,
  move,
  moveFor,
  type Shape,
  shownAt,
  startMoves,
} from "./move-flows.ts"
import {
  Coordinator,
  type ReshareWorld,
  refusalOf,
  runCount,
  serverOf,
  verifyKeysOf,
} from "./reshare-flows.ts"

const A: Shape = { holders: [1, 2, 3], minSigners: 2 }
const B: Shape = { holders: [4, 5, 6], minSigners: 2 }
const RECORDS = "conflict input.records.0"

async function moving(to: Shape = B): Promise<ReshareWorld> {
  const world = await startMoves(A, ["ed25519"])
  await goOnTo(world, to)
  return world
}

function keyIdOf({ certificates }: ReshareWorld): Bytes {
  return (certificates[0] as KeyCertificate).public.keyId
}

test("only the roster's holders and threshold are dealt to, by as many old ones as it took", async () => {
  const world = await moving()
  const attempt = await moveFor(world)
  type Params = Partial<reshare.ReshareParams>
  const cases: readonly (readonly [Identifier, Params, string])[] = [
    [4, { holders: [4, 5] }, "invalid-request body.params.holders"],
    [4, { holders: [4, 5, 9] }, "invalid-request body.params.holders"],
    [4, { minSigners: 3 }, "invalid-request body.params.minSigners"],
    [4, { dealers: [1, 2, 3] }, "invalid-request body.params.dealers"],
    [4, { dealers: [1, 9] }, "invalid-request body.params.dealers"],
    // A dealer that is no holder of what is dealt.
    [4, { dealers: [1, 4] }, "invalid-request input.keys.0"],
    // A leaving server is asked to hold, by itself and by those that stay.
    [3, { holders: [3, 4, 5, 6] }, "invalid-request body.params.holders"],
    [4, { holders: [3, 4, 5, 6] }, "invalid-request body.params.holders"],
    [3, {}, "invalid-request body.params.holders"],
    [1, { kind: "refresh", holders: [1, 2, 3] }, "invalid-request body.params.holders"],
    [4, { kind: "refresh" }, "invalid-request input.keys.0"],
    [4, { rosterEpoch: 1 }, "wrong-roster body.params.rosterEpoch"],
  ]
  for (const [id, params, what] of cases) {
    const changed = { ...attempt, params: { ...attempt.params, ...params } }
    const servers = [1, 2, 3, 4, 5, 6]
    const coordinator = new Coordinator(world, changed, { servers })
    assert.equal(await refusalOf(coordinator.open(id)), what)
    assert.equal(await runCount(world, id), 0)
  }
})

test("who has no share takes part in no generation twice, and keeps nothing of what nobody proved", async () => {
  const world = await moving()
  const first = new Coordinator(world, await moveFor(world))
  const before = await serverOf(world, 4).store.scan("generations", "", "", 9)
  await first.open(4)
  assert.deepEqual(await serverOf(world, 4).store.scan("generations", "", "", 9), before)
  world.cluster.clock.time += 1000
  const second = new Coordinator(world, await moveFor(world))
  assert.equal((await driveMove(second)).task.kind, "confirmed")
  world.cluster.clock.time += 1000
  const third = new Coordinator(world, await moveFor(world))
  const entries = [{ index: 0, reason: "wrong-key-epoch" }]
  assert.deepEqual(decode(reshareOpenOutput, await third.open(4)), { kind: "unfit", entries })
  const fourth = new Coordinator(world, await moveFor(world, { toKeyEpoch: 3 }))
  assert.equal((await driveMove(fourth)).task.kind, "confirmed")
})

test("what some of the holders hold as they should is not dealt to all where both could be in force", async () => {
  const world = await startMoves({ holders: [1, 2], minSigners: 2 }, ["ed25519"])
  // Under the first roster all six are holders.
  const attempt = await moveFor(world)
  const output = await new Coordinator(world, attempt).open(1)
  const entries = [{ index: 0, reason: "wrong-participants" }]
  assert.deepEqual(decode(reshareOpenOutput, output), { kind: "unfit", entries })
})

/** Has one holder tell another owner of the world's key, or what else is changed. */
async function relabel(
  world: ReshareWorld,
  id: Identifier,
  changes: { readonly label?: string; readonly certificate?: Bytes; readonly accountId?: Bytes },
): Promise<void> {
  const { store } = serverOf(world, id)
  const keyId = keyIdOf(world)
  const { accountId = world.owner.accountId, ...others } = changes
  const nameOf = (account: Bytes) => `${toHex(account)}-${toHex(keyId)}`
  const listed = await store.read("account-keys", nameOf(world.owner.accountId))
  const row = await store.read("keys", toHex(keyId))
  assert.ok(listed && row)
  const isMoved = accountId !== world.owner.accountId
  const shown = encode(keyListing, { ...decode(keyListing, listed.value), ...others })
  const held = encode(keyRow, { ...decode(keyRow, row.value), accountId })
  await store.commit([
    { kind: "put", table: "keys", id: toHex(keyId), ifVersion: row.version, value: held },
    {
      ...{ kind: "put", table: "account-keys", id: nameOf(accountId), value: shown },
      ifVersion: isMoved ? "absent" : listed.version,
    },
  ])
}

test("a joiner confirms nothing where it is told of different owners, labels or proofs", async () => {
  const stranger = new Uint8Array(32).fill(7)
  const lies: readonly ((world: ReshareWorld) => Parameters<typeof relabel>[2])[] = [
    () => ({ accountId: stranger }),
    () => ({ label: "mine" }),
    (world) => ({ certificate: unconfirmed(world) }),
  ]
  for (const lie of lies) {
    const world = await moving()
    const told = lie(world)
    await relabel(world, 1, told)
    // One certificate that holds is enough, whoever shows it.
    if (told.certificate !== undefined) await relabel(world, 2, told)
    const coordinator = new Coordinator(world, await moveFor(world))
    const refusals: string[] = []
    const { task } = await driveMove(coordinator, async (_id, step, go) => {
      if (step !== "verdict") return go()
      refusals.push(await refusalOf(go()))
      return null
    })
    assert.deepEqual(refusals, [RECORDS, RECORDS, RECORDS], JSON.stringify(Object.keys(told)))
    assert.equal(task.kind, "aborted")
    assert.deepEqual(await holdersOfKey(world, keyIdOf(world)), A.holders)
  }
})

test("who holds no share has no say about whose key it is", async () => {
  const world = await moving()
  await relabel(world, 1, { label: "mine" })
  const attempt = await moveFor(world)
  const coordinator = new Coordinator(world, attempt)
  const opening = await coordinator.step(4, "open", { messages: [], opens: [] })
  const key = reshare.holderSealingKey(attempt.params, 4, opening, verifyKeysOf(world))
  const record = await describeKey(serverOf(world, 1).store, keyIdOf(world))
  assert.ok(key.ok && record !== null)
  // Server 5 says what the liar says, in its own name.
  const run = reshare.openingDigest(attempt.params)
  const place = { label: null, run, kind: "keys", holder: 5, member: 4 } as const
  const { identity } = world.cluster.secrets[4] as ServerSecrets
  const { randomness } = serverOf(world, 5).deps
  const lie = sealRecords(place, [record], key.value, identity, randomness)
  assert.ok(lie)
  const refusals: string[] = []
  const tell = (_id: Identifier, records: readonly SealedRecords[]) => [...records, lie]
  await driveMove(
    coordinator,
    async (id, step, go) => {
      if (step !== "verdict") return go()
      if (id === 4) refusals.push(await refusalOf(go()))
      return null
    },
    tell,
  )
  assert.deepEqual(refusals, [RECORDS])
})

/** The certificate of the world's key, without the signature of one holder. */
function unconfirmed({ certificates }: ReshareWorld): Bytes {
  const own = certificates[0] as KeyCertificate
  const confirmations = new Map([...own.confirmations].slice(0, 2))
  return encode(keyCertificateCodec, { ...own, confirmations })
}

test("a third holder's word settles it, and words that are none count for nothing", async () => {
  const world = await moving()
  await relabel(world, 1, { label: "mine" })
  const attempt = await moveFor(world)
  const coordinator = new Coordinator(world, attempt)
  const openings = new Map<Identifier, Parameters<typeof describeAt>[3]>()
  const { task } = await driveMove(coordinator, async (id, step, go) => {
    if (step !== "verdict") {
      const message = await go()
      if (step === "open") openings.set(id, message)
      return message
    }
    assert.equal(await refusalOf(go()), RECORDS)
    return null
  })
  assert.equal(task.kind, "aborted")
  const again = new Coordinator(world, attempt)
  const flip = (bytes: Bytes) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) as Bytes
  const thirds = new Map<Identifier, SealedRecords>()
  for (const id of B.holders) {
    const opening = openings.get(id)
    assert.ok(opening)
    thirds.set(id, await describeAt(again, 3, id, opening))
  }
  const spoil = async (change: (one: SealedRecords) => SealedRecords, what: string) => {
    const told = new Coordinator(world, attempt)
    const tell = (id: Identifier, records: readonly SealedRecords[]) => [
      ...records,
      change(thirds.get(id) as SealedRecords),
    ]
    const ask = async (_id: Identifier, step: string, go: () => Promise<never>) => {
      if (step !== "verdict") return go()
      assert.equal(await refusalOf(go()), what)
      return null
    }
    await driveMove(told, ask as never, tell)
  }
  await spoil((one) => ({ ...one, signature: flip(one.signature) }), RECORDS)
  await spoil((one) => ({ ...one, ciphertext: flip(one.ciphertext) }), RECORDS)
  await spoil((one) => ({ ...one, holder: 2 }), RECORDS)
  await spoil((one) => ({ ...one, holder: 6 }), RECORDS)
  const last = await driveMove(new Coordinator(world, attempt), undefined, (id, records) => [
    ...records,
    thirds.get(id) as SealedRecords,
  ])
  assert.equal(last.task.kind, "confirmed")
})

test("nobody tells of what it does not hold, or to whom it is not to", async () => {
  const world = await moving()
  const attempt = await moveFor(world)
  const coordinator = new Coordinator(world, attempt)
  const opening = await coordinator.step(4, "open", { messages: [], opens: [] })
  const told = (teller: Identifier, member: Identifier) =>
    refusalOf(describeAt(coordinator, teller, member, opening))
  assert.equal(await told(3, 4), "nothing")
  assert.equal(await told(6, 4), "conflict input.sharings.0")
  assert.equal(await told(3, 2), "aborted member")
  // Another one's opening.
  assert.match(await told(3, 5), /^aborted/)
})

test("who leaves erases nothing on a certificate that is forged, short, or of other holders", async () => {
  const world = await moving()
  const keyId = keyIdOf(world)
  const attempt = await moveFor(world)
  const { task, waiting } = await driveMove(new Coordinator(world, attempt))
  assert.ok(task.kind === "confirmed" && waiting !== null)
  const found = reshare.certificatesFor(waiting, task.certificate)
  assert.ok(found.ok)
  const [good] = found.value
  assert.ok(good)
  const { sharing: later, confirmations } = good
  const [[, first]] = confirmations as unknown as [[Identifier, Bytes]]
  const flipped = first.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) as Bytes
  const shares = new Map([...later.verifyingShares].slice(0, 2))
  const field = "input.certificates.0"
  const cases: readonly (readonly [Partial<reshare.ReshareCertificate>, string])[] = [
    [{ confirmations: new Map([...confirmations].slice(1)) }, `aborted ${field}`],
    [{ confirmations: new Map() }, `aborted ${field}`],
    [{ confirmations: new Map([...confirmations, [4, flipped]]) }, `aborted ${field}`],
    [{ sharing: { ...later, keyEpoch: 9 } }, `aborted ${field}`],
    [{ sharing: { ...later, rosterEpoch: 7 } }, `aborted ${field}`],
    [{ sharing: { ...later, minSigners: 3 } }, `aborted ${field}`],
    [{ sharing: { ...later, verifyingShares: shares } }, `aborted ${field}`],
    [{ size: 9 }, `aborted ${field}`],
  ]
  for (const [changes, what] of cases) {
    const forged: reshare.ReshareCertificate = { ...good, ...changes }
    for (const id of A.holders) {
      assert.equal(await refusalOf(leaveAt(world, id, [forged])), what)
      assert.deepEqual(serverOf(world, id).server.incidents.all(), [])
    }
  }
  // Some of the holders sign for themselves alone.
  const own = { ...later, verifyingShares: shares }
  const apart = { sharing: own, index: 0, size: 1, path: [], confirmations: signedBy(world, own) }
  assert.equal(await refusalOf(leaveAt(world, 1, [apart])), `aborted ${field}`)
  assert.equal(await refusalOf(leaveAt(world, 4, [good])), `invalid-request ${field}`)
  assert.equal(
    await refusalOf(leaveAt(world, 1, [good, good])),
    "invalid-request input.certificates",
  )
  assert.deepEqual(await holdersOfKey(world, keyId), A.holders)
  for (const id of A.holders) await leaveAt(world, id, [good])
  assert.deepEqual(await holdersOfKey(world, keyId), [])
})

const outcome = struct<{ rosterEpoch: number; size: number; root: Bytes }>({
  ...{ rosterEpoch: u32, size: u16, root: fixedBytes(32) },
})

/** The signatures of all its holders that they hold a sharing, as the one of its batch. */
function signedBy({ cluster }: ReshareWorld, one: sharing.Sharing): Map<Identifier, Bytes> {
  const { rosterEpoch, verifyingShares } = one
  const said = { rosterEpoch, size: 1, root: sharing.sharingDigest(one) }
  const sign = (id: Identifier) => {
    const { identity } = cluster.secrets[id - 1] as ServerSecrets
    return signLabelled(identity, "reshare-outcome", outcome, said)
  }
  return new Map([...verifyingShares.keys()].map((id) => [id, sign(id)]))
}

test("old rows that are put back where a key has left sign with nobody", async () => {
  const world = await moving()
  const keyId = keyIdOf(world)
  const { store } = serverOf(world, 1)
  const old = await store.read("keys", toHex(keyId))
  assert.ok(old)
  await move(world)
  await store.commit([
    { kind: "put", table: "keys", id: toHex(keyId), ifVersion: "absent", value: old.value },
  ])
  const sessions = await logIn(world, [1, 4])
  const [restored, fresh] = sessions
  assert.ok(restored && fresh)
  const [before] = world.certificates
  const now = await shownAt(world, fresh, keyId)
  for (const certificate of [before as KeyCertificate, now]) {
    const signing = signWith(world.owner, sessions, certificate, new Uint8Array(32))
    assert.equal(await refusalOf(signing), "conflict keyEpoch")
  }
})
