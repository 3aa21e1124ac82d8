import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { sharing } from "../src/index.ts"
import {
  answerLogin,
  confirmRegistration,
  type HeldAccount,
  keyExchangePair,
  type MovedRecord,
  openAccountKeys,
  type RegisteredUnder,
  type Registration,
  verifyLogin,
  verifyMovedRecord,
} from "../src/opaque/index.ts"
import type { AbortReason } from "../src/outcome.ts"
import {
  abortOf,
  ask,
  type Cluster,
  cluster,
  conclude,
  get,
  loginPlan,
  must,
  only,
  register,
} from "./opaque-fixture.ts"
import {
  movedFrom,
  nextGeneration,
  nextRoster,
  reshared,
  rosterOfThen,
} from "./opaque-resharing.ts"
import { subsets } from "./reshare-cluster.ts"

const PASSWORD = "correct horse battery staple"

function scene(seed: string, holders: readonly Identifier[], minSigners: number, home = 1) {
  const before = cluster(seed, 2, 3)
  const account = register(before, "alice", PASSWORD)
  const after = nextRoster(`${seed}/next`, before, holders, minSigners)
  return { before, after, account, moved: reshared({ before, after }, account, home) }
}

for (const [holders, minSigners] of [
  [[1, 2, 3, 4, 5], 3],
  [[3, 4, 5], 2],
  [[4, 5, 6], 2],
] as const) {
  test(`an account of 1, 2, 3 logs in at every ${minSigners} of ${holders.join(", ")}`, () => {
    const { before, after, account, moved } = scene(`to-${holders.join()}`, holders, minSigners)
    const asked = ask(before, "alice", PASSWORD, account.records)
    const exportKey = must(conclude(asked.state, asked.responses)).exportKey.expose()
    for (const set of subsets(holders, minSigners)) {
      const login = ask(after, "alice", PASSWORD, moved.records)
      const finished = must(conclude(login.state, only(login.responses, ...set)))
      assert.deepEqual([...finished.sessions.keys()], set)
      assert.deepEqual(finished.exportKey.expose(), exportKey)
      for (const [i, { ke3, sessionKey }] of finished.sessions) {
        const verified = must(verifyLogin(get(login.serverStates, i), ke3))
        assert.deepEqual(verified.sessionKey.expose(), sessionKey.expose())
      }
      const { keys } = get(moved.records, set[0]!).registration
      const opened = must(openAccountKeys(finished.exportKey, keys.accountId, keys))
      assert.deepEqual(opened.storageKey.expose(), account.keys.storageKey.expose())
    }
    const wrong = ask(after, "alice", "wrong", moved.records)
    const aborted = abortOf(conclude(wrong.state, wrong.responses))
    assert.equal(aborted.reason, "wrong-password-or-envelope")
  })
}

/** Server 4 answers a login of `after` with what it says it holds and is. */
function answeredBy4(
  { after, moved }: ReturnType<typeof scene>,
  change: {
    readonly held?: Partial<HeldAccount>
    readonly ake?: ReturnType<typeof keyExchangePair>
  },
) {
  const login = ask(after, "alice", PASSWORD, moved.records)
  const server = { ...get(after.servers, 4), ...(change.ake ? { ake: change.ake } : {}) }
  const { accountId, binding } = loginPlan(after, "alice")
  const question = { accountId, binding, ke1: get(login.ke1, 4) }
  const held = { ...get(moved.records, 4), ...change.held }
  const answered = must(answerLogin(server, question, held, after.random.bytes(128)))
  return { login, responses: new Map(login.responses).set(4, answered.response), answered }
}

test("the 3DH key is the roster's: a server with another key gets no session", () => {
  const given = scene("other-ake", [1, 2, 3, 4, 5], 3)
  const stolen = get(given.before.servers, 1).ake
  const akes = [
    keyExchangePair(given.after.random.bytes(32)),
    stolen,
    get(given.after.servers, 5).ake,
  ]
  for (const ake of akes) {
    const own = { privateKey: Secret.copyOf(ake.privateKey.expose()), publicKey: ake.publicKey }
    const { login, responses } = answeredBy4(given, { ake: own })
    const finished = must(conclude(login.state, responses))
    assert.deepEqual([...finished.refused], [[4, "wrong-server-mac"]])
    assert.deepEqual([...finished.sessions.keys()], [1, 2, 3, 5])
  }
})

test("a client that has another server's 3DH key in its roster gets no session with it", () => {
  const { after, moved } = scene("other-key", [1, 2, 3, 4, 5], 3)
  const login = ask(after, "alice", PASSWORD, moved.records)
  const serverKeys = new Map(after.akeKeys).set(4, get(after.akeKeys, 1))
  const state = { ...login.state, plan: { ...login.state.plan, serverKeys } }
  const finished = must(conclude(state, login.responses))
  assert.deepEqual([...finished.refused], [[4, "wrong-server-mac"]])
})

test("a home key that the envelope was not made for opens nothing", () => {
  const given = scene("home-key", [1, 2, 3, 4, 5], 3)
  for (const home of [2, 3]) {
    const { login, responses } = answeredBy4(given, { held: { home } })
    const finished = must(conclude(login.state, responses))
    assert.deepEqual([...finished.refused], [[4, "wrong-envelope"]])
    assert.deepEqual([...finished.sessions.keys()], [1, 2, 3, 5])
  }
  const own = get(given.moved.records, 4)
  const servers = new Map(own.registration.servers).set(4, get(given.after.akeKeys, 4))
  const claimed = { registration: { ...own.registration, servers }, home: 4 }
  const { login, responses } = answeredBy4(given, { held: claimed })
  assert.deepEqual([...must(conclude(login.state, responses)).refused], [[4, "wrong-envelope"]])
})

test("a server answers from no record of a server that the registration does not list", () => {
  const given = scene("no-home", [1, 2, 3, 4, 5], 3)
  assert.throws(() => answeredBy4(given, { held: { home: 4 } }), /does not list/)
})

test("a client without a server's 3DH key starts no login with it", () => {
  const { after, moved } = scene("no-key", [3, 4, 5], 2)
  const serverKeys = new Map(after.akeKeys)
  serverKeys.delete(4)
  const torn: Cluster = { ...after, akeKeys: serverKeys }
  assert.throws(() => ask(torn, "alice", PASSWORD, moved.records), /without an AKE key/)
})

test("a record moves with what proves it, to one server's share of the same key", () => {
  const { before, after, account } = scene("to", [3, 4, 5], 2)
  const target = { dealers: [1, 2], holders: [3, 4, 5], minSigners: 2 }
  const next = nextGeneration(account.records, { ...target, rosterEpoch: after.rosterEpoch })
  const { share, generation } = get(next, 4)
  const moved = movedFrom(account.records, 2)
  const held = must(sharing.accountMovedTo(4, moved, share, generation))
  assert.deepEqual([held.home, held.identifier], [2, 4])
  const another = movedFrom(register(before, "alice", "another").records, 2)
  const newer = register(before, "alice", "new", account)
  const later = get(nextGeneration(newer.records, { ...target, rosterEpoch: 5 }), 4)
  for (const [at, from, given, reason, field] of [
    [4, another, { share, generation }, "wrong-key", "verifyingKey"],
    [5, moved, { share, generation }, "wrong-share", "share"],
    // A password change replaced it: the dealers vouch for the version after.
    [4, moved, later, "wrong-key", "context"],
  ] as const) {
    const aborted = abortOf(sharing.accountMovedTo(at, from, given.share, given.generation))
    assert.deepEqual([aborted.reason, aborted.field], [reason, field])
  }
})

test("a moved record counts as all members of its roster confirmed it, and no other", () => {
  const { before, account, after } = scene("proof", [3, 4, 5], 2)
  const moved = movedFrom(account.records, 1)
  const { registration, confirmations } = moved
  const { accountId } = registration.keys
  const roster = rosterOfThen(before)
  for (const home of [1, 2, 3]) {
    const record = must(verifyMovedRecord(accountId, roster, movedFrom(account.records, home)))
    assert.deepEqual(record, get(account.records, home).record)
  }

  const confirmedBy = (changed: Registration, by: Cluster) =>
    new Map(
      [...changed.servers.keys()].map((i) => {
        return [i, confirmRegistration(get(by.identities, i), changed)] as const
      }),
    )
  const without = <T>(map: ReadonlyMap<Identifier, T>, i: Identifier) =>
    new Map([...map].filter(([one]) => one !== i))
  const changed = (change: Partial<Registration>): MovedRecord => {
    const made = { ...registration, ...change }
    return { ...moved, registration: made, confirmations: confirmedBy(made, before) }
  }
  const strangers = cluster("strangers", 2, 3)
  const again = register(before, "alice", "new", account)
  const newer = movedFrom(again.records, 1)
  const swapped = new Map(registration.servers)
    .set(1, get(registration.servers, 2))
    .set(2, get(registration.servers, 1))
  const four = new Map(registration.servers).set(4, get(after.akeKeys, 4))
  const wrong: readonly [string, AbortReason, MovedRecord, Partial<RegisteredUnder>?][] = [
    ["other epoch", "wrong-roster-epoch", moved, { rosterEpoch: 5 }],
    ["other threshold", "wrong-threshold", moved, { minSigners: 3 }],
    ["fewer servers", "wrong-participants", changed({ servers: without(registration.servers, 3) })],
    [
      "more servers",
      "wrong-participants",
      { ...moved, registration: { ...registration, servers: four } },
    ],
    ["a larger roster", "wrong-participants", moved, { servers: four }],
    ["others' keys", "wrong-ake-key", changed({ servers: swapped })],
    ["one missing", "missing-confirmation", { ...moved, confirmations: without(confirmations, 2) }],
    [
      "strangers",
      "wrong-confirmation",
      { ...moved, confirmations: confirmedBy(registration, strangers) },
    ],
    ["another's", "wrong-confirmation", { ...moved, confirmations: newer.confirmations }],
    ["another registration", "wrong-confirmation", { ...moved, registration: newer.registration }],
    ["another home", "wrong-record", { ...moved, home: 2 }],
    ["no home", "wrong-record", { ...moved, home: 4 }],
    ["another record", "wrong-record", { ...moved, record: get(account.records, 2).record }],
    ["a newer record", "wrong-record", { ...moved, record: newer.record }],
    [
      "unlisted",
      "wrong-record",
      changed({ recordDigests: without(registration.recordDigests, 1) }),
    ],
  ]
  for (const [what, reason, given, change] of wrong) {
    const aborted = abortOf(verifyMovedRecord(accountId, { ...roster, ...change }, given))
    assert.equal(aborted.reason, reason, what)
    assert.deepEqual(aborted.culprits, [], what)
  }
  const other: Bytes = new Uint8Array(32)
  assert.equal(abortOf(verifyMovedRecord(other, roster, moved)).reason, "wrong-account")
  // A password change leaves the record before sound: which one is in force is not said here.
  assert.ok(verifyMovedRecord(accountId, roster, newer).ok)
})
