import assert from "node:assert/strict"
import { before, test } from "node:test"
import {
  type ActivityListing,
  type Approval,
  activityBody,
  activityListings,
  decideActivityBody,
  type Event,
  eventCodec,
  listActivitiesBody,
  MAX_ACTIVITIES,
  type Subject,
  setPolicyBody,
  signApproval,
  subjectDigest,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { charterCodec, type Person } from "@lockkeeper/policy"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { linesOf, solanaMessageIntent } from "@lockkeeper/transactions"
import {
  actIn,
  approvalOf,
  ask,
  decideEverywhere,
  keyOf,
  openRequest,
  PEOPLE,
  refusalOf,
  TestPerson,
} from "./approvers.ts"
import { charterOf, setCharter, transferOf } from "./charters.ts"
import { createKey, prepareToSign, signWith } from "./flows.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

let cluster: Awaited<ReturnType<typeof startCluster>>
let owner: TestOwner
let sessions: readonly TestSession[]
let certificate: KeyCertificate
let from: Bytes

before(async () => {
  cluster = await startCluster()
})

/** An account with a key, people, and a policy by which much takes two treasurers. */
async function start(name: string): Promise<void> {
  owner = new TestOwner(cluster, name)
  await owner.register("right")
  sessions = await owner.login("right", owner.servers)
  certificate = await createKey(owner, sessions, "ed25519")
  from = certificate.public.verifyingKey
  await setCharter(owner, sessions, charterOf({ people: PEOPLE }))
}

const large = (mark = 1, to = 2) => transferOf(from, 5000, mark, to)

function toSign(
  message: Bytes,
  changes: Partial<Extract<Subject, { kind: "sign" }>> = {},
): Subject {
  const { keyId } = certificate.public
  const content = { kind: "message", message } as const
  return { kind: "sign", keyId, path: [], content, merkleRoot: null, ...changes }
}

const at = (...wanted: readonly number[]) =>
  sessions.filter(({ to }) => wanted.includes(to.identifier))

const sign = (message: Bytes, by = at(1, 2)) => refusalOf(signWith(owner, by, certificate, message))

async function lastEvent({ store }: TestServer): Promise<Event> {
  const { index } = (await store.logPosition()) as { index: number }
  const [entry] = await store.entries(index, 1)
  return decode(eventCodec, entry?.event as Bytes)
}

/** Approved by both treasurers at every server. */
async function approved(message: Bytes): Promise<ActivityListing> {
  const listing = await openRequest(owner, sessions, toSign(message))
  for (const person of ["ada", "bob"]) await decideEverywhere(owner, listing, person)
  return listing
}

test("what two treasurers approve is signed, once, and the log says who approved it", async () => {
  await start("approved")
  const message = large()
  assert.equal(await sign(message), "permission-denied approvals")
  const listing = await openRequest(owner, sessions, toSign(message))
  const [server] = owner.servers
  const ada = await TestPerson.visit(owner, server as TestServer, "ada")
  const { subject } = await ada.show(listing.activityId)
  assert.deepEqual(subjectDigest(subject), listing.subject)
  assert.ok(subject.kind === "sign" && subject.content.kind === "message")
  const lines = linesOf(solanaMessageIntent(subject.content.message).intent)
  assert.ok(lines.some(({ field, value }) => field === "action 1, amount" && value === "5000"))
  await decideEverywhere(owner, listing, "ada")
  assert.equal(await sign(message), "permission-denied approvals")
  await decideEverywhere(owner, listing, "bob")
  assert.equal(await sign(message), null)
  const { decision, signers } = await lastEvent(server as TestServer)
  assert.deepEqual([decision?.rules, signers], [["approved"], [1, 2]])
  assert.deepEqual(
    decision?.approvals.map(({ person, credential }) => [person, toHex(credential)]),
    ["ada", "bob"].map((person) => [person, toHex(keyOf(person).publicKey)]),
  )
  // Used: neither again, nor at a server that has used it, nor for anything else.
  assert.equal(await sign(message), "permission-denied approvals")
  assert.equal((await ada.show(listing.activityId)).listing.state, "done")
})

test("one request has all of its attempts, and a server that was not in it keeps the approvals", async () => {
  await start("attempts")
  const message = large()
  await approved(message)
  const { request, input } = await prepareToSign(owner, at(1, 2), certificate, message)
  const payload = { kind: "act", request, step: 1, input } as const
  const [first] = at(1) as [TestSession]
  expectKind(await first.call(payload), "act")
  const second = await prepareToSign(owner, at(1, 2), certificate, message, [], request)
  expectKind(await first.call({ kind: "act", request, step: 2, input: second.input }), "act")
  assert.equal(await sign(message, at(2, 3)), null)
  assert.equal(await sign(message, at(1, 3)), "permission-denied approvals")
})

test("a veto holds whatever is approved before and after it", async () => {
  await start("vetoed")
  const listing = await approved(large())
  await decideEverywhere(owner, listing, "cho", { verdict: "veto" })
  assert.notEqual(await sign(large()), null)
  const other = await openRequest(owner, sessions, toSign(large(2)))
  await decideEverywhere(owner, other, "cho", { verdict: "veto" })
  for (const person of ["ada", "bob"]) await decideEverywhere(owner, other, person)
  assert.notEqual(await sign(large(2)), null)
})

test("two keys of one person are one approval, and nothing follows a veto", async () => {
  await start("one-person")
  const listing = await openRequest(owner, sessions, toSign(large()))
  await decideEverywhere(owner, listing, "ada")
  const twice = decideEverywhere(owner, listing, "ada", { which: "second" })
  assert.equal(await refusalOf(twice), "already-exists body.verdict.person")
  await decideEverywhere(owner, listing, "ada", { verdict: "veto" })
  const back = decideEverywhere(owner, listing, "ada", { which: "second" })
  assert.equal(await refusalOf(back), "already-exists body.verdict.person")
})

/** Byte of a copy with one bit changed. */
function flipped(bytes: Bytes, at: number): Bytes {
  const copy = bytes.slice()
  copy[at % copy.length] = (copy[at % copy.length] as number) ^ (1 << (at % 8))
  return copy
}

/** Approvals that say something else than what is asked, each with what it is refused for. */
function* forgeries(approval: Approval): Generator<readonly [Approval, string]> {
  const digests = ["accountId", "activityId", "subject", "charter", "intent"] as const
  for (let i = 0; i < 130; i++) {
    for (const field of digests) {
      const bytes = approval[field] as Bytes
      const expected = field === "activityId" ? "not-found body.activityId" : null
      const wrong = { ...approval, [field]: flipped(bytes, i * 7 + 3) }
      yield [wrong, expected ?? `permission-denied body.verdict.${field}`]
    }
    const version = approval.policyVersion + 1 + i
    yield [{ ...approval, policyVersion: version }, "permission-denied body.verdict.policyVersion"]
    const expiresAt = approval.expiresAt + (i % 2 === 0 ? 1 + i : -1 - i)
    yield [{ ...approval, expiresAt }, "permission-denied body.verdict.expiresAt"]
    const credential = flipped(approval.credential, i * 5)
    yield [{ ...approval, credential }, "permission-denied body.verdict.credential"]
  }
  yield [{ ...approval, intent: null }, "permission-denied body.verdict.intent"]
  for (const person of ["bob", "cho", "dee", "eve", "owner", "ADA"]) {
    yield [{ ...approval, person }, "permission-denied body.verdict.credential"]
  }
}

test("an approval that says anything else is refused at every server, for that field", async () => {
  await start("forged")
  const listing = await openRequest(owner, sessions, toSign(large()))
  const approval = approvalOf(owner, listing, "ada")
  let refused = 0
  for (const session of sessions) {
    for (const [wrong, expected] of forgeries(approval)) {
      const verdict = signApproval(wrong, keyOf("ada"))
      const request = owner.sign(
        owner.request("requests.decide", encode(decideActivityBody, { verdict })),
      )
      assert.equal(await refusalOf(actIn(session, request)), expected)
      refused += 1
    }
    const signed = signApproval(approval, keyOf("ada"))
    for (let i = 0; i < 64; i++) {
      const verdict = { ...signed, signature: flipped(signed.signature, i) }
      const request = owner.sign(
        owner.request("requests.decide", encode(decideActivityBody, { verdict })),
      )
      const got = await refusalOf(actIn(session, request))
      assert.equal(got, "unauthenticated body.verdict.signature")
      refused += 1
    }
  }
  assert.ok(refused >= 2000, `${refused}`)
  await decideEverywhere(owner, listing, "ada")
  await decideEverywhere(owner, listing, "bob")
  assert.equal(await sign(large()), null)
})

test("an approval is good for its transaction, key, path and root alone: any changed byte is refused", async () => {
  await start("replayed")
  const message = large()
  await approved(message)
  const other = await createKey(owner, sessions, "ed25519")
  assert.notEqual(await refusalOf(signWith(owner, at(1, 2), other, message)), null)
  let refused = 0
  for (let index = 0; index < message.length; index++) {
    const got = await sign(flipped(message, index), at(1 + (index % 3), 1 + ((index + 1) % 3)))
    assert.match(got ?? "signed", /^permission-denied (approvals|body\.content)$/)
    refused += 1
  }
  assert.equal(refused, message.length)
  assert.equal(await sign(message), null)
})

test("an approval ends with its activity, by time and by cancelling", async () => {
  await start("ended")
  const expiresAt = cluster.clock.time + 1000
  const listing = await openRequest(owner, sessions, toSign(large()), { expiresAt })
  for (const person of ["ada", "bob"]) await decideEverywhere(owner, listing, person)
  cluster.clock.time = expiresAt
  assert.equal(await sign(large()), "permission-denied approvals")
  const late = decideEverywhere(owner, listing, "cho")
  assert.equal(await refusalOf(late), "expired body.activityId")
  const next = await openRequest(owner, sessions, toSign(large()))
  const old = signApproval(approvalOf(owner, listing, "ada"), keyOf("ada"))
  const ada = await TestPerson.visit(owner, owner.servers[0] as TestServer, "ada")
  assert.equal(await refusalOf(ada.decide(old)), null, "the same once more")
  const moved = { ...approvalOf(owner, next, "ada"), activityId: listing.activityId }
  const forged = ada.decide(signApproval(moved, keyOf("ada")))
  assert.equal(await refusalOf(forged), "expired body.activityId")
  for (const person of ["ada", "bob"]) await decideEverywhere(owner, next, person)
  const cancel = encode(activityBody, { activityId: next.activityId })
  await ask(owner, sessions, "requests.cancel", cancel)
  assert.equal(await sign(large()), "permission-denied approvals")
  await approved(large())
  assert.equal(await sign(large()), null)
})

/** The charter's next version with other people, approved by both treasurers. */
async function changePeople(version: number, people: readonly Person[]): Promise<void> {
  const charter = charterOf({ version, people })
  const encoded = encode(charterCodec, charter)
  const subject = { kind: "change-policy", charter: encoded } as const
  const change = () =>
    ask(owner, sessions, "policy.set", encode(setPolicyBody, { charter: encoded }))
  assert.equal(await refusalOf(change()), "permission-denied approvals")
  const listing = await openRequest(owner, sessions, subject)
  await decideEverywhere(owner, listing, "ada")
  assert.equal(await refusalOf(change()), "permission-denied approvals")
  await decideEverywhere(owner, listing, "bob")
  await change()
}

test("who is taken out of the charter has approved nothing, and has no session from then on", async () => {
  await start("revoked")
  const listing = await approved(large())
  const bob = await TestPerson.visit(owner, owner.servers[0] as TestServer, "bob")
  await changePeople(
    2,
    PEOPLE.filter(({ id }) => id !== "bob"),
  )
  assert.equal(await sign(large()), "permission-denied approvals")
  assert.equal(await refusalOf(bob.show(listing.activityId)), "session-ended ")
  const again = TestPerson.visit(owner, owner.servers[0] as TestServer, "bob")
  assert.equal(await refusalOf(again), "unauthenticated payload.credential")
  const stale = signApproval(approvalOf(owner, listing, "cho"), keyOf("cho"))
  const cho = await TestPerson.visit(owner, owner.servers[0] as TestServer, "cho")
  assert.equal(await refusalOf(cho.decide(stale)), "permission-denied body.verdict.charter")
})

test("a key that the charter gives to somebody else is not its first owner's any more", async () => {
  await start("given-away")
  const bob = await TestPerson.visit(owner, owner.servers[0] as TestServer, "bob")
  const people = PEOPLE.map((person) => (person.id === "bob" ? { ...person, id: "eve" } : person))
  await changePeople(
    2,
    [...people].sort((a, b) => (a.id < b.id ? -1 : 1)),
  )
  const listing = await openRequest(owner, sessions, toSign(large()))
  assert.equal(await refusalOf(bob.show(listing.activityId)), "session-ended ")
})

test("a charter is changed by the approvals that the one in force demands, for those very bytes", async () => {
  await start("changed")
  await approved(large())
  const next = charterOf({ version: 2, people: PEOPLE, rawKeys: [certificate.public.keyId] })
  const subject = { kind: "change-policy", charter: encode(charterCodec, next) } as const
  const listing = await openRequest(owner, sessions, subject)
  for (const person of ["ada", "bob"]) await decideEverywhere(owner, listing, person)
  const other = charterOf({ version: 2, people: PEOPLE })
  assert.equal(await refusalOf(setCharter(owner, sessions, other)), "permission-denied approvals")
  assert.equal(await refusalOf(setCharter(owner, sessions, next)), null)
  // What the same people approved under the charter before is not approved under this one.
  assert.equal(await sign(large()), "permission-denied approvals")
})

test("requests are named by their client's key, and an account has so many of them", async () => {
  await start("bounded")
  const clientKey = new Uint8Array(16).fill(1)
  const expiresAt = cluster.clock.time + 60_000
  const first = await openRequest(owner, sessions, toSign(large()), { clientKey, expiresAt })
  const again = await openRequest(owner, sessions, toSign(large()), { clientKey, expiresAt })
  assert.deepEqual(again, first)
  const open = (mark: number, key: Uint8Array) =>
    refusalOf(
      openRequest(owner, at(1), toSign(large(mark)), { clientKey: new Uint8Array(key), expiresAt }),
    )
  assert.equal(await open(2, clientKey), "already-exists body.clientKey")
  assert.equal(await open(1, new Uint8Array(16).fill(2)), "already-exists body.subject")
  for (let i = 1; i < MAX_ACTIVITIES; i++) {
    assert.equal(
      await open(
        i + 1,
        Uint8Array.from({ length: 16 }, () => i + 1),
      ),
      null,
    )
  }
  assert.equal(await open(200, new Uint8Array(16).fill(200)), "rate-limited ")
  await ask(owner, at(1), "requests.cancel", encode(activityBody, { activityId: first.activityId }))
  // Its name would be free, and its verdicts could be chosen from.
  assert.equal(await open(200, new Uint8Array(16).fill(200)), "rate-limited ")
  const page = await ask(
    owner,
    at(1),
    "requests.list",
    encode(listActivitiesBody, { after: null, limit: 16 }),
  )
  assert.equal(decode(activityListings, page[0] as Bytes).length, 16)
  cluster.clock.time = expiresAt
  const later = { clientKey: new Uint8Array(16).fill(200), expiresAt: expiresAt + 60_000 }
  assert.equal(await refusalOf(openRequest(owner, at(1), toSign(large(200)), later)), null)
  const late = openRequest(owner, sessions, toSign(large()), { expiresAt: cluster.clock.time })
  assert.equal(await refusalOf(late), "invalid-request body.expiresAt")
})

test("a handshake that another key, account or hello was signed for opens no session", async () => {
  await start("visits")
  const [server] = owner.servers as [TestServer]
  const stranger = await owner.visit(server, keyOf("eve"))
  assert.ok(stranger.answer.kind === "refused")
  assert.equal(stranger.answer.error.field, "payload.credential")
  const elsewhere = await owner.visit(server, keyOf("ada"), { transcript: new Uint8Array(32) })
  assert.ok(elsewhere.answer.kind === "refused")
  assert.equal(elsewhere.answer.error.field, "payload.signature")
  const nobody = await owner.visit(server, keyOf("ada"), { accountId: new Uint8Array(32).fill(9) })
  assert.ok(nobody.answer.kind === "refused")
  assert.equal(nobody.answer.error.field, "payload.credential")
  const dee = await TestPerson.visit(owner, server, "dee")
  const listing = await openRequest(owner, sessions, toSign(large()))
  assert.equal((await dee.show(listing.activityId)).listing.state, "waiting")
  const signed = signApproval(approvalOf(owner, listing, "dee"), keyOf("dee"))
  assert.equal(await refusalOf(dee.decide(signed)), "permission-denied request.operation")
  const request = owner.sign(
    owner.request("requests.decide", encode(decideActivityBody, { verdict: signed })),
  )
  const carried = refusalOf(actIn(sessions[0] as TestSession, request))
  assert.equal(await carried, "permission-denied body.verdict.credential")
  assert.equal(await sign(utf8("unread")), "permission-denied body.content")
})
