import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { evaluationFault, statementOf } from "../src/opaque/evaluation.ts"
import {
  answerLogin,
  combineLogin,
  type HeldAccount,
  type LoginResponse,
  type LoginServer,
  loginResponseCodec,
  loginServerStateCodec,
  verifyLogin,
} from "../src/opaque/index.ts"
import {
  abortOf,
  ask,
  type Cluster,
  cluster,
  conclude,
  get,
  loginPlan,
  must,
  register,
} from "./opaque-fixture.ts"

type Records = ReadonlyMap<Identifier, HeldAccount> | null

const responsesOf = (world: Cluster, name: string, records: Records) => {
  const login = ask(world, name, "a guess", records)
  const decoded = new Map(
    [...login.responses].map(([i, bytes]) => [i, decode(loginResponseCodec, bytes)]),
  )
  return { login, decoded }
}

const vectorOf = (response: LoginResponse) => response.frame.vector

function inEpoch(world: Cluster, epoch: number): Cluster {
  const servers = new Map<Identifier, LoginServer>()
  for (const [identifier, server] of world.servers) {
    servers.set(identifier, { ...server, fakes: { ...server.fakes, epoch } })
  }
  return { ...world, servers }
}

test("an unknown name gets answers of the same lengths and fields as a known one", () => {
  for (const [minSigners, size] of [
    [1, 1],
    [2, 3],
    [3, 5],
  ] as const) {
    const world = cluster(`lengths-${size}`, minSigners, size)
    const account = register(world, "alice", "password")
    const real = ask(world, "alice", "a guess", account.records)
    const fake = ask(world, "nobody", "a guess", null)
    for (const identifier of world.servers.keys()) {
      assert.equal(get(fake.responses, identifier).length, get(real.responses, identifier).length)
      const states = [real, fake].map((l) => get(l.serverStates, identifier))
      const [a, b] = states.map((s) => encode(loginServerStateCodec, s).length)
      assert.equal(a, b)
      const shape = (bytes: Bytes) => describe(decode(loginResponseCodec, bytes))
      assert.deepEqual(
        shape(get(fake.responses, identifier)),
        shape(get(real.responses, identifier)),
      )
    }
  }
})

/** Names and lengths of all fields, without their values. */
function describe(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value)) return value.map(describe)
  if (typeof value !== "object" || value === null) return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, describe(v)]))
}

test("a wrong password and an unknown name fail alike at the client and at every server", () => {
  const world = cluster("alike")
  const account = register(world, "alice", "password")
  for (const [name, records] of [
    ["alice", account.records],
    ["nobody", null],
  ] as const) {
    const login = ask(world, name, "a guess", records)
    const aborted = abortOf(conclude(login.state, login.responses))
    assert.equal(aborted.reason, "wrong-password-or-envelope")
    assert.deepEqual([aborted.culprits, aborted.silent], [[], []])
    for (const state of login.serverStates.values()) {
      const refused = abortOf(verifyLogin(state, world.random.bytes(64)))
      assert.deepEqual([refused.reason, refused.field], ["wrong-client-mac", "ke3"])
    }
  }
})

test("servers agree about an unknown name: one vector, proofs that verify, evaluations that combine", () => {
  const world = cluster("agree", 2, 4)
  const { login, decoded } = responsesOf(world, "nobody", null)
  const first = get(decoded, 1)
  for (const [identifier, response] of decoded) {
    assert.deepEqual(vectorOf(response), vectorOf(first))
    assert.equal(response.frame.shownVersion, first.frame.shownVersion)
    const { accountId } = login.state.plan
    const statement = statementOf(response, get(login.ke1, identifier), accountId)
    assert.equal(evaluationFault(statement), null)
  }
  const { combined } = must(combineLogin(login.state, login.responses))
  assert.equal(combined.answers.size, 4)
  assert.deepEqual(combined.faults, [])
})

test("a fake account keeps its constant term, and changes the others when real ones would", () => {
  const world = cluster("epochs", 3, 3)
  const before = vectorOf(get(responsesOf(world, "nobody", null).decoded, 1))
  const again = vectorOf(get(responsesOf(world, "nobody", null).decoded, 2))
  const after = vectorOf(get(responsesOf(inEpoch(world, 2), "nobody", null).decoded, 1))
  const other = vectorOf(get(responsesOf(world, "nobody else", null).decoded, 1))
  assert.deepEqual(again, before)
  assert.deepEqual(after[0], before[0])
  for (const k of [1, 2]) assert.notDeepEqual(after[k], before[k])
  for (const k of [0, 1, 2]) assert.notDeepEqual(other[k], before[k])
})

test("the OPRF of a fake account is the same in every epoch", () => {
  const world = cluster("stable")
  const outputs = [1, 2].map((epoch) => {
    const login = ask(inEpoch(world, epoch), "nobody", "a guess", null)
    return must(combineLogin(login.state, login.responses)).toStretch.expose()
  })
  assert.deepEqual(outputs[0], outputs[1])
})

test("the shown version is the same before and after a name is registered, and then grows", () => {
  const world = cluster("shown")
  const shown = (records: Records) =>
    get(responsesOf(world, "alice", records).decoded, 1).frame.shownVersion
  const unknown = shown(null)
  const account = register(world, "alice", "password")
  assert.equal(shown(account.records), unknown)
  assert.equal(shown(register(world, "alice", "new", account).records), unknown + 1)
  const other = get(responsesOf(world, "bob", null).decoded, 1).frame.shownVersion
  assert.notEqual(other, unknown)
})

test("whoever knows the fake seed, as a corrupt server does, logs in to no account that is none", () => {
  const world = cluster("seed-known")
  const { accountId, binding } = loginPlan(world, "nobody")
  const login = ask(world, "nobody", "a guess", null)
  const server = get(world.servers, 1)
  const question = { accountId, binding, ke1: get(login.ke1, 1) }
  const { state } = must(answerLogin(server, question, null, world.random.bytes(128)))
  // The MAC that the fake's own private key would yield is refused all the same.
  const insider = state.clientMac.expose().slice()
  assert.equal(abortOf(verifyLogin(state, insider)).reason, "wrong-client-mac")
  assert.throws(() => state.sessionKey.expose(), /wiped/)
})

test("a fake answer differs with the seed: rosters that share none do not agree", () => {
  const world = cluster("other-seed")
  const server = get(world.servers, 3)
  const fakes = { seed: new Secret(world.random.bytes(32)), epoch: 1 }
  const servers = new Map(world.servers).set(3, { ...server, fakes })
  const login = ask({ ...world, servers }, "nobody", "a guess", null)
  const { combined } = must(combineLogin(login.state, login.responses))
  assert.deepEqual(combined.faults, [{ identifier: 3, reason: "stale-or-lying", evidence: null }])
})

test("known and unknown names cost a server about the same time", () => {
  const world = cluster("time")
  const account = register(world, "alice", "password")
  const login = ask(world, "alice", "a guess", account.records)
  const { accountId, binding } = loginPlan(world, "alice")
  const question = { accountId, binding, ke1: get(login.ke1, 1) }
  const server = get(world.servers, 1)
  const durations = { real: [] as number[], fake: [] as number[] }
  for (let i = 0; i < 300; i++) {
    for (const kind of ["real", "fake"] as const) {
      const record = kind === "real" ? get(account.records, 1) : null
      const randomness = world.random.bytes(128)
      const start = performance.now()
      must(answerLogin(server, question, record, randomness))
      durations[kind].push(performance.now() - start)
    }
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number
  const ratio = median(durations.fake) / median(durations.real)
  // Interleaved medians; the work is the same but for reading one share.
  assert.ok(ratio > 0.8 && ratio < 1.25, `fake / real = ${ratio}`)
})
