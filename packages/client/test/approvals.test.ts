import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import {
  type LockKeeper,
  LockKeeperError,
  PersonSession,
  type Session,
  type ShownAccountRequest,
} from "@lockkeeper/client"
import { Secret, type SigningKey, sha256, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, concat, encode, fromHex, utf8 } from "@lockkeeper/encoding"
import { charterCodec, readSource } from "@lockkeeper/policy"
import { intentDigest, linesOf, solanaMessageIntent } from "@lockkeeper/transactions"
import { TestCluster } from "./cluster.ts"

const owner = { name: "alice", password: "correct horse battery staple" }

const keyOf = (person: string): SigningKey => signingKeyFromSeed(new Secret(sha256(utf8(person))))

/** One approver of two has to agree to whatever is signed. */
function charterOf(version: number, people: readonly string[] = ["ada", "bob"]): Bytes {
  const { document: policy } = readSource(`{
    "name": "family", "version": ${version}, "roles": ["parent"], "limits": {},
    "quorums": { "a-parent": { "need": 1, "members": [{ "role": "parent" }], "veto": [{ "role": "parent" }] } }
  }
---
@id("agreed") @quorum("a-parent") permit (principal, action, resource);
`)
  return encode(charterCodec, {
    policy,
    people: people.map((id) => ({
      ...({ id, kind: "approver", roles: ["parent"] } as const),
      credentials: [keyOf(id).publicKey],
    })),
    rawKeys: [],
    bitcoinNetwork: "mainnet",
  })
}

/** A transfer of Solana's system program. */
function transferOf(from: Uint8Array, lamports: number): Bytes {
  const amount = new Uint8Array(8)
  new DataView(amount.buffer).setBigUint64(0, BigInt(lamports), true)
  return concat(
    ...[Uint8Array.of(1, 0, 1, 3), from, new Uint8Array(32).fill(2), new Uint8Array(32)],
    ...[new Uint8Array(32).fill(1), Uint8Array.of(1, 2, 2, 0, 1, 12), fromHex("02000000"), amount],
  )
}

let cluster: TestCluster
let keeper: LockKeeper
let session: Session
let keyId: Bytes
let publicKey: Bytes

before(async () => {
  cluster = await TestCluster.start()
  keeper = await cluster.connect()
  await keeper.register(owner)
  session = await keeper.login(owner)
  const { key } = await session.keys.create({ type: "ed25519" })
  keyId = key.keyId
  publicKey = key.publicKey
})

const visit = (person: string, key = keyOf(person)) =>
  PersonSession.open({
    ...{ roster: cluster.rosterChain, pin: cluster.pin, dependencies: cluster.dependencies() },
    ...{ account: owner.name, person, key },
  })

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (caught) => caught,
  )
  assert.ok(error instanceof LockKeeperError, `expected a refusal, got ${error}`)
  return `${error.code} ${error.field}`
}

/** What the approver's own client reads in it. */
function read(shown: ShownAccountRequest): Bytes {
  const { content } = shown
  assert.ok(content.kind === "sign" && content.content.kind === "message")
  return intentDigest(solanaMessageIntent(content.content.message).intent)
}

const subjectOf = (message: Bytes) =>
  ({
    kind: "sign",
    ...{ keyId, path: [], merkleRoot: null },
    content: { kind: "message", message },
  }) as const

describe("an owner with a policy, and the people of its charter", () => {
  it("sign what one of them has read and approved", async () => {
    assert.equal(await session.policy.show(), null)
    const set = await session.policy.set(charterOf(1))
    assert.deepEqual([set.servers, set.needed, set.effective], [[1, 2, 3], 2, true])
    assert.deepEqual(await session.policy.show(), charterOf(1))
    const message = transferOf(publicKey, 7)
    assert.equal(await refusal(session.sign({ keyId, message })), "permission-denied approvals")
    const opened = await session.requests.open({ subject: subjectOf(message) })
    const ada = visit("ada")
    const [listed] = await ada.list()
    assert.deepEqual(listed?.activityId, opened.activityId)
    assert.deepEqual(
      [...(listed?.states ?? [])],
      [1, 2, 3].map((server) => [server, "waiting"]),
    )
    const shown = await ada.show(opened.activityId)
    const lines = linesOf(solanaMessageIntent(message).intent)
    assert.ok(lines.some(({ field, value }) => field === "action 1, amount" && value === "7"))
    const other = new Uint8Array(32)
    const wrong = ada.approve(shown, { intent: other })
    assert.equal(await refusal(wrong), "untrusted-server intent")
    assert.equal(await refusal(session.sign({ keyId, message })), "permission-denied approvals")
    const told = await ada.approve(shown, { intent: read(shown) })
    assert.deepEqual([told.servers, told.missing.size, told.effective], [[1, 2, 3], 0, true])
    await session.sign({ keyId, message })
    const after = await session.requests.show(opened.activityId)
    assert.deepEqual(
      after.verdicts.map(({ person, verdict }) => [person, verdict]),
      [["ada", "approve"]],
    )
    assert.ok([...after.states.values()].includes("done"))
    await ada.close()
    assert.equal(await refusal(ada.list()), "session-ended ")
  })

  it("sign nothing that one of them has rejected, nor what was cancelled", async () => {
    const message = transferOf(publicKey, 8)
    const { activityId } = await session.requests.open({ subject: subjectOf(message) })
    const [ada, bob] = [visit("ada"), visit("bob")]
    const shown = await ada.show(activityId)
    await ada.approve(shown, { intent: read(shown) })
    await bob.reject(shown, { intent: read(shown) })
    assert.match(await refusal(session.sign({ keyId, message })), /^permission-denied/)
    const cancelled = await session.requests.cancel(activityId)
    assert.equal(cancelled.effective, true)
    assert.equal(
      await refusal(bob.approve(shown, { intent: read(shown) })),
      "expired body.activityId",
    )
    const all = await session.requests.list()
    assert.ok(all.some(({ states }) => states.get(1) === "cancelled"))
    await Promise.all([ada.close(), bob.close()])
  })

  it("are told which servers missed it, and a stranger has no session", async () => {
    cluster.wire(3).down = true
    const message = transferOf(publicKey, 9)
    const clientKey = new Uint8Array(16).fill(5)
    const expiresAt = Date.now() + 3_600_000
    const asked = { subject: subjectOf(message), clientKey, expiresAt }
    const opened = await session.requests.open(asked)
    assert.deepEqual(
      [opened.servers, [...opened.missing.keys()], opened.effective],
      [[1, 2], [3], true],
    )
    cluster.wire(3).down = false
    const again = await session.requests.open(asked)
    assert.deepEqual([again.activityId, again.servers], [opened.activityId, [1, 2, 3]])
    const eve = visit("ada", keyOf("eve"))
    assert.equal(await refusal(eve.list()), "unauthenticated payload.credential")
    await eve.close()
  })

  it("change the charter together", async () => {
    const next = charterOf(2, ["ada"])
    assert.equal(await refusal(session.policy.set(next)), "permission-denied approvals")
    const subject = { kind: "change-policy", charter: next } as const
    const { activityId } = await session.requests.open({ subject })
    const bob = visit("bob")
    const shown = await bob.show(activityId)
    assert.deepEqual(shown.content, subject)
    await bob.approve(shown, { intent: null })
    assert.equal((await session.policy.set(next)).effective, true)
    assert.equal(await refusal(bob.list()), "unauthenticated payload.credential")
    await bob.close()
    await session.logout()
    keeper.close()
  })
})
