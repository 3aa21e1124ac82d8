import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, ristretto255, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { sharing } from "../src/index.ts"
import { evaluationFault, signEvaluation, statementOf } from "../src/opaque/evaluation.ts"
import {
  answerLogin,
  combineLogin,
  type HeldAccount,
  type LoginResponse,
  loginResponseCodec,
  type OprfGeneration,
  verifyLogin,
} from "../src/opaque/index.ts"
import type { AbortReason } from "../src/outcome.ts"
import {
  type Account,
  type Asked,
  abortOf,
  ask,
  cluster,
  conclude,
  get,
  loginPlan,
  must,
  only,
  register,
} from "./opaque-fixture.ts"
import { type NewShare, nextGeneration, refreshed } from "./opaque-resharing.ts"

const PASSWORD = "correct horse battery staple"

function scene(seed: string, minSigners = 2, size = 3) {
  const world = cluster(seed, minSigners, size)
  const first = register(world, "alice", PASSWORD)
  return { world, first, second: refreshed(world, first) }
}

/** What every server holds, where only some have gone on to the later generation. */
function mixed(first: Account, second: Account, ahead: readonly Identifier[]) {
  const held = [...first.records].map(([i, old]) => {
    return [i, ahead.includes(i) ? get(second.records, i) : old] as const
  })
  return new Map(held)
}

const responseOf = (login: Asked, identifier: Identifier): LoginResponse =>
  decode(loginResponseCodec, get(login.responses, identifier))

for (const [minSigners, size] of [
  [2, 3],
  [3, 5],
  [4, 4],
] as const) {
  test(`${minSigners} of ${size}: a refresh changes every share and no password`, () => {
    const { world, first, second } = scene(`refresh-${size}`, minSigners, size)
    const third = refreshed(world, second)
    const exportKeys = [first, second, third].map(({ records }) => {
      const { state, responses, serverStates } = ask(world, "alice", PASSWORD, records)
      const finished = must(conclude(state, responses))
      assert.equal(finished.sessions.size, size)
      for (const [i, { ke3, sessionKey }] of finished.sessions) {
        const verified = must(verifyLogin(get(serverStates, i), ke3))
        assert.ok(equalBytes(verified.sessionKey.expose(), sessionKey.expose()))
      }
      return finished.exportKey.expose()
    })
    assert.deepEqual(exportKeys[1], exportKeys[0])
    assert.deepEqual(exportKeys[2], exportKeys[0])
    for (const i of world.servers.keys()) {
      const shares = [first, second, third].map(({ records }) => get(records, i).share.expose())
      for (const [a, b] of [
        [0, 1],
        [1, 2],
        [0, 2],
      ] as const) {
        assert.ok(!equalBytes(shares[a] as Bytes, shares[b] as Bytes))
      }
      assert.equal(get(third.records, i).oprf?.sharing.keyEpoch, 3)
    }
  })
}

test("a login takes the generation that t servers share, and blames nobody for another one", () => {
  const { world, first, second } = scene("mixed")
  for (const ahead of [[1], [2], [3], [1, 2], [1, 3], [2, 3]]) {
    const used = [1, 2, 3].filter((i) => ahead.includes(i) === ahead.length > 1)
    const [other] = [1, 2, 3].filter((i) => !used.includes(i))
    const login = ask(world, "alice", PASSWORD, mixed(first, second, ahead))
    const { combined } = must(combineLogin(login.state, login.responses))
    assert.deepEqual([...combined.answers.keys()], used)
    const fault = { identifier: other, reason: "other-generation", evidence: null }
    assert.deepEqual(combined.faults, [fault])
    assert.equal(must(conclude(login.state, login.responses)).sessions.size, 2)
  }
})

test("where fewer than t answer with one generation, others are asked and nobody is blamed", () => {
  const { world, first, second } = scene("too-few")
  const login = ask(world, "alice", PASSWORD, mixed(first, second, [1]))
  const aborted = abortOf(combineLogin(login.state, only(login.responses, 1, 2)))
  assert.equal(aborted.reason, "too-few-agree")
  assert.deepEqual([aborted.culprits, aborted.silent, aborted.evidence], [[], [1, 2], []])
  assert.equal(must(conclude(login.state, login.responses)).sessions.size, 2)
})

test("shares of different generations under one vector evaluate to nothing that is accepted", () => {
  const { world, first, second } = scene("mixed-shares")
  const torn: HeldAccount = { ...get(second.records, 2), share: get(first.records, 2).share }
  const login = ask(world, "alice", PASSWORD, new Map(second.records).set(2, torn))
  const { combined } = must(combineLogin(login.state, login.responses))
  assert.deepEqual([...combined.answers.keys()], [1, 3])
  assert.deepEqual(
    combined.faults.map(({ identifier, reason }) => [identifier, reason]),
    [[2, "wrong-evaluation"]],
  )
})

test("a wrong evaluation of a later generation is proven by its signer's own vector", () => {
  const { world, first, second } = scene("evidence")
  const login = ask(world, "alice", PASSWORD, mixed(first, second, [2]))
  for (const i of [1, 2, 3]) {
    const { accountId } = login.state.plan
    const statement = statementOf(responseOf(login, i), get(login.ke1, i), accountId)
    assert.equal(evaluationFault(statement), null)
    const evaluation = ristretto255.multiplyBase(ristretto255.scalarFromInteger(7))
    const wrong = { ...statement, evaluation }
    const signature = signEvaluation(get(world.identities, i), wrong)
    const judge = (said: typeof statement) =>
      verifyEvidence(
        encodeEvidence({ kind: "opaque-evaluation", statement: said, signature }),
        world.verifyKeys,
      )
    assert.deepEqual(judge(wrong), { valid: true, culprit: i, reason: "wrong-evaluation" })
    assert.equal(judge(statement).valid, false)
  }
})

test("a server that answers with shares of another OPRF key is left out, without blame", () => {
  const { world, second } = scene("another-key")
  const other = refreshed(world, register(world, "alice", "another password"))
  const login = ask(world, "alice", PASSWORD, second.records)
  const lie = ask(world, "alice", PASSWORD, other.records)
  // The liar answers the same question, from its own account.
  const server = get(world.servers, 2)
  const { accountId, binding } = loginPlan(world, "alice")
  const question = { accountId, binding, ke1: get(login.ke1, 2) }
  const answered = must(
    answerLogin(server, question, get(other.records, 2), world.random.bytes(128)),
  )
  const responses = new Map(login.responses).set(2, answered.response)
  assert.ok(!equalBytes(responseOf(lie, 2).frame.vector[0]!, responseOf(login, 2).frame.vector[0]!))
  const { combined } = must(combineLogin(login.state, responses))
  assert.deepEqual(combined.faults, [{ identifier: 2, reason: "stale-or-lying", evidence: null }])
  assert.equal(must(conclude(login.state, responses)).sessions.size, 2)
  const few = abortOf(combineLogin(login.state, only(responses, 1, 2)))
  assert.deepEqual([few.reason, few.culprits, few.silent], ["too-few-agree", [], [1, 2]])
})

test("a server never evaluates under a vector whose constant term is not the registration's", () => {
  const { world, second } = scene("constant-term")
  const held = get(second.records, 1)
  const other = get(register(world, "alice", PASSWORD).records, 1).registration.vector[0] as Bytes
  const { sharing, vector } = held.oprf as OprfGeneration
  const torn = { ...held, oprf: { sharing, vector: [other, ...vector.slice(1)] } }
  const { accountId, binding } = loginPlan(world, "alice")
  const question = { accountId, binding, ke1: get(ask(world, "alice", PASSWORD, null).ke1, 1) }
  const answer = () => answerLogin(get(world.servers, 1), question, torn, world.random.bytes(128))
  assert.throws(answer, /the shares are of another OPRF key/)
})

test("an account takes only its own server's share of a later sharing of its own key", () => {
  const { world, first } = scene("take")
  const [dealers, holders] = [
    [1, 2],
    [1, 2, 3],
  ]
  const { minSigners, rosterEpoch } = world
  const target = { kind: "refresh", dealers, holders, minSigners, rosterEpoch } as const
  const next = nextGeneration(first.records, target)
  const held = get(first.records, 1)
  const mine = get(next, 1)
  assert.ok(sharing.accountWithSharing(held, mine.share, mine.generation).ok)
  const later = must(sharing.accountWithSharing(held, mine.share, mine.generation))
  const other = get(register(world, "alice", "another").records, 1).registration.vector[0] as Bytes
  const withSharing = (change: Partial<sharing.Sharing>): NewShare => {
    const { share, generation } = mine
    return { share, generation: { ...generation, sharing: { ...generation.sharing, ...change } } }
  }
  const withVector = (vector: readonly Bytes[]): NewShare => {
    return { share: mine.share, generation: { ...mine.generation, vector } }
  }
  const { vector } = mine.generation
  const wrong: readonly [HeldAccount, NewShare, AbortReason, string][] = [
    [held, withSharing({ id: new Uint8Array(32) }), "wrong-key", "id"],
    [held, withSharing({ context: new Uint8Array(32) }), "wrong-key", "context"],
    [held, withSharing({ group: "edwards25519" }), "wrong-key", "group"],
    [held, withSharing({ verifyingKey: other }), "wrong-key", "verifyingKey"],
    [held, withSharing({ keyEpoch: 1 }), "wrong-key-epoch", "keyEpoch"],
    [later, mine, "wrong-key-epoch", "keyEpoch"],
    [held, withSharing({ rosterEpoch: rosterEpoch - 1 }), "wrong-roster-epoch", "rosterEpoch"],
    [held, withVector([other, ...vector.slice(1)]), "wrong-key", "vector"],
    [held, withVector(vector.slice(0, 1)), "wrong-vector-length", "vector"],
    [held, withVector([...vector, other]), "wrong-vector-length", "vector"],
    [held, { ...mine, share: get(next, 2).share }, "wrong-share", "share"],
    [held, { ...mine, share: Secret.copyOf(held.share.expose()) }, "wrong-share", "share"],
  ]
  for (const [account, { share, generation }, reason, field] of wrong) {
    const aborted = abortOf(sharing.accountWithSharing(account, share, generation))
    assert.deepEqual([aborted.reason, aborted.field], [reason, field])
    assert.deepEqual([aborted.culprits, aborted.silent], [[], []])
  }
  const bytes = encode(sharing.sharingCodec, sharing.sharingOfHeldAccount(later))
  assert.deepEqual(bytes, encode(sharing.sharingCodec, mine.generation.sharing))
})
