import assert from "node:assert/strict"
import { before, test } from "node:test"
import { charterShown, type Event, eventCodec, LockKeeperError } from "@lockkeeper/api"
import { decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { charterCodec, charterDigest } from "@lockkeeper/policy"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { charterOf, setCharter, transferOf } from "./charters.ts"
import { createKey, signWith } from "./flows.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

let owner: TestOwner
let sessions: readonly TestSession[]
let certificate: KeyCertificate
let from: Uint8Array

/** A new account with a key, so that tests do not meet each other's counters. */
async function start(name: string): Promise<void> {
  owner = new TestOwner(cluster, name)
  await owner.register("right")
  sessions = await owner.login("right", owner.servers)
  certificate = await createKey(owner, sessions, "ed25519")
  from = certificate.public.verifyingKey
}

let cluster: Awaited<ReturnType<typeof startCluster>>
before(async () => {
  cluster = await startCluster()
})

/** Sessions with these servers, by number. */
const at = (...wanted: readonly number[]) =>
  sessions.filter(({ to }) => wanted.includes(to.identifier))

/** What a signature is refused with, as code and field; null where there is one. */
async function sign(message: Uint8Array, by = at(1, 2)): Promise<string | null> {
  try {
    await signWith(owner, by, certificate, new Uint8Array(message))
    return null
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    return `${error.code} ${error.field}`
  }
}

const setting = async (...of: Parameters<typeof setCharter>): Promise<string | null> => {
  try {
    await setCharter(...of)
    return null
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    return `${error.code} ${error.field}`
  }
}

async function lastEvent({ store }: TestServer): Promise<Event> {
  const { index } = (await store.logPosition()) as { index: number }
  const [entry] = await store.entries(index, 1)
  return decode(eventCodec, entry?.event as Uint8Array)
}

test("within its limit an owner signs, beyond it every server refuses, and its log says by which rule", async () => {
  await start("limits")
  const charter = charterOf()
  await setCharter(owner, sessions, charter)
  assert.equal(await sign(transferOf(from, 700)), null)
  const [server] = owner.servers
  const { decision, signers, outcome, reason } = await lastEvent(server as TestServer)
  assert.ok(decision)
  assert.deepEqual([outcome, reason, signers], ["done", "", [1, 2]])
  assert.deepEqual([decision.rules, decision.person], [["small-payments"], "owner"])
  assert.deepEqual([decision.policyVersion, decision.approvals], [1, []])
  assert.deepEqual(decision.charter, charterDigest(charter))
  assert.match(decision.what, /action 1: transfer\n.*\n.*\naction 1, amount: 700/)
  for (const set of [at(1, 3), at(2, 3), at(3, 1)]) {
    // Server 3 has counted nothing so far: it refuses what is too much by itself.
    assert.equal(await sign(transferOf(from, 1001, 2), set), "permission-denied approvals")
  }
  assert.equal(await sign(transferOf(from, 301, 2)), "permission-denied approvals")
  const refused = await lastEvent(server as TestServer)
  assert.deepEqual([refused.outcome, refused.reason], ["refused", "approvals-missing"])
  assert.match(refused.decision?.what ?? "", /amount: 301/)
  assert.equal(await sign(transferOf(from, 300, 2)), null)
  assert.equal(await sign(transferOf(from, 1, 3)), "permission-denied approvals")
  cluster.clock.time += 25 * 3_600_000
  sessions = await owner.login("right", owner.servers)
  assert.equal(await sign(transferOf(from, 1000, 3)), null)
})

test("what is signed again counts once", async () => {
  await start("once")
  await setCharter(owner, sessions, charterOf())
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.equal(await sign(transferOf(from, 900)), null)
  }
  assert.equal(await sign(transferOf(from, 900, 2)), "permission-denied approvals")
  assert.equal(await sign(transferOf(from, 100, 2)), null)
})

test("requests at the same time do not all find the same room", async () => {
  await start("race")
  await setCharter(owner, sessions, charterOf())
  const outcomes = await Promise.all([1, 2, 3, 4].map((mark) => sign(transferOf(from, 400, mark))))
  assert.deepEqual(outcomes.filter((outcome) => outcome === null).length, 2, String(outcomes))
})

test("t - 1 servers that ask no policy give no signature", async () => {
  await start("ignorant")
  const charter = charterOf()
  // Server 1 is not told of it: it signs whatever the owner asks for.
  await setCharter(owner, at(2, 3), charter)
  for (const set of [at(1, 2), at(1, 3), at(2, 3)]) {
    assert.equal(await sign(transferOf(from, 1001), set), "permission-denied approvals")
  }
  assert.equal(await sign(transferOf(from, 1000)), null)
})

test("bytes that no server can read are refused, unless the charter lists the key", async () => {
  await start("raw")
  await setCharter(owner, sessions, charterOf())
  assert.equal(await sign(utf8("anything")), "permission-denied body.content")
  const [server] = owner.servers
  const { outcome, reason } = await lastEvent(server as TestServer)
  assert.deepEqual([outcome, reason], ["refused", "raw-content"])
  const other = transferOf(new Uint8Array(32).fill(9), 1)
  assert.equal(await sign(other), "permission-denied body.content")
})

test("a key that may sign raw bytes does so where a rule permits it, and logs that it was read by nobody", async () => {
  await start("raw-listed")
  const rules =
    '@id("raw") permit (principal, action == Action::"sign", resource) when { context.intent.kind == "raw" };'
  const rawKeys = [certificate.public.keyId]
  const charter = charterOf({ rawKeys })
  const policy = { ...charter.policy, ...{ rules, limits: [], quorums: [] } }
  await setCharter(owner, sessions, { ...charter, policy })
  assert.equal(await sign(utf8("anything")), null)
  const { decision } = await lastEvent(owner.servers[0] as TestServer)
  assert.deepEqual([decision?.intent, decision?.what], [null, "raw message"])
  assert.equal(await sign(transferOf(from, 1)), "permission-denied policy")
})

test("a policy is replaced by its next version alone, and only where the one in force allows it", async () => {
  await start("replaced")
  assert.equal(
    await setting(owner, sessions, charterOf({ version: 2 })),
    "conflict body.charter.policy.version",
  )
  assert.equal(await setting(owner, sessions, charterOf()), null)
  assert.equal(await setting(owner, sessions, charterOf()), null)
  for (const version of [1, 3]) {
    const other = charterOf({ version, rawKeys: [certificate.public.keyId] })
    assert.equal(await setting(owner, sessions, other), "conflict body.charter.policy.version")
  }
  const next = charterOf({ version: 2 })
  assert.equal(await setting(owner, sessions, next), "permission-denied approvals")
  const rules = '@id("anything") permit (principal, action, resource);'
  await start("replaceable")
  const open = charterOf({ rules })
  const policy = { ...open.policy, limits: [], quorums: [] }
  assert.equal(await setting(owner, sessions, { ...open, policy }), null)
  assert.equal(await setting(owner, sessions, next), null)
  const { decision, note } = await lastEvent(owner.servers[0] as TestServer)
  assert.deepEqual([decision?.rules, decision?.policyVersion, note], [["anything"], 1, "policy 2"])
})

test("a policy that does not compile, and one that asks for strangers, are refused with the place", async () => {
  await start("refused")
  const unknown = charterOf({
    rules: '@id("x") permit (principal, action, resource) when { context.nothing };',
  })
  assert.equal(await setting(owner, sessions, unknown), "invalid-request body.charter.policy")
  const people = [{ id: "ada", kind: "approver", roles: ["admiral"], credentials: [] }] as const
  const stranger = charterOf({ people })
  assert.equal(
    await setting(owner, sessions, stranger),
    "invalid-request body.charter.people.0.roles",
  )
  assert.equal(await sign(utf8("still nobody asks")), null)
})

test("a server without the text of the policy signs nothing until the owner brings it", async () => {
  await start("lost")
  const charter = charterOf()
  await setCharter(owner, sessions, charter)
  const { store } = owner.servers[0] as TestServer
  const id = toHex(owner.accountId)
  const held = await store.read("charters", id)
  await store.commit([{ kind: "take", table: "charters", id, version: held?.version ?? 0 }])
  assert.equal(await sign(transferOf(from, 1)), "unavailable policy")
  const later = charterOf({ version: 2 })
  assert.equal(await setting(owner, at(1), later), "unavailable policy")
  assert.equal(await setting(owner, at(1), charter), null)
  assert.equal(await sign(transferOf(from, 1)), null)
  const request = owner.sign(owner.request("policy.show", new Uint8Array(0)))
  const payload = { kind: "act", request, step: 1, input: new Uint8Array(0) } as const
  const answer = expectKind(await (sessions[0] as TestSession).call(payload), "act")
  assert.deepEqual(decode(charterShown, answer.output), encode(charterCodec, charter))
})
