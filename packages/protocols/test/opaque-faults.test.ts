import assert from "node:assert/strict"
import { test } from "node:test"
import { type Element, type Identifier, ristretto255, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { decodeEvidence, encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import {
  type EvaluationScope,
  type EvaluationStatement,
  evaluateShare,
  signEvaluation,
  statementOf,
} from "../src/opaque/evaluation.ts"
import {
  answerLogin,
  combineLogin,
  type LoginResponse,
  loginResponseCodec,
  olderVersions,
  verifyLogin,
} from "../src/opaque/index.ts"
import { scalarOf } from "../src/opaque/oprf.ts"
import {
  type Account,
  type Asked,
  abortOf,
  answer,
  ask,
  type Cluster,
  cluster,
  conclude,
  get,
  loginPlan,
  must,
  only,
  register,
  STRETCHING,
} from "./opaque-fixture.ts"

const PASSWORD = "correct horse battery staple"

function scene(seed: string, minSigners = 2, size = 3) {
  const world = cluster(seed, minSigners, size)
  const account = register(world, "alice", PASSWORD)
  return { world, account, login: ask(world, "alice", PASSWORD, account.records) }
}

const responseOf = (login: Asked, identifier: Identifier): LoginResponse =>
  decode(loginResponseCodec, get(login.responses, identifier))

/** Replaces one server's answer, as that server would: signed again by its identity key. */
function lie(
  world: Cluster,
  login: Asked,
  identifier: Identifier,
  change: (response: LoginResponse) => LoginResponse,
): Map<Identifier, Bytes> {
  const changed = change(responseOf(login, identifier))
  const statement = statementOf(changed, get(login.ke1, identifier), login.state.plan.accountId)
  const signature = signEvaluation(get(world.identities, identifier), statement)
  const frame = { ...changed.frame, signature }
  const encoded = encode(loginResponseCodec, { ...changed, frame })
  return new Map(login.responses).set(identifier, encoded)
}

/** The same with a proof made for what the answer says now: what a liar does who knows its share. */
function lieWithProof(
  world: Cluster,
  { account, login }: { account: Account; login: Asked },
  identifier: Identifier,
  change: (response: LoginResponse) => LoginResponse,
): Map<Identifier, Bytes> {
  return lie(world, login, identifier, (response) => {
    const changed = change(response)
    const ke1 = get(login.ke1, identifier)
    const scope = statementOf(changed, ke1, login.state.plan.accountId)
    const share = scalarOf(get(account.records, identifier).share)
    const blinded = ristretto255.decodeElement(ke1.subarray(0, 32))
    const { proof } = evaluateShare(share, blinded, scopeOf(scope), world.random.bytes(32))
    return { ...changed, frame: { ...changed.frame, proof } }
  })
}

function scopeOf({ evaluation: _, proof: __, ...scope }: EvaluationStatement): EvaluationScope {
  return scope
}

/** Replaces one server's answer, as a relay would: the signature stays what it was. */
function tamper(
  login: Asked,
  identifier: Identifier,
  change: (response: LoginResponse) => LoginResponse,
): Map<Identifier, Bytes> {
  const changed = change(responseOf(login, identifier))
  return new Map(login.responses).set(identifier, encode(loginResponseCodec, changed))
}

const withEvaluation = (evaluatedElement: Bytes) => (response: LoginResponse) => ({
  ...response,
  ke2: {
    ...response.ke2,
    credentialResponse: { ...response.ke2.credentialResponse, evaluatedElement },
  },
})

const withFrame = (change: Partial<LoginResponse["frame"]>) => (response: LoginResponse) => ({
  ...response,
  frame: { ...response.frame, ...change },
})

const some = (world: Cluster): Element =>
  ristretto255.multiplyBase(ristretto255.scalarFromUniform(world.random.bytes(64)))

const NON_CANONICAL = new Uint8Array(32).fill(0xff)
const IDENTITY = new Uint8Array(32)

const wrongEvaluations: readonly [string, (world: Cluster, login: Asked) => Bytes][] = [
  ["a random element", (world) => some(world)],
  ["the blinded element itself", (_, login) => get(login.ke1, 2).slice(0, 32)],
  [
    "another server's evaluation",
    (_, login) => responseOf(login, 1).ke2.credentialResponse.evaluatedElement,
  ],
  ["the identity", () => IDENTITY],
  ["bytes that are no element", () => NON_CANONICAL],
]

for (const [what, evaluationOf] of wrongEvaluations) {
  test(`a server that signs ${what} is named, with evidence, and login finishes without it`, () => {
    const { world, login } = scene(`wrong-${what}`)
    const responses = lie(world, login, 2, withEvaluation(evaluationOf(world, login)))
    const { combined } = must(combineLogin(login.state, responses))
    assert.deepEqual([...combined.answers.keys()], [1, 3])
    const [fault, ...rest] = combined.faults
    assert.deepEqual(rest, [])
    assert.deepEqual([fault?.identifier, fault?.reason], [2, "wrong-evaluation"])
    assert.ok(fault?.evidence)
    const file = encodeEvidence(fault.evidence)
    assert.deepEqual(verifyEvidence(file, world.verifyKeys), {
      valid: true,
      culprit: 2,
      reason: "wrong-evaluation",
    })
    assert.equal(must(conclude(login.state, responses)).sessions.size, 2)

    const few = abortOf(combineLogin(login.state, only(responses, 1, 2)))
    assert.deepEqual([few.reason, few.culprits, few.silent], ["wrong-evaluation", [2], []])
    assert.equal(few.evidence.length, 1)
  })
}

test("evidence is worthless when any field of it is altered, or when the server was honest", () => {
  const { world, login } = scene("evidence")
  const responses = lie(world, login, 2, withEvaluation(some(world)))
  const evidence = must(combineLogin(login.state, responses)).combined.faults[0]?.evidence
  assert.ok(evidence)
  const file = encodeEvidence(evidence)
  for (let i = 0; i < file.length; i++) {
    const altered = file.slice()
    altered[i] = (altered[i] as number) ^ 1
    assert.equal(verifyEvidence(altered, world.verifyKeys).valid, false, `byte ${i}`)
  }
  assert.equal(verifyEvidence(file.subarray(1), world.verifyKeys).valid, false)
  assert.equal(verifyEvidence(file, new Map()).valid, false)
  const others = new Map([[2, get(world.verifyKeys, 1)]])
  assert.equal(verifyEvidence(file, others).valid, false)
  assert.deepEqual(encodeEvidence(decodeEvidence(file)), file)

  const honest = responseOf(login, 2)
  const statement = statementOf(honest, get(login.ke1, 2), login.state.plan.accountId)
  const { signature } = honest.frame
  const slander = encodeEvidence({ kind: "opaque-evaluation", statement, signature })
  assert.deepEqual(verifyEvidence(slander, world.verifyKeys), {
    valid: false,
    why: "the evaluation is right",
  })
})

test("another proof than the one for this evaluation is evidence too", () => {
  const { world, login } = scene("proof")
  const proof = responseOf(login, 1).frame.proof
  for (const wrong of [proof, new Uint8Array(64).fill(255)]) {
    const responses = lie(world, login, 2, withFrame({ proof: wrong }))
    const { faults } = must(combineLogin(login.state, responses)).combined
    assert.deepEqual(
      faults.map((f) => [f.identifier, f.reason, f.evidence?.kind]),
      [[2, "wrong-evaluation", "opaque-evaluation"]],
    )
  }
})

test("another version or stretching is stale or a lie: nobody is blamed", () => {
  const changes: Partial<LoginResponse["frame"]>[] = [
    { shownVersion: 1 },
    { stretching: { ...STRETCHING, passes: 3 } },
  ]
  for (const [index, change] of changes.entries()) {
    const { world, account, login } = scene(`vector-${index}`)
    const responses = lieWithProof(world, { account, login }, 3, withFrame(change))
    const { combined } = must(combineLogin(login.state, responses))
    assert.deepEqual([...combined.answers.keys()], [1, 2])
    assert.deepEqual(combined.faults, [{ identifier: 3, reason: "stale-or-lying", evidence: null }])
    const few = abortOf(combineLogin(login.state, only(responses, 1, 3)))
    assert.equal(few.reason, "too-few-agree")
    assert.deepEqual([few.culprits, few.evidence, few.silent], [[], [], [1, 3]])
    // Asked all, the login finishes; with two liars of three it fails and blames nobody.
    const both = { account, login: { ...login, responses } }
    const worse = lieWithProof(world, both, 1, withFrame({ shownVersion: 2 }))
    const all = abortOf(combineLogin(login.state, worse))
    assert.deepEqual([all.reason, all.culprits, all.silent], ["too-few-agree", [], [1, 2, 3]])
  }
})

test("an old vector is stale, and nobody is blamed for it", () => {
  const world = cluster("old-vector")
  const old = register(world, "alice", PASSWORD)
  const fresh = register(world, "alice", PASSWORD, old)
  const records = new Map(fresh.records).set(3, get(old.records, 3))
  const login = ask(world, "alice", PASSWORD, records)
  const { combined } = must(combineLogin(login.state, login.responses))
  assert.deepEqual(combined.faults, [{ identifier: 3, reason: "stale-or-lying", evidence: null }])
})

test("whoever signs another vector, and no proof that holds for it, is named", () => {
  const vectors: ((world: Cluster) => Bytes[])[] = [
    (world) => [some(world), some(world)],
    (world) => [some(world), NON_CANONICAL],
    (world) => [some(world)],
    () => [],
  ]
  for (const [index, vectorOf] of vectors.entries()) {
    const { world, account, login } = scene(`own-vector-${index}`)
    const vector = vectorOf(world)
    for (const responses of [
      lie(world, login, 3, withFrame({ vector })),
      lieWithProof(world, { account, login }, 3, withFrame({ vector })),
    ]) {
      const { combined } = must(combineLogin(login.state, responses))
      const [fault, ...rest] = combined.faults
      assert.deepEqual(rest, [])
      assert.deepEqual([fault?.identifier, fault?.reason], [3, "wrong-evaluation"])
      const verdict = verifyEvidence(encodeEvidence(fault!.evidence!), world.verifyKeys)
      assert.deepEqual(verdict, { valid: true, culprit: 3, reason: "wrong-evaluation" })
    }
  }
})

test("older versions are those that servers signed below the latest, latest first", () => {
  const { world, login } = scene("older")
  const shown = responseOf(login, 1).frame.shownVersion
  assert.deepEqual(olderVersions(login.state, login.responses), [])
  let responses = lie(world, login, 2, withFrame({ shownVersion: shown + 1 }))
  assert.deepEqual(olderVersions(login.state, responses), [shown])
  responses = lie(world, { ...login, responses }, 3, withFrame({ shownVersion: shown - 1 }))
  assert.deepEqual(olderVersions(login.state, responses), [shown, shown - 1])
  // What a relay could have made up counts for nothing.
  const swapped = new Map(responses).set(3, get(responses, 2)).set(2, new Uint8Array(5))
  assert.deepEqual(olderVersions(login.state, swapped), [])
})

test("a vector longer or shorter than minSigners never counts, however many sign it", () => {
  for (const length of [0, 1, 3]) {
    const { world, login } = scene(`length-${length}`)
    const vector = Array.from({ length }, () => some(world))
    let responses = new Map(login.responses)
    for (const identifier of [1, 2]) {
      responses = lie(world, { ...login, responses }, identifier, withFrame({ vector }))
    }
    const aborted = abortOf(combineLogin(login.state, responses))
    assert.deepEqual(
      [aborted.reason, aborted.culprits, aborted.silent],
      ["wrong-evaluation", [1, 2], [3]],
    )
  }
})

test("a vector of another length for which the proof holds blames nobody", () => {
  const { world, account, login } = scene("length-proven")
  const share = scalarOf(get(account.records, 3).share)
  const vector = [ristretto255.multiplyBase(share)]
  const responses = lieWithProof(world, { account, login }, 3, withFrame({ vector }))
  const { combined } = must(combineLogin(login.state, responses))
  const fault = { identifier: 3, reason: "wrong-vector-length", evidence: null }
  assert.deepEqual(combined.faults, [fault])
})

test("what a relay may have altered names nobody, field by field", () => {
  const { world, account, login } = scene("relay")
  const other = responseOf(ask(world, "alice", PASSWORD, account.records), 2)
  const cases: [string, string, (response: LoginResponse) => LoginResponse][] = [
    ["evaluation", "wrong-signature", withEvaluation(some(world))],
    ["frame.identifier", "unknown-sender", withFrame({ identifier: 1 })],
    ["frame.rosterEpoch", "wrong-signature", withFrame({ rosterEpoch: 5 })],
    ["frame.shownVersion", "wrong-signature", withFrame({ shownVersion: 9 })],
    ["frame.stretching", "wrong-signature", withFrame({ stretching: { ...STRETCHING, lanes: 2 } })],
    ["frame.vector", "wrong-signature", withFrame({ vector: [some(world), some(world)] })],
    ["frame.proof", "wrong-signature", withFrame({ proof: new Uint8Array(64) })],
    ["frame.signature", "wrong-signature", withFrame({ signature: new Uint8Array(64) })],
    ["an answer to another KE1", "wrong-signature", () => other],
    ["another server's answer", "unknown-sender", () => responseOf(login, 1)],
  ]
  for (const [what, reason, change] of cases) {
    const { combined } = must(combineLogin(login.state, tamper(login, 2, change)))
    assert.deepEqual([...combined.answers.keys()], [1, 3], what)
    assert.deepEqual(combined.faults, [{ identifier: 2, reason, evidence: null }], what)
  }
  const foreign = new Map(login.responses).set(9, get(login.responses, 1))
  assert.equal(
    must(combineLogin(login.state, foreign)).combined.faults[0]?.reason,
    "unknown-sender",
  )
  const claimed = tamper(login, 1, withFrame({ identifier: 9 }))
  const stranger = new Map(login.responses).set(9, get(claimed, 1))
  assert.deepEqual(must(combineLogin(login.state, stranger)).combined.faults, [
    { identifier: 9, reason: "unknown-sender", evidence: null },
  ])
  const signedEpoch = lie(world, login, 2, withFrame({ rosterEpoch: 3 }))
  const { faults } = must(combineLogin(login.state, signedEpoch)).combined
  assert.deepEqual([faults[0]?.reason, faults[0]?.evidence], ["wrong-roster-epoch", null])
})

test("answers that are truncated, extended or hold a bad key share are malformed", () => {
  const { login } = scene("malformed")
  const good = get(login.responses, 2)
  const badKeyshare = (value: Bytes) => {
    const bytes = good.slice()
    bytes.set(value, 32 + 32 + 128 + 32)
    return bytes
  }
  const bad = [
    new Uint8Array(0),
    good.slice(0, -1),
    new Uint8Array([...good, 0]),
    badKeyshare(IDENTITY),
    badKeyshare(NON_CANONICAL),
  ]
  for (const bytes of bad) {
    const responses = new Map(login.responses).set(2, bytes)
    const { combined } = must(combineLogin(login.state, responses))
    assert.deepEqual(combined.faults, [
      { identifier: 2, reason: "malformed-payload", evidence: null },
    ])
  }
})

test("KE1 with the identity, bytes that are no element, or another length is refused", () => {
  const { world, account, login } = scene("ke1")
  const good = get(login.ke1, 1)
  const put = (value: Bytes, offset: number) => {
    const bytes = good.slice()
    bytes.set(value, offset)
    return bytes
  }
  const cases: [Bytes, string][] = [
    [put(IDENTITY, 0), "ke1.blindedElement"],
    [put(NON_CANONICAL, 0), "ke1.blindedElement"],
    [put(IDENTITY, 64), "ke1.clientKeyshare"],
    [put(NON_CANONICAL, 64), "ke1.clientKeyshare"],
    [good.slice(0, 95), "ke1.clientKeyshare"],
    [new Uint8Array([...good, 0]), "ke1"],
  ]
  const { accountId, binding } = loginPlan(world, "alice")
  for (const record of [get(account.records, 1), null]) {
    for (const [ke1, field] of cases) {
      const server = get(world.servers, 1)
      const question = { accountId, binding, ke1 }
      const aborted = abortOf(answerLogin(server, question, record, world.random.bytes(128)))
      assert.deepEqual([aborted.reason, aborted.field], ["malformed-payload", field])
      assert.deepEqual(aborted.culprits, [])
    }
  }
})

test("a wrong password is that, at every server, and blames nobody", () => {
  const { world, account } = scene("password")
  const login = ask(world, "alice", "wrong", account.records)
  const aborted = abortOf(conclude(login.state, login.responses))
  assert.equal(aborted.reason, "wrong-password-or-envelope")
  assert.deepEqual([aborted.culprits, aborted.silent, aborted.evidence], [[], [], []])
})

test("a wrong MAC or envelope refuses that server only, without blame", () => {
  const { world, account, login } = scene("mac")
  const mac = tamper(login, 2, (response) => ({
    ...response,
    ke2: { ...response.ke2, serverMac: new Uint8Array(64) },
  }))
  const masked = tamper(login, 2, (response) => ({
    ...response,
    ke2: {
      ...response.ke2,
      credentialResponse: {
        ...response.ke2.credentialResponse,
        maskedResponse: new Uint8Array(128),
      },
    },
  }))
  // A record made for server 3, answered from by server 2.
  const foreign = { ...get(account.records, 2), record: get(account.records, 3).record }
  const server = get(world.servers, 2)
  const misplaced = answer(world, server, "alice", get(login.ke1, 2), foreign).response
  for (const [reason, responses] of [
    ["wrong-server-mac", mac],
    ["wrong-envelope", masked],
    ["wrong-envelope", new Map(login.responses).set(2, misplaced)],
  ] as const) {
    const finished = must(conclude(login.state, responses))
    assert.deepEqual([...finished.sessions.keys()], [1, 3])
    assert.deepEqual([...finished.refused], [[2, reason]])
    const few = abortOf(conclude(login.state, only(responses, 1, 2)))
    assert.deepEqual([few.reason, few.culprits, few.silent], ["too-few-authenticated", [], [2]])
  }
})

test("a login bound to another roster or account ends without any session", () => {
  const { world, account, login } = scene("binding")
  const server = get(world.servers, 1)
  const record = get(account.records, 1)
  const { accountId, binding } = loginPlan(world, "alice")
  const ke1 = get(login.ke1, 1)
  const other = { ...binding, context: world.random.bytes(20) }
  const { response } = must(
    answerLogin(server, { accountId, binding: other, ke1 }, record, world.random.bytes(128)),
  )
  const finished = must(conclude(login.state, new Map(login.responses).set(1, response)))
  assert.deepEqual([...finished.refused], [[1, "wrong-server-mac"]])
  assert.throws(() => answer(world, server, "bob", ke1, record), /another account/)
})

test("an answer about another account, to the same KE1, is not taken for this one", () => {
  const { world, login } = scene("account")
  const bob = register(world, "bob", PASSWORD)
  const server = get(world.servers, 2)
  const { response } = answer(world, server, "bob", get(login.ke1, 2), get(bob.records, 2))
  const { faults } = must(
    combineLogin(login.state, new Map(login.responses).set(2, response)),
  ).combined
  assert.deepEqual(faults, [{ identifier: 2, reason: "wrong-signature", evidence: null }])
})

test("KE3 is judged once, by one server, for one login", () => {
  const { world, account, login } = scene("ke3")
  const { sessions } = must(conclude(login.state, login.responses))
  const ke3 = get(sessions, 1).ke3
  const wrong = (state: Parameters<typeof verifyLogin>[0], message: Bytes) => {
    const aborted = abortOf(verifyLogin(state, message))
    assert.deepEqual([aborted.reason, aborted.culprits], ["wrong-client-mac", []])
  }
  wrong(get(login.serverStates, 2), ke3)
  const again = ask(world, "alice", PASSWORD, account.records)
  wrong(get(again.serverStates, 1), ke3)
  wrong(get(again.serverStates, 2), new Uint8Array(0))
  wrong(get(again.serverStates, 3), new Uint8Array(64))
  const state = get(login.serverStates, 1)
  must(verifyLogin(state, ke3))
  assert.throws(() => verifyLogin(state, ke3), /wiped/)
  const flipped = ask(world, "alice", PASSWORD, account.records)
  const right = get(must(conclude(flipped.state, flipped.responses)).sessions, 1).ke3
  right[63] = (right[63] as number) ^ 1
  wrong(get(flipped.serverStates, 1), right)
})

test("of two versions with enough servers each, the later counts", () => {
  const world = cluster("versions", 2, 4)
  const old = register(world, "alice", PASSWORD)
  const fresh = register(world, "alice", "new password", old)
  const mixed = new Map([...old.records].map(([i, r]) => [i, i > 2 ? get(fresh.records, i) : r]))
  const login = ask(world, "alice", "new password", mixed)
  const { combined } = must(combineLogin(login.state, login.responses))
  assert.deepEqual([...combined.answers.keys()], [3, 4])
  assert.deepEqual(
    combined.faults.map((f) => [f.identifier, f.reason]),
    [
      [1, "stale-or-lying"],
      [2, "stale-or-lying"],
    ],
  )
  // One server of each: too few agree, and the client asks the others.
  assert.equal(
    abortOf(combineLogin(login.state, only(login.responses, 2, 3))).reason,
    "too-few-agree",
  )
})

test("stretching outside the client's bounds is refused even when the servers agree on it", () => {
  const { login } = scene("stretching")
  for (const stretchingBounds of [
    { least: { ...STRETCHING, passes: 3 }, most: { ...STRETCHING, passes: 9 } },
    { least: { ...STRETCHING, memoryKib: 1 }, most: { ...STRETCHING, memoryKib: 2 } },
  ]) {
    const state = { ...login.state, plan: { ...login.state.plan, stretchingBounds } }
    const aborted = abortOf(combineLogin(state, login.responses))
    assert.deepEqual([aborted.reason, aborted.culprits], ["wrong-stretching", []])
  }
})

test("a share that was altered at rest makes its server's own proof fail, not another's", () => {
  const { world, account, login } = scene("corrupt-share")
  const record = get(account.records, 2)
  const shifted = ristretto255.addScalars(scalarOf(record.share), ristretto255.one)
  const { response } = answer(world, get(world.servers, 2), "alice", get(login.ke1, 2), {
    ...record,
    share: new Secret(shifted),
  })
  const { faults } = must(
    combineLogin(login.state, new Map(login.responses).set(2, response)),
  ).combined
  assert.deepEqual(
    faults.map((f) => [f.identifier, f.reason, f.evidence !== null]),
    [[2, "wrong-evaluation", true]],
  )
  assert.ok(!equalBytes(record.share.expose(), shifted))
})
