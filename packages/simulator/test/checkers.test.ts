import assert from "node:assert/strict"
import { before, test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import type { PublicKeyPackage } from "@lockkeeper/protocols"
import type { Table } from "@lockkeeper/server"
import { keyRow, pairRow, reshareRunRow } from "@lockkeeper/server/rows"
import { CHECKERS, violationsOf } from "../src/sim/checkers/index.ts"
import type { Commit, DurableRow, DurableState, Observed } from "../src/sim/observed.ts"
import { type RunReport, runSeed } from "../src/sim/run.ts"

// Each checker is shown a real run in which one thing is not as it was.

/** A run with registrations, keys, signatures and nobody who cheats. */
const SEED = 4

/** A run in which shares of keys are refreshed, and one copy is put back. */
const OPERATED_SEED = 19

/** As the codec of pairs has them. */
const SEED_LENGTH = 16
const SEEDS_LENGTH = 128 * SEED_LENGTH

let report: RunReport
let observed: Observed
let operated: Observed

before(async () => {
  report = await runSeed(SEED, "safety")
  observed = report.observed
  const withOperators = await runSeed(OPERATED_SEED, "safety")
  assert.deepEqual(withOperators.violations, [])
  operated = withOperators.observed
})

/** What the checkers say of the run once it is doctored. */
function complaints(doctored: Partial<Observed>, of = observed): readonly string[] {
  const found = violationsOf({ ...of, ...doctored })
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
  assert.deepEqual(complaints({ durable: rewritten(() => null) }), ["acknowledged", "shares"])
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
  assert.deepEqual(complaints({ durable, starts: [] }), ["acknowledged", "shares"])
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
  const commit = { order: 0, time: 0, server: 1, process: 0, history: 0, events: [] }
  const commits = [{ ...commit, changes: [{ ...put, value: dead }] }]
  assert.deepEqual(complaints({ commits: [...observed.commits, ...commits] }), [])
  const live = { ...commit, changes: [{ ...put, value: livePair() }] }
  assert.deepEqual(complaints({ commits: [...observed.commits, ...commits, live] }), ["pairs"])
})

/** The commits of the run with operators, with one row of a table as `change` has it. */
function withRow(
  commit: Commit,
  table: Table,
  change: (value: Bytes) => Bytes | null,
): readonly Commit[] {
  const changes = commit.changes.flatMap((one): Commit["changes"] => {
    if (one.table !== table || one.kind !== "put") return [one]
    const value = change(one.value)
    const { id } = one
    return [value === null ? { kind: "take", table, id, version: 1 } : { ...one, value }]
  })
  return operated.commits.map((one) => (one === commit ? { ...commit, changes } : one))
}

/** A commit in which a row of a table was written, of those such that. */
function writing(table: Table, such: (value: Bytes) => boolean): Commit {
  return first(operated.commits, ({ changes }) =>
    changes.some((one) => one.kind === "put" && one.table === table && such(one.value)),
  )
}

function isRefreshed(value: Bytes): boolean {
  return decode(keyRow, value).keyPackage.public.keyEpoch > 1
}

function isConfirmation(value: Bytes): boolean {
  const { stage } = decode(reshareRunRow, value)
  return stage.kind === "judged" && stage.state.pending !== null
}

function withPackage(value: Bytes, change: Partial<PublicKeyPackage>): Bytes {
  const row = decode(keyRow, value)
  const keyPackage = { ...row.keyPackage, public: { ...row.keyPackage.public, ...change } }
  return encode(keyRow, { ...row, keyPackage })
}

test("a key of which fewer than t servers hold one generation in the end is noticed", () => {
  const without = (state: DurableState) => {
    const emptied = ["keys", "reshare-runs"] as const
    const none = emptied.map((table) => [table, new Map<string, DurableRow>()] as const)
    return { ...state, tables: new Map([...state.tables, ...none]) }
  }
  const told = { keys: [], children: [], signatures: [] }
  const durable = operated.durable.map((state, i) => (i === 0 ? state : without(state)))
  assert.deepEqual(complaints({ ...told, durable }, operated), ["shares"])
  // What was put back counts for nothing in any case.
  const copied = new Set(operated.copies.map(({ server }) => server))
  assert.equal(copied.size, 1)
  const one = operated.durable.map((state) => (copied.has(state.server) ? without(state) : state))
  assert.deepEqual(complaints({ ...told, durable: one }, operated), [])
})

test("a share that is not the server's own is noticed", () => {
  const durable = operated.durable.map((state, i) => {
    if (i > 0) return state
    const keys = [...(state.tables.get("keys") ?? [])].map(([id, row]) => {
      const key = decode(keyRow, row.value)
      const share = key.keyPackage.signingShare.expose().slice()
      share[31] = (share[31] as number) ^ 1
      const keyPackage = { ...key.keyPackage, signingShare: new Secret(share) }
      return [id, { ...row, value: encode(keyRow, { ...key, keyPackage }) }] as const
    })
    return { ...state, tables: new Map([...state.tables, ["keys", new Map(keys)] as const]) }
  })
  assert.ok(complaints({ durable }, operated).includes("shares"))
})

test("two sharings of one generation in force are noticed", () => {
  const commit = writing("keys", isRefreshed)
  const other = withRow(commit, "keys", (value) => {
    const { verifyingShares } = decode(keyRow, value).keyPackage.public
    const [[a, first_] = [], [b, second] = []] = [...verifyingShares]
    assert.ok(a !== undefined && b !== undefined && first_ !== undefined && second !== undefined)
    const swapped = new Map([...verifyingShares, [a, second] as const, [b, first_] as const])
    return withPackage(value, { verifyingShares: swapped })
  })
  const found = violationsOf({ ...operated, commits: other })
  assert.match(found.map(({ message }) => message).join(), /two sharings of generation/)
})

test("a generation that is confirmed twice by one server is noticed", () => {
  const commit = writing("reshare-runs", isConfirmation)
  const changes = commit.changes.flatMap((one) =>
    one.kind === "put" && one.table === "reshare-runs" ? [{ ...one, id: "00".repeat(32) }] : [],
  )
  const commits = [...operated.commits, { ...commit, changes, events: [] }]
  assert.deepEqual(complaints({ commits }, operated), ["generations", "erased"])
})

test("a public key that changes is noticed", () => {
  const commit = writing("keys", isRefreshed)
  const other = withRow(commit, "keys", (value) => {
    const { verifyingKey, verifyingShares } = decode(keyRow, value).keyPackage.public
    return withPackage(value, { verifyingKey: [...verifyingShares.values()][0] ?? verifyingKey })
  })
  const found = violationsOf({ ...operated, commits: other })
  assert.match(found.map(({ message }) => message).join(), /has another public key/)
})

test("a share that gives way before a quorum has confirmed later ones is noticed", () => {
  const commit = writing("reshare-runs", isConfirmation)
  const commits = withRow(commit, "reshare-runs", () => null)
  // With one server put back, fewer than t of the others hold the later ones then.
  assert.deepEqual(complaints({ commits }, operated), ["usable", "erasure"])
})

test("confirmed shares that are dropped are noticed", () => {
  const confirmed = writing("reshare-runs", isConfirmation)
  const until = operated.commits.slice(0, operated.commits.indexOf(confirmed) + 1)
  const changes = confirmed.changes.flatMap((one) =>
    one.table === "reshare-runs" ? [{ ...one, kind: "take", version: 1 } as const] : [],
  )
  const told = { keys: [], children: [], signatures: [], shares: [] }
  const dropped = [...until, { ...confirmed, changes, events: [] }]
  assert.deepEqual(complaints({ ...told, commits: until }, operated), [])
  assert.deepEqual(complaints({ ...told, commits: dropped }, operated), ["erasure"])
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
