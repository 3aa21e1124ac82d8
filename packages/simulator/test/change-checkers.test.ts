import assert from "node:assert/strict"
import { before, test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import type { Table } from "@lockkeeper/server"
import { keyRow, reshareRunRow } from "@lockkeeper/server/rows"
import { violationsOf } from "../src/sim/checkers/index.ts"
import type { Commit, Observed } from "../src/sim/observed.ts"
import { runSeed } from "../src/sim/run.ts"

// Each checker is shown a real run in which servers came and went, and one thing is not as it was.

/** A run in which all shares go from servers 1 to 3 to servers 4 to 6, to its end. */
const SEED = 7

let observed: Observed

before(async () => {
  const report = await runSeed(SEED, "liveness")
  assert.deepEqual(report.violations, [])
  observed = report.observed
})

/** What is said of a run with other commits. */
function said(commits: readonly Commit[], doctored: Partial<Observed> = {}): readonly string[] {
  const told = { keys: [], children: [], signatures: [], accounts: [] }
  return violationsOf({ ...observed, ...told, commits, ...doctored }).map(
    ({ checker, message }) => `${checker}: ${message}`,
  )
}

function assertSaid(found: readonly string[], pattern: RegExp): void {
  assert.match(found.join("\n"), pattern)
}

function find(such: (commit: Commit) => boolean): Commit {
  const commit = observed.commits.find(such)
  assert.ok(commit !== undefined, "the run has nothing like it: choose another seed")
  return commit
}

function puts(commit: Commit, table: Table, such: (value: Bytes) => boolean): boolean {
  return commit.changes.some((one) => one.kind === "put" && one.table === table && such(one.value))
}

function erases({ changes, events }: Commit): boolean {
  const isTaken = changes.some(({ kind, table }) => kind === "take" && table === "keys")
  return isTaken && events.some(({ operation }) => operation === "reshare.leave")
}

const epochOf = (value: Bytes): number => decode(keyRow, value).keyPackage.public.keyEpoch

function confirms(value: Bytes): boolean {
  const { kind, stage } = decode(reshareRunRow, value)
  return kind === "keys" && stage.kind === "judged" && stage.state.pending !== null
}

test("the run moves everything, its rosters follow each other, and who has left is destroyed", () => {
  assert.deepEqual(
    observed.rosters.map(({ rosterEpoch, members }) => [rosterEpoch, members.length]),
    [
      [1, 3],
      [2, 6],
      [3, 3],
    ],
  )
  assert.deepEqual([...observed.retired].sort(), [1, 2, 3])
  assert.ok(observed.commits.some(erases))
  for (const { server, tables } of observed.durable) {
    assert.equal(tables.get("keys")?.size === 0, server <= 3, `server ${server}`)
  }
})

test("a member that erases its share before a quorum has a later one is noticed", () => {
  const early = find(erases)
  const confirming = observed.commits.filter((one) => puts(one, "reshare-runs", confirms))
  const [first] = confirming
  assert.ok(first !== undefined && confirming.length >= 3)
  const at = observed.commits.indexOf(first)
  const until = observed.commits.slice(0, at)
  const found = said([...until, early])
  assertSaid(
    found,
    /^erasure: server \d has erased generation 1 of \w+ of the keys, and no quorum/m,
  )
})

test("that fewer than t servers hold the latest generation is noticed at once", () => {
  const leaving = observed.commits.filter(erases)
  assert.equal(leaving.length, 3)
  const confirmation = find((one) => puts(one, "reshare-runs", confirms))
  const until = observed.commits.slice(0, observed.commits.indexOf(confirmation))
  const found = said([...until, ...leaving.slice(0, 2)])
  assertSaid(found, /^usable: generation 1 of \w+ of the keys takes 2 servers and is at 1/m)
  const one = said([...until, ...leaving.slice(0, 1)])
  assert.ok(!one.some((what) => what.startsWith("usable")))
})

test("a share that comes back where it was erased is noticed", () => {
  const { server } = find(erases)
  const held = find((one) => one.server === server && puts(one, "keys", () => true))
  const changes = held.changes.filter(({ table }) => table === "keys")
  const found = said([...observed.commits, { ...held, changes, events: [] }])
  assertSaid(
    found,
    new RegExp(`^erased: server ${server} has generation 1 of .* in force again`, "m"),
  )
})

test("a share that whoever left still holds is noticed", () => {
  const retired = observed.durable.map(({ server }) => server)
  const found = said(observed.commits, { retired })
  assertSaid(found, /^erased: server [456] has left and holds generation 2/m)
})

test("shares of two generations that combine are noticed", () => {
  const early = find((one) => puts(one, "keys", (value) => epochOf(value) === 1))
  const share = early.changes.flatMap((one) =>
    one.kind === "put" && one.table === "keys" ? [decode(keyRow, one.value)] : [],
  )[0]
  assert.ok(share !== undefined)
  const { keyId } = share.keyPackage.public
  const other = observed.commits
    .filter(({ server }) => server !== early.server)
    .flatMap(({ changes }) => changes)
    .find((one) => one.kind === "put" && one.table === "keys" && isOf(one.value, keyId, 1))
  assert.ok(other?.kind === "put")
  // Of the earlier polynomial, as a share of the later generation at another server.
  const { signingShare, identifier } = decode(keyRow, other.value).keyPackage
  const commits = observed.commits.map((commit) => {
    const changes = commit.changes.map((one): Commit["changes"][number] => {
      if (one.kind !== "put" || one.table !== "keys" || !isOf(one.value, keyId, 2)) return one
      const row = decode(keyRow, one.value)
      const keyPackage = { ...row.keyPackage, signingShare: Secret.copyOf(signingShare.expose()) }
      return { ...one, value: encode(keyRow, { ...row, keyPackage }) }
    })
    return { ...commit, changes, server: commit.server === 4 ? identifier : commit.server }
  })
  assertSaid(said(commits), /^mixtures: shares of generation 1 .* and generation 2 .* combine/m)
})

function isOf(value: Bytes, keyId: Bytes, epoch: number): boolean {
  const { public: pkg } = decode(keyRow, value).keyPackage
  return pkg.keyEpoch === epoch && Buffer.from(pkg.keyId).equals(keyId)
}

test("a server that goes on to a roster under which its shares are of no use is noticed", () => {
  const settling = observed.commits.findLast(({ changes }) =>
    changes.some(({ table, id }) => table === "meta" && id === "roster"),
  )
  assert.ok(settling !== undefined && settling.server > 3)
  const moved = find((one) => puts(one, "keys", (value) => epochOf(value) === 2))
  const until = observed.commits.slice(0, observed.commits.indexOf(moved))
  const { server } = find((one) => puts(one, "keys", () => true))
  const found = said([...until, { ...settling, server }])
  assertSaid(
    found,
    new RegExp(`^stranded: server ${server} goes on to roster 3 with generation 1`, "m"),
  )
})
