import assert from "node:assert/strict"
import { before, test } from "node:test"
import {
  activityBody,
  changePasswordBody,
  createKeyBody,
  decideActivityBody,
  deriveBody,
  type ErrorCode,
  forgiveGuessesBody,
  LockKeeperError,
  listActivitiesBody,
  listIncidentsBody,
  listKeysBody,
  mayAsk,
  OPERATIONS,
  type Operation,
  type OwnerOperation,
  openActivityBody,
  prepareBody,
  prepareEcdsaBody,
  presignBody,
  type Request,
  reportIncidentBody,
  type SignedRequest,
  setPolicyBody,
  setupPairsBody,
  showKeyBody,
  signBody,
  signEcdsaBody,
} from "@lockkeeper/api"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { charterCodec } from "@lockkeeper/policy"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { charterOf } from "./charters.ts"
import { equivocationBy } from "./evidence.ts"
import { createKey } from "./flows.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"
import { snapshot } from "./row-store-conformance.ts"

const EMPTY = new Uint8Array(0)

/** Input of a protocol's first step: an empty list. */
const NO_MESSAGES = Uint8Array.of(0, 0, 0, 0)

let owner: TestOwner
let first: TestServer
let session: TestSession
let certificate: KeyCertificate

before(async () => {
  const cluster = await startCluster()
  owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const sessions = await owner.login("correct horse", owner.servers)
  certificate = await createKey(owner, sessions, "ed25519")
  session = sessions[0] as TestSession
  first = session.to
})

/** A body of each operation that decodes. */
function soundBody(operation: OwnerOperation): Bytes {
  const { keyId } = certificate.public
  switch (operation) {
    case "account.show":
      return EMPTY
    case "account.change-password":
      return encode(changePasswordBody, {
        opaqueVersion: 2,
        registrationDigest: new Uint8Array(32),
      })
    case "account.forgive-guesses":
      return encode(forgiveGuessesBody, { seen: 1 })
    case "keys.create":
      return encode(createKeyBody, {
        ...{
          keyId: owner.randomness.bytes(32),
          keyType: "ed25519",
          custody: { kind: "custodial" },
        },
        ...{ label: "", minSigners: 2, holders: [1, 2, 3], attempt: 1 },
      } as const)
    case "keys.list":
      return encode(listKeysBody, { after: null, limit: 1 })
    case "keys.show":
    case "keys.suspend":
    case "keys.resume":
    case "keys.deactivate":
      return encode(showKeyBody, { keyId })
    case "sign.prepare":
      return encode(prepareBody, { keyId, keyEpoch: 1, count: 1 })
    case "sign":
      return encode(signBody, {
        keyId,
        path: [],
        content: { kind: "message", message: EMPTY },
        merkleRoot: null,
      })
    case "keys.derive":
      return encode(deriveBody, { keyId, path: [1, 2] })
    case "pairs.show":
    case "policy.show":
      return EMPTY
    case "requests.open":
      return encode(openActivityBody, {
        clientKey: new Uint8Array(16),
        subject: { kind: "change-policy", charter: encode(charterCodec, charterOf()) },
        expiresAt: owner.cluster.clock.time + 1000,
      })
    case "requests.list":
      return encode(listActivitiesBody, { after: null, limit: 1 })
    case "requests.show":
    case "requests.cancel":
      return encode(activityBody, { activityId: new Uint8Array(32) })
    case "requests.decide":
      return encode(decideActivityBody, {
        verdict: { approval: EMPTY, signature: new Uint8Array(64) },
      })
    case "policy.set":
      return encode(setPolicyBody, { charter: encode(charterCodec, charterOf()) })
    case "pairs.setup":
      return encode(setupPairsBody, { participants: [1, 2, 3] })
    case "presign":
      return encode(presignBody, {
        keyId,
        keyEpoch: 1,
        signers: [1, 2],
        count: 1,
        urgency: "now",
        ready: null,
      })
    case "pool.status":
      return encode(showKeyBody, { keyId })
    case "ecdsa.prepare":
      return encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers: [1, 2], count: 1 })
    case "incidents.report":
      return encode(reportIncidentBody, { evidence: equivocationBy(owner.cluster, 3) })
    case "incidents.list":
      return encode(listIncidentsBody, { after: 0, limit: 64 })
    case "ecdsa.sign":
      return encode(signEcdsaBody, {
        keyId,
        path: [],
        content: { kind: "message", message: new Uint8Array(32).fill(1) },
      })
  }
}

/** Protocols whose steps take the others' messages. */
const TAKE_MESSAGES: ReadonlySet<Operation> = new Set(["keys.create", "pairs.setup", "presign"])

/** The rows, without the log: refusals are logged and change nothing else. */
async function records(): Promise<string> {
  return (await snapshot(first.rows)).replace(/\nlog .*$/, "")
}

async function refused(
  request: SignedRequest,
  code: ErrorCode,
  field: string | RegExp,
  { step = 1, input = EMPTY }: { step?: number; input?: Bytes } = {},
): Promise<void> {
  const beforehand = await records()
  const answer = await session.call({ kind: "act", request, step, input: input.slice() })
  const what = `${toHex(request.request.slice(21, 24))} step ${step}`
  assert.equal(answer.kind, "refused", what)
  if (answer.kind !== "refused") return
  const { error } = answer
  assert.equal(error.code, code, `${what}: ${error.message}`)
  if (typeof field === "string") assert.equal(error.field, field, what)
  else assert.match(error.field, field, what)
  assert.equal(error.server, 1)
  assert.equal(await records(), beforehand, what)
}

function signed(operation: OwnerOperation, changes: Partial<Request> = {}): SignedRequest {
  return owner.sign(owner.request(operation, soundBody(operation), changes))
}

for (const operation of OPERATIONS.filter((one) => mayAsk("owner", one))) {
  test(`${operation}: malformed requests are refused by field and change nothing`, async () => {
    const good = signed(operation)
    const cut = { ...good, request: good.request.slice(0, -1) }
    await refused(cut, "invalid-request", /^request/)
    await refused({ ...good, request: EMPTY }, "invalid-request", /^request/)
    const longer = new Uint8Array([...good.request, 0])
    await refused({ ...good, request: longer }, "invalid-request", /^request/)
    const relabelled = good.request.slice()
    relabelled[0] = 0
    await refused({ ...good, request: relabelled }, "invalid-request", "request.label")
    for (const body of [
      new Uint8Array(5).fill(255),
      new Uint8Array([...soundBody(operation), 1]),
    ]) {
      await refused(owner.sign(owner.request(operation, body)), "invalid-request", /^body/)
    }
  })

  test(`${operation}: wrongly signed requests are refused`, async () => {
    const good = signed(operation)
    const flipped = good.signature.slice()
    flipped[10] = (flipped[10] as number) ^ 1
    await refused({ ...good, signature: flipped }, "unauthenticated", "signature")
    await refused({ ...good, signature: new Uint8Array(64) }, "unauthenticated", "signature")
    const other = signed(operation)
    await refused({ ...good, signature: other.signature }, "unauthenticated", "signature")
    const mine = owner.key
    owner.key = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(3)))
    const stranger = signed(operation)
    owner.key = mine
    await refused(stranger, "unauthenticated", "signature")
  })

  test(`${operation}: wrongly addressed requests are refused`, async () => {
    await refused(signed(operation, { rosterEpoch: 2 }), "wrong-roster", "request.rosterEpoch")
    await refused(signed(operation, { servers: [2, 3] }), "wrong-server", "request.servers")
    await refused(signed(operation, { servers: [] }), "wrong-server", "request.servers")
    await refused(signed(operation, { servers: [2, 1] }), "invalid-request", "request.servers")
    await refused(signed(operation, { servers: [1, 1] }), "invalid-request", "request.servers")
    const accountId = new Uint8Array(32).fill(1)
    await refused(signed(operation, { accountId }), "permission-denied", "request.accountId")
  })

  test(`${operation}: requests of another time are refused`, async () => {
    const { time } = owner.cluster.clock
    const at = (issuedAt: number, expiresAt: number) => signed(operation, { issuedAt, expiresAt })
    await refused(at(time - 60_000, time), "expired", "request.expiresAt")
    await refused(at(time - 60_000, time - 1), "expired", "request.expiresAt")
    await refused(at(time + 120_001, time + 180_000), "clock-skew", "request.issuedAt")
    await refused(at(time, time + 600_001), "invalid-request", "request.expiresAt")
    await refused(at(time, time), "invalid-request", "request.expiresAt")
    await refused(at(time + 10, time + 9), "invalid-request", "request.expiresAt")
  })

  test(`${operation}: steps and inputs that it does not have are refused`, async () => {
    for (const step of [0, 99, 65_535]) {
      const input = TAKE_MESSAGES.has(operation) ? NO_MESSAGES : EMPTY
      await refused(signed(operation), "invalid-request", "step", { step, input })
    }
    const garbage = new Uint8Array(40).fill(255)
    await refused(signed(operation), "invalid-request", /^(input|dealing)/, { input: garbage })
  })
}

test("a repeated step gets the same bytes, and the same step with another input is refused", async () => {
  const request = signed("keys.create")
  const payload = { kind: "act", request, step: 1 } as const
  const done = await session.call({ ...payload, input: NO_MESSAGES })
  assert.equal(done.kind, "act")
  const beforehand = await records()
  const again = await session.call({ ...payload, input: NO_MESSAGES })
  assert.deepEqual(again, done)
  assert.equal(await records(), beforehand)
  const other = new Uint8Array([0, 0, 0, 1, 0, 0, 0, 0])
  await refused(request, "replayed", "input", { input: other })
})

test("two requests with one id are two requests", async () => {
  const list = (limit: number) => encode(listKeysBody, { after: null, limit })
  const request = owner.request("keys.list", list(1))
  const ask = async (body: Bytes) =>
    session.call({
      ...{ kind: "act", step: 1, input: EMPTY },
      request: owner.sign({ ...request, body }),
    } as const)
  assert.equal((await ask(list(1))).kind, "act")
  const other = await ask(list(0))
  assert.equal(other.kind === "refused" && other.error.field, "body.limit")
})

test("values outside an operation's range are refused by field", async () => {
  const { keyId } = certificate.public
  const unknown = new Uint8Array(32).fill(9)
  const create = (changes: object) =>
    encode(createKeyBody, {
      ...{ keyId: unknown, keyType: "ed25519", custody: { kind: "custodial" }, label: "" },
      ...{ minSigners: 2, holders: [1, 2, 3], attempt: 1, ...changes },
    } as Parameters<typeof createKeyBody.write>[1])
  const cases: readonly (readonly [Operation, Bytes, ErrorCode, string])[] = [
    ["keys.list", encode(listKeysBody, { after: null, limit: 0 }), "invalid-request", "body.limit"],
    [
      "keys.list",
      encode(listKeysBody, { after: null, limit: 65 }),
      "invalid-request",
      "body.limit",
    ],
    ["keys.show", encode(showKeyBody, { keyId: unknown }), "not-found", "keyId"],
    [
      "sign.prepare",
      encode(prepareBody, { keyId, keyEpoch: 1, count: 0 }),
      "invalid-request",
      "body.count",
    ],
    [
      "sign.prepare",
      encode(prepareBody, { keyId, keyEpoch: 1, count: 17 }),
      "invalid-request",
      "body.count",
    ],
    ["sign.prepare", encode(prepareBody, { keyId, keyEpoch: 2, count: 1 }), "conflict", "keyEpoch"],
    [
      "sign.prepare",
      encode(prepareBody, { keyId: unknown, keyEpoch: 1, count: 1 }),
      "not-found",
      "keyId",
    ],
    ["keys.create", create({ minSigners: 1 }), "invalid-request", "body.minSigners"],
    ["keys.create", create({ holders: [1, 2] }), "invalid-request", "body.holders"],
    ["keys.create", create({ holders: [1, 2, 4] }), "invalid-request", "body.holders"],
    ["keys.create", create({ keyId }), "already-exists", "body.keyId"],
  ]
  for (const [operation, body, code, field] of cases) {
    await refused(owner.sign(owner.request(operation, body)), code, field, {
      input: operation === "keys.create" ? NO_MESSAGES : EMPTY,
    })
  }
})

test("steps of a key generation that come out of order are refused", async () => {
  const request = signed("keys.create")
  const input = NO_MESSAGES
  for (const step of [2, 3, 4, 5]) {
    await refused(request, "out-of-order", "step", { step, input })
  }
  const opened = await session.call({ kind: "act", request, step: 1, input })
  assert.equal(opened.kind, "act")
  for (const step of [3, 4, 5]) {
    await refused(request, "out-of-order", "step", { step, input })
  }
})

test("another account's keys cannot be seen, prepared or signed with", async () => {
  const { keyId } = certificate.public
  const mallory = new TestOwner(owner.cluster, "mallory")
  await mallory.register("another password")
  const [theirs] = await mallory.login("another password")
  const bodies: readonly (readonly [Operation, Bytes])[] = [
    ["keys.show", encode(showKeyBody, { keyId })],
    ["sign.prepare", encode(prepareBody, { keyId, keyEpoch: 1, count: 1 })],
  ]
  for (const [operation, body] of bodies) {
    const request = mallory.sign(mallory.request(operation, body))
    const answer = await (theirs as TestSession).call({
      ...{ kind: "act", step: 1, input: EMPTY },
      request,
    } as const)
    assert.equal(answer.kind === "refused" && answer.error.code, "not-found")
  }
  // A request of the owner's, replayed in somebody else's session.
  const stolen = signed("keys.list")
  const answer = await (theirs as TestSession).call({
    ...{ kind: "act", step: 1, input: EMPTY },
    request: stolen,
  } as const)
  assert.equal(answer.kind === "refused" && answer.error.code, "permission-denied")
})

test("a refusal is an error of the wire: code, field and remedy, and no value", async () => {
  const request = signed("keys.show", { rosterEpoch: 5 })
  const answer = await session.call({ kind: "act", request, step: 1, input: EMPTY })
  assert.ok(answer.kind === "refused")
  const error = LockKeeperError.fromBody(answer.error)
  assert.equal(error.retry, "never")
  assert.notEqual(error.remedy, "")
})
