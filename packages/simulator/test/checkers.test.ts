import assert from "node:assert/strict"
import { before, test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { keyRow, pairRow } from "@lockkeeper/server/rows"
import { CHECKERS, violationsOf } from "../src/sim/checkers/index.ts"
import type { Commit, DurableRow, Observed } from "../src/sim/observed.ts"
import { type RunReport, runSeed } from "../src/sim/run.ts"

// Each checker is shown a real run in which one thing is not as it was.

/** A run with registrations, keys, signatures and nobody who cheats. */
const SEED = 4

/** As the codec of pairs has them. */
const SEED_LENGTH = 16
const SEEDS_LENGTH = 128 * SEED_LENGTH

let report: RunReport
let observed: Observed

before(async () => {
  report = await runSeed(SEED, "safety")
  observed = report.observed
})

/** What the checkers say of the run once it is doctored. */
function complaints(doctored: Partial<Observed>): readonly string[] {
  const found = violationsOf({ ...observed, ...doctored })
  return [...new Set(found.map(({ checker }) => checker))]
}

function first<T>(of: readonly T[], such: (one: T) => boolean = () => true): T {
  const found = of.find(such)
  assert.ok(found !== undefined, "the run has nothing like it: choose another seed")
  return found
}

function commitOf(operation: string): Commit {
  return first(observed.commits, ({ events }) =>
    events.some((event) => event.operation === operation && event.outcome === "done"),
  )
}

/** The row of a pair that multiplies, of bytes that mean nothing. */
function livePair(): Bytes {
  const secret = (length: number) => new Secret(new Uint8Array(length))
  const setup = {
    setupDigest: new Uint8Array(32),
    zeroSeeds: secret(SEEDS_LENGTH),
    oneSeeds: secret(SEEDS_LENGTH),
    delta: secret(SEED_LENGTH),
    chosenSeeds: secret(SEEDS_LENGTH),
    pairSecret: secret(32),
  }
  return encode(pairRow, { kind: "live", setup })
}

function withCommits(change: (commit: Commit) => Commit): Partial<Observed> {
  return { commits: observed.commits.map(change) }
}

test("a run as it was has no complaint, and every checker has a name of its own", () => {
  assert.deepEqual(report.violations, [])
  assert.equal(new Set(CHECKERS.map(({ name }) => name)).size, CHECKERS.length)
})

test("a nonce that is used twice is noticed", () => {
  const commit = commitOf("sign")
  assert.deepEqual(complaints({ commits: [...observed.commits, commit] }), ["one-time"])
})

test("a nonce that another process uses than made it is noticed", () => {
  const { order } = commitOf("sign")
  const later = withCommits((one) => (one.order === order ? { ...one, process: 999 } : one))
  assert.deepEqual(complaints(later), ["one-time"])
})

test("two shares from one nonce are noticed, and the same share twice is not", () => {
  const share = { order: 0, time: 0, server: 1, kind: "nonces", id: "aa", message: "bb" } as const
  const [one, other] = [
    { ...share, share: "01" },
    { ...share, share: "02" },
  ]
  assert.deepEqual(complaints({ shares: [one, other] }), ["one-time"])
  assert.deepEqual(complaints({ shares: [one, one] }), [])
})

test("an answer that is replaced is noticed", () => {
  const commit = first(observed.commits, ({ changes }) =>
    changes.some((change) => change.kind === "put" && change.table === "answers"),
  )
  const changes = commit.changes.flatMap((change) =>
    change.kind === "put" && change.table === "answers"
      ? [{ ...change, value: change.value.map((byte) => byte ^ 1) }]
      : [],
  )
  const again = { ...commit, changes, events: [] }
  assert.deepEqual(complaints({ commits: [...observed.commits, again] }), ["answers"])
})

test("more guesses than the limit are noticed", () => {
  const commit = commitOf("login.start")
  const guesses = Array.from({ length: observed.guessLimit + 1 }, () => commit)
  assert.deepEqual(complaints({ commits: [...observed.commits, ...guesses] }), ["guesses"])
})

test("a guesser that gets too many evaluations, or in, is noticed", () => {
  const evaluation = { time: 0, server: 1, account: "00".repeat(32) }
  const many = Array.from({ length: observed.guessLimit + 1 }, () => evaluation)
  assert.deepEqual(complaints({ evaluations: many }), ["guesses"])
  assert.deepEqual(complaints({ evaluations: many.slice(1) }), [])
  const { events } = commitOf("login.finish")
  const account = toHex(events[0]?.accountId ?? new Uint8Array(32))
  assert.deepEqual(complaints({ evaluations: [{ ...evaluation, account }] }), ["guesses"])
})

test("a log entry that a client was told of and that is gone is noticed", () => {
  const key = first(observed.keys, ({ log }) => log.length > 0)
  const head = "00".repeat(32)
  const log = key.log.map((position) => ({ ...position, head }))
  assert.deepEqual(complaints({ keys: [{ ...key, log }] }), ["acknowledged"])
})

test("a key that a client was told of and that is gone, or whose share is wrong, is noticed", () => {
  const key = first(observed.keys, ({ log }) => log.length > 0)
  const id = toHex(key.keyId)
  const rewritten = (change: (value: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | null) =>
    observed.durable.map((state) => {
      const keys = new Map(state.tables.get("keys"))
      const row = keys.get(id)
      const value = row === undefined ? null : change(row.value)
      if (row === undefined || value === null) keys.delete(id)
      else keys.set(id, { ...row, value })
      return { ...state, tables: new Map([...state.tables, ["keys", keys] as const]) }
    })
  assert.deepEqual(complaints({ durable: rewritten(() => null) }), ["acknowledged"])
  const spoiled = rewritten((value) => {
    const row = decode(keyRow, value)
    const share = row.keyPackage.signingShare.expose().slice()
    share[31] = (share[31] as number) ^ 1
    const keyPackage = { ...row.keyPackage, signingShare: new Secret(share) }
    return encode(keyRow, { ...row, keyPackage })
  })
  assert.ok(complaints({ durable: spoiled }).includes("acknowledged"))
})

test("an account that is active at fewer than t servers is noticed", () => {
  const durable = observed.durable.map((state) => ({
    ...state,
    tables: new Map([...state.tables, ["accounts", new Map<string, DurableRow>()] as const]),
  }))
  assert.deepEqual(complaints({ durable, starts: [] }), ["acknowledged"])
})

test("a signature that fewer than t logs show before it is given is noticed", () => {
  const signature = first(observed.signatures)
  assert.deepEqual(complaints({ signatures: [{ ...signature, order: 0 }] }), ["logged"])
  const twice = complaints({ signatures: [...observed.signatures, signature] })
  assert.deepEqual(twice, ["logged"])
})

test("a signature that other software refuses is noticed", () => {
  for (const keyType of new Set(observed.signatures.map((one) => one.keyType))) {
    const signature = first(observed.signatures, (one) => one.keyType === keyType)
    const message = signature.message.map((byte) => byte ^ 1)
    assert.deepEqual(complaints({ signatures: [{ ...signature, message }] }), ["signatures"])
  }
})

test("an honest server that is blamed is noticed, by clients and in logs", () => {
  const proven = {
    kind: "proven",
    server: 2,
    pair: null,
    reason: "invalid-signature-share",
  } as const
  const incident = { time: 0, actor: "somebody", incident: proven }
  assert.deepEqual(complaints({ incidents: [incident], cheaters: [] }), ["blame"])
  assert.deepEqual(complaints({ incidents: [incident], cheaters: [2] }), [])
  const disputed = { ...proven, kind: "disputed", pair: [1, 2] } as const
  const pair = { ...incident, incident: disputed }
  assert.deepEqual(complaints({ incidents: [pair], cheaters: [3] }), ["blame"])
  assert.deepEqual(complaints({ incidents: [pair], cheaters: [1] }), [])
  const { order } = commitOf("sign")
  const blaming = withCommits((commit) => ({
    ...commit,
    events: commit.events.map((event) =>
      commit.order === order ? { ...event, culprits: [(commit.server % 3) + 1] } : event,
    ),
  }))
  assert.deepEqual(complaints({ ...blaming, cheaters: [] }), ["blame"])
})

test("a dead pair that is set up again is noticed", () => {
  const dead = encode(pairRow, { kind: "dead", cause: "a failed check", since: 0 })
  const put = { kind: "put", table: "pairs", id: "0000000001-00002" } as const
  const commit = { order: 0, time: 0, server: 1, process: 0, events: [] }
  const commits = [{ ...commit, changes: [{ ...put, value: dead }] }]
  assert.deepEqual(complaints({ commits: [...observed.commits, ...commits] }), [])
  const live = { ...commit, changes: [{ ...put, value: livePair() }] }
  assert.deepEqual(complaints({ commits: [...observed.commits, ...commits, live] }), ["pairs"])
})

test("a row that does not decode, one that does not open and a broken log are noticed", () => {
  const [state, ...rest] = observed.durable
  assert.ok(state !== undefined)
  const doctored = (change: Partial<typeof state>) => ({
    durable: [{ ...state, ...change }, ...rest],
  })
  const bad = new Map([["x", { version: 1, value: new Uint8Array([7]) }]])
  const tables = new Map([...state.tables, ["guesses", bad] as const])
  assert.deepEqual(complaints(doctored({ tables })), ["stores"])
  assert.deepEqual(complaints(doctored({ unreadable: ["keys"] })), ["stores"])
  const log = state.log.map((entry, i) => (i === 1 ? { ...entry, time: entry.time + 1 } : entry))
  assert.deepEqual(complaints(doctored({ log })), ["stores"])
  const swapped = state.log.map((entry, i) =>
    i === 1 ? { ...entry, commitment: state.log[2]?.commitment ?? entry.commitment } : entry,
  )
  assert.ok(complaints(doctored({ log: swapped })).includes("stores"))
})

test("a failure that no fault explains, and what does not end, are noticed", () => {
  const failure = { time: 0, actor: "somebody", operation: "sign", message: "", expected: [] }
  assert.deepEqual(complaints({ failures: [{ ...failure, code: "internal" }] }), ["failures"])
  assert.deepEqual(complaints({ failures: [{ ...failure, code: "TypeError" }] }), ["failures"])
  assert.deepEqual(complaints({ failures: [{ ...failure, code: "unavailable" }] }), [])
  assert.deepEqual(complaints({ unfinished: ["somebody has not ended"] }), ["liveness"])
})
