import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import {
  accountListing,
  changePasswordBody,
  commitmentList,
  createKeyBody,
  forgiveGuessesBody,
  LockKeeperError,
  listKeysBody,
  type Operation,
  prepareBody,
  requestDigest,
  type SignedRequest,
  showKeyBody,
  signBody,
  signStepInput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { frost, type KeyCertificate, messageCodec, opaque } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { type RowChange, StoreUnavailable } from "../src/ports/row-store.ts"
import type { LogPosition } from "../src/ports/store.ts"
import { createKey } from "./flows.ts"
import { startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"
import { snapshot } from "./row-store-conformance.ts"

const EMPTY = new Uint8Array(0)
const NO_MESSAGES = Uint8Array.of(0, 0, 0, 0)

/** Rows whose commits fail on demand: before anything is applied, or after, unseen by the caller. */
class FailingRows extends MemoryRowStore {
  failing: "no" | "before" | "after" = "no"
  attempts = 0

  override async commit(batch: readonly RowChange[]): Promise<readonly LogPosition[]> {
    if (this.failing === "no") return super.commit(batch)
    this.attempts += 1
    if (this.failing === "after") await super.commit(batch)
    throw new StoreUnavailable("the disk is gone")
  }
}

let rows: FailingRows
let cluster: TestCluster
let owner: TestOwner
let sessions: readonly TestSession[]
let certificate: KeyCertificate

beforeEach(async () => {
  rows = new FailingRows()
  cluster = await startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  owner = new TestOwner(cluster)
  await owner.register("correct horse")
  sessions = await owner.login("correct horse", owner.servers)
  certificate = await createKey(owner, sessions, "ed25519")
})

const server = (): TestServer => cluster.servers.get(1) as TestServer
const session = (): TestSession => sessions[0] as TestSession

/** A refusal that says what it must, in few bytes, while the store fails. */
async function refusedWhileFailing(request: SignedRequest, input: Bytes): Promise<void> {
  const beforehand = await snapshot(rows)
  rows.failing = "before"
  rows.attempts = 0
  const frame = session().seal({ kind: "act", request, step: 1, input })
  const sealed = await server().server.call(frame)
  const answer = session().open(frame.counter, sealed)
  rows.failing = "no"
  assert.ok(answer.kind === "refused", "nothing is answered without its log entry")
  assert.equal(answer.error.code, "unavailable")
  assert.ok(rows.attempts > 0)
  assert.ok(sealed.length <= 1024, `${sealed.length} bytes`)
  assert.equal(await snapshot(rows), beforehand)
}

async function commitments(at: readonly TestSession[]): Promise<Bytes[]> {
  const { keyId } = certificate.public
  const request = owner.sign(
    owner.request("sign.prepare", encode(prepareBody, { keyId, keyEpoch: 1, count: 1 })),
  )
  const answers = await Promise.all(
    at.map((s) => s.call({ kind: "act", request, step: 1, input: EMPTY })),
  )
  return answers.map(
    (answer) => decode(commitmentList, expectKind(answer, "act").output)[0] as Bytes,
  )
}

async function signing(message: Bytes): Promise<{ request: SignedRequest; input: Bytes }> {
  const { roster } = cluster
  const { keyId, rosterEpoch } = certificate.public
  const verifyKeys = new Map(roster.members.map((m) => [m.identifier, m.identityKey]))
  const opened = (await commitments(sessions.slice(0, 2))).map((commitment) => {
    const one = frost.openCommitment(decode(messageCodec, commitment), {
      public: certificate.public,
      verifyKeys,
      rosterEpoch,
    })
    assert.ok(one.ok)
    return one.value
  })
  const body = encode(signBody, {
    keyId,
    path: [],
    content: { kind: "message", message },
    merkleRoot: null,
  })
  const request = owner.sign(owner.request("sign", body, { servers: [1, 2] }))
  const prepared = frost.preparePackage(
    {
      ...{ rosterEpoch, requestDigest: requestDigest(request), attempt: 1, message },
      tweak: frost.NO_TWEAK,
    },
    certificate.public,
    opened,
  )
  assert.ok(prepared.ok)
  const signingPackage = encode(frost.signingPackageCodec, prepared.value.package)
  return { request, input: encode(signStepInput, { signingPackage, prepare: 1 }) }
}

test("no operation answers while the log cannot be written", async () => {
  const { keyId } = certificate.public
  const bodies: readonly (readonly [Operation, Bytes])[] = [
    ["account.show", EMPTY],
    ["account.forgive-guesses", encode(forgiveGuessesBody, { seen: 1 })],
    ["keys.list", encode(listKeysBody, { after: null, limit: 5 })],
    ["keys.show", encode(showKeyBody, { keyId })],
    ["sign.prepare", encode(prepareBody, { keyId, keyEpoch: 1, count: 16 })],
    [
      "keys.create",
      encode(createKeyBody, {
        ...{ keyId: owner.randomness.bytes(32), keyType: "bip340", custody: { kind: "custodial" } },
        ...{ label: "", minSigners: 2, holders: [1, 2, 3], attempt: 1 },
      } as const),
    ],
  ]
  for (const [operation, body] of bodies) {
    const request = owner.sign(owner.request(operation, body))
    const input = operation === "keys.create" ? NO_MESSAGES : EMPTY
    await refusedWhileFailing(request, input)
    // The same request is carried out once the store works again.
    const answer = await session().call({ kind: "act", request, step: 1, input })
    assert.equal(answer.kind, "act", operation)
  }
})

test("no signature share leaves before its entry, and its nonces are never used again", async () => {
  const { request, input } = await signing(utf8("pay nobody"))
  await refusedWhileFailing(request, input)
  const again = await session().call({ kind: "act", request, step: 1, input })
  assert.equal(again.kind === "refused" && again.error.code, "conflict")
  const fresh = await signing(utf8("pay nobody"))
  const answer = await session().call({ kind: "act", ...fresh, step: 1 })
  assert.equal(answer.kind, "act")
})

test("a commit that happened although the store said otherwise gives the same bytes later", async () => {
  const { request, input } = await signing(utf8("once"))
  rows.failing = "after"
  const lost = await session().call({ kind: "act", request, step: 1, input })
  rows.failing = "no"
  assert.equal(lost.kind === "refused" && lost.error.code, "unavailable")
  const kept = await session().call({ kind: "act", request, step: 1, input })
  const repeated = await session().call({ kind: "act", request, step: 1, input })
  assert.equal(kept.kind, "act")
  assert.deepEqual(kept, repeated)
})

test("no evaluation leaves before its guess is counted", async () => {
  rows.failing = "before"
  const { opened } = await owner.startLogin("correct horse", [server()])
  const { answer } = opened[0] as (typeof opened)[number]
  assert.equal(answer.kind === "refused" && answer.error.code, "unavailable")
  rows.failing = "no"
  const after = await owner.startLogin("correct horse", [server()])
  const next = after.opened[0] as (typeof opened)[number]
  assert.equal(
    next.answer.kind === "login" && next.answer.guessesRemaining,
    opaque.DEFAULT_GUESS_LIMIT - 1,
  )
})

test("no login, registration or password change is confirmed without its entry", async () => {
  const { started, opened } = await owner.startLogin("correct horse", owner.servers)
  const responses = new Map(
    opened.map(({ session: s, answer }) => {
      assert.ok(answer.kind === "login")
      return [s.to.identifier, answer.response]
    }),
  )
  const combined = opaque.combineLogin(started.state, responses)
  assert.ok(combined.ok)
  const finished = opaque.finishLogin(combined.value.combined, combined.value.toStretch)
  assert.ok(finished.ok)
  const mine = finished.value.sessions.get(1) as opaque.LoginSession
  const pending = (opened[0] as (typeof opened)[number]).session
  rows.failing = "before"
  const answer = await pending.call({ kind: "login-finish", ke3: mine.ke3 })
  assert.equal(answer.kind === "refused" && answer.error.code, "unavailable")

  const newcomer = new TestOwner(cluster, "newcomer")
  await assert.rejects(newcomer.register("password"), (error) => {
    assert.ok(error instanceof LockKeeperError)
    assert.deepEqual([error.code, error.server], ["unavailable", 1])
    return true
  })

  rows.failing = "no"
  // Another server's login gives the account's keys, which a password change keeps.
  const theirs = finished.value.sessions.get(2) as opaque.LoginSession
  const elsewhere = (opened[1] as (typeof opened)[number]).session
  const welcome = await owner.finishLogin(elsewhere, theirs.ke3, theirs.sessionKey)
  const wrapped = decode(opaque.accountKeysCodec, welcome.accountKeys)
  const keys = opaque.openAccountKeys(finished.value.exportKey, owner.accountId, wrapped)
  assert.ok(keys.ok)
  const dealt = owner.deal("new password", 2, keys.value)
  const body = encode(changePasswordBody, {
    opaqueVersion: 2,
    registrationDigest: opaque.registrationDigest(dealt.registration),
  })
  const request = owner.sign(owner.request("account.change-password", body))
  const dealing = dealt.dealings.get(1) as opaque.AccountDealing
  rows.failing = "before"
  const changed = await session().call({
    ...{ kind: "act", step: 1, request },
    input: encode(opaque.accountDealingCodec, dealing),
  } as const)
  assert.equal(changed.kind === "refused" && changed.error.code, "unavailable")
  rows.failing = "no"
  const shown = await session().call({
    ...{ kind: "act", step: 1, input: EMPTY },
    request: owner.sign(owner.request("account.show", EMPTY)),
  } as const)
  assert.equal(decode(accountListing, expectKind(shown, "act").output).opaqueVersion, 1)
})
