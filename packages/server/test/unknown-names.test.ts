import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type AccountRange,
  accountRange,
  isInRange,
  isRangeEnd,
  LAST_ACCOUNT_ID,
  LockKeeperError,
  rangeEnd,
} from "@lockkeeper/api"
import { type Bytes, compareBytes, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { readDecoy } from "../src/decoy-account.ts"
import {
  generationOf,
  movedOn,
  moveUnknownNames,
  readUnknownNames,
  type UnknownNames,
  unknownNamesRow,
} from "../src/unknown-names.ts"
import { confirmRefresh, putInForce, refreshAccounts } from "./account-refresh.ts"
import { restart, startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"

const NONE_MOVED: UnknownNames = {
  rosterEpoch: 1,
  ranges: [{ to: LAST_ACCOUNT_ID, generation: 1, minSigners: 2, standing: "settled" }],
}

/** The seconds in which passes began: the cluster's clock stands still a while later. */
const [FIRST_PASS, SECOND_PASS] = [1_699_999_000, 1_699_999_500]

/** What a stranger sees of a name at every server, but for what is fresh in each answer. */
async function seen(owner: TestOwner) {
  const { opened } = await owner.startLogin("guess", owner.servers)
  return opened.map(({ answer }) => {
    assert.ok(answer.kind === "login")
    const { response, guessesRemaining } = answer
    const { frame } = decode(opaque.loginResponseCodec, response)
    const { shownVersion, stretching, vector, rosterEpoch } = frame
    const length = response.length
    return {
      vector: vector.map(toHex),
      shownVersion,
      stretching,
      rosterEpoch,
      length,
      guessesRemaining,
    }
  })
}

type Seen = Awaited<ReturnType<typeof seen>>

/** How what is seen of a name changes: what two names have in common that are in one range. */
function change(before: Seen, after: Seen) {
  return after.map((now, i) => {
    const was = before[i]!
    return {
      constantTerm: now.vector[0] === was.vector[0] ? "the same" : "another",
      otherTerms: now.vector.slice(1).map((term, k) => term === was.vector[k + 1]),
      isAsFirstServers: now.vector.join() === after[0]!.vector.join(),
      sameVersion: now.shownVersion === was.shownVersion,
      stretching: now.stretching,
      lengths: [now.length, was.length],
      guesses: was.guessesRemaining - now.guessesRemaining,
      rosterEpoch: now.rosterEpoch,
    }
  })
}

const byId = (a: TestOwner, b: TestOwner) => compareBytes(a.accountId, b.accountId)

/** Names that exist and names that do not, each in the order of their ids. */
async function names(cluster: TestCluster, count: number) {
  const named = (prefix: string) =>
    Array.from({ length: count }, (_, i) => new TestOwner(cluster, `${prefix} ${i}`)).sort(byId)
  const [real, unknown] = [named("real"), named("unknown")]
  for (const owner of real) await owner.register("right")
  return { real, unknown }
}

test("over a refresh in batches unknown names change when, where and how accounts do", async () => {
  const cluster = await startCluster({ minSigners: 2 })
  const { real, unknown } = await names(cluster, 4)
  const everyone = [...real, ...unknown]
  const middle = rangeEnd(real[1]!.accountId, real[2]!.accountId)
  const ranges: AccountRange[] = [
    { after: null, to: middle, generation: FIRST_PASS },
    { after: middle, to: LAST_ACCOUNT_ID, generation: FIRST_PASS },
  ]
  const look = () => Promise.all(everyone.map(seen))
  let before = await look()
  for (const range of ranges) {
    const owners = real.filter(({ accountId }) => isInRange(range, accountId))
    const batch = await confirmRefresh(cluster, owners)
    // One server after the other, as a coordinator comes to them.
    for (const server of cluster.servers.values()) {
      await putInForce(server, batch, owners, range)
      const after = await look()
      const kinds = new Set<string>()
      everyone.forEach((owner, i) => {
        const moved = JSON.stringify(change(before[i]!, after[i]!))
        const inRange = isInRange(range, owner.accountId)
        kinds.add(`${inRange} ${moved}`)
        const term = change(before[i]!, after[i]!)[server.identifier - 1]!
        assert.equal(term.constantTerm, "the same")
        assert.deepEqual(term.otherTerms, [!inRange], owner.name)
      })
      // Whether a name exists makes no difference, and whether it is in the range makes one.
      assert.equal(kinds.size, 2, [...kinds].join("\n"))
      before = after
    }
  }
})

test("a server that misses a batch, or comes to it late, answers alike for both kinds of names", async () => {
  const cluster = await startCluster()
  const { real, unknown } = await names(cluster, 2)
  const [one, two, three] = [...cluster.servers.values()] as [TestServer, TestServer, TestServer]
  const everyone = { after: null, to: LAST_ACCOUNT_ID }
  const first = await confirmRefresh(cluster, real)
  for (const server of [one, two]) {
    await putInForce(server, first, real, { ...everyone, generation: FIRST_PASS })
  }
  const agree = async (owner: TestOwner) => {
    const vectors = (await seen(owner)).map(({ vector }) => vector.join())
    return vectors.map((vector) => vectors.indexOf(vector))
  }
  for (const owner of [...real, ...unknown]) assert.deepEqual(await agree(owner), [0, 0, 2])
  await putInForce(three, first, real, { ...everyone, generation: FIRST_PASS })
  for (const owner of [...real, ...unknown]) assert.deepEqual(await agree(owner), [0, 0, 0])
})

test("the generation of unknown names survives a restart", async () => {
  const cluster = await startCluster()
  const { real, unknown } = await names(cluster, 1)
  const before = await seen(unknown[0]!)
  const range = { after: null, to: LAST_ACCOUNT_ID, generation: FIRST_PASS }
  await refreshAccounts(cluster, real, range)
  const moved = await seen(unknown[0]!)
  await restart(cluster, 2)
  const again = await seen(unknown[0]!)
  assert.deepEqual(
    again.map(({ vector }) => vector),
    moved.map(({ vector }) => vector),
  )
  assert.notDeepEqual(moved[1]!.vector, before[1]!.vector)
})

test("where accounts were refreshed, what is read in place of none is as long as they are", async () => {
  const cluster = await startCluster()
  const { real } = await names(cluster, 1)
  const [server] = cluster.servers.values()
  const generation = async () => (await readDecoy(server!.store)).active.oprf
  await server!.server.tidy()
  assert.equal(await generation(), null)
  const range = { after: null, to: LAST_ACCOUNT_ID, generation: FIRST_PASS }
  await refreshAccounts(cluster, real, range)
  await server!.server.tidy()
  const decoy = await generation()
  assert.equal(decoy?.certificate.sharing.verifyingShares.size, 3)
  await restart(cluster, 1)
  assert.ok((await generation()) !== null)
})

const id = (first: number): Bytes => new Uint8Array(32).fill(0xff).fill(first, 0, 1)

const range = (after: number | null, to: number, generation: number): AccountRange => ({
  after: after === null ? null : id(after),
  to: to === 0xff ? LAST_ACCOUNT_ID : id(to),
  generation,
})

const ranges = ({ ranges }: UnknownNames) => ranges.map(({ to, generation }) => [to[0], generation])

test("ranges move on by themselves, and join where they come to the same", () => {
  let names = movedOn(NONE_MOVED, range(null, 0x40, 2))
  assert.deepEqual(ranges(names), [
    [0x40, 2],
    [0xff, 1],
  ])
  assert.deepEqual(
    [0, 0x40, 0x41].map((at) => generationOf(names, id(at))),
    [2, 2, 1],
  )
  names = movedOn(names, range(0x80, 0xff, 2))
  assert.deepEqual(ranges(names), [
    [0x40, 2],
    [0x80, 1],
    [0xff, 2],
  ])
  // The one that was missed comes late.
  names = movedOn(names, range(0x40, 0x80, 2))
  assert.deepEqual(ranges(names), [[0xff, 2]])
  names = movedOn(names, range(0x20, 0x60, 5))
  assert.deepEqual(ranges(names), [
    [0x20, 2],
    [0x60, 5],
    [0xff, 2],
  ])
  // An earlier pass moves nothing back.
  assert.deepEqual(movedOn(names, range(0x20, 0x60, 3)), names)
  names = movedOn(names, range(0x10, 0x70, 4))
  assert.deepEqual(ranges(names), [
    [0x10, 2],
    [0x20, 4],
    [0x60, 5],
    [0x70, 4],
    [0xff, 2],
  ])
  assert.deepEqual(ranges(movedOn(names, range(null, 0xff, 6))), [[0xff, 6]])
})

test("a range that no batch may have is refused by its field, and nothing moves", async () => {
  const cluster = await startCluster()
  const [server] = cluster.servers.values()
  const { deps } = server!
  const inside = [id(0x20)]
  const account = id(0x30).fill(0xfe, 31)
  for (const [given, ids, code, field] of [
    [range(0x40, 0x40, FIRST_PASS), [], "invalid-request", "body.range.to"],
    [range(0x40, 0x30, FIRST_PASS), [], "invalid-request", "body.range.to"],
    [range(0x20, 0x40, FIRST_PASS), inside, "invalid-request", "body.range"],
    [range(0x10, 0x1f, FIRST_PASS), inside, "invalid-request", "body.range"],
    [{ ...range(0x10, 0x40, FIRST_PASS), to: account }, inside, "invalid-request", "body.range.to"],
    [
      { ...range(0x10, 0x40, FIRST_PASS), after: account },
      [],
      "invalid-request",
      "body.range.after",
    ],
    [range(0x10, 0x40, 1), inside, "invalid-request", "body.range.generation"],
    [range(0x10, 0x40, 0), inside, "invalid-request", "body.range.generation"],
    [range(0x10, 0x40, 1_800_000_000), inside, "clock-skew", "body.range.generation"],
  ] as const) {
    await assert.rejects(
      moveUnknownNames(deps, given, ids),
      (error) => error instanceof LockKeeperError && error.code === code && error.field === field,
    )
  }
  assert.deepEqual((await readUnknownNames(deps.store)).value, NONE_MOVED)
  await deps.store.commit(await moveUnknownNames(deps, range(0x10, 0x20, FIRST_PASS), inside))
  await deps.store.commit(await moveUnknownNames(deps, range(0x10, 0x20, FIRST_PASS), inside))
  const { value, version } = await readUnknownNames(deps.store)
  assert.deepEqual(ranges(value), [
    [0x10, 1],
    [0x20, FIRST_PASS],
    [0xff, 1],
  ])
  assert.equal(version, 2)
})

test("too many ranges of their own are refused, and one pass over all of them is not", async () => {
  const cluster = await startCluster()
  const [server] = cluster.servers.values()
  const { deps } = server!
  const at = (i: number): Bytes =>
    id(0)
      .fill(i >> 8, 0, 1)
      .fill(i & 0xff, 1, 2)
  const one = (i: number) => ({ after: at(2 * i), to: at(2 * i + 1), generation: FIRST_PASS })
  let moved = 0
  const isTooMany = (error: unknown) =>
    error instanceof LockKeeperError && error.code === "too-large"
  for (; moved < 127; moved++) await deps.store.commit(await moveUnknownNames(deps, one(moved), []))
  await assert.rejects(moveUnknownNames(deps, one(moved), []), isTooMany)
  const pass = { after: null, to: LAST_ACCOUNT_ID, generation: SECOND_PASS }
  await deps.store.commit(await moveUnknownNames(deps, pass, []))
  assert.deepEqual(ranges((await readUnknownNames(deps.store)).value), [[0xff, SECOND_PASS]])
})

test("a range ends between two accounts at the shortest prefix that sets them apart", () => {
  const padded = (...bytes: number[]): Bytes => Uint8Array.of(...bytes, ...new Uint8Array(30))
  for (const [last, next, end] of [
    [padded(0, 1), padded(0xff, 0), [0x7f, 0xff]],
    [padded(0x40, 1), padded(0x41, 0), [0x40, 0xff]],
    [padded(0x40, 1), padded(0x40, 2), [0x40, 0x01]],
    [padded(0x40, 0x10), padded(0x40, 0x9f), [0x40, 0x7f]],
    [padded(0x7f, 0xff), padded(0x80, 0), [0x7f, 0xff]],
  ] as const) {
    const made = rangeEnd(last, next)
    assert.deepEqual([...made.subarray(0, 2)], end)
    assert.ok(compareBytes(last, made) <= 0 && compareBytes(made, next) < 0 && isRangeEnd(made))
    assert.throws(() => rangeEnd(next, last), RangeError)
    assert.throws(() => rangeEnd(last, last), RangeError)
  }
  assert.equal(isRangeEnd(padded(1, 2)), false)
})

test("rows of unknown names come back as they were, and others are refused", () => {
  const names = movedOn(movedOn(NONE_MOVED, range(0x10, 0x20, 2)), range(0x80, 0x90, 3))
  const encoded = encode(unknownNamesRow, names)
  assert.deepEqual(decode(unknownNamesRow, encoded), names)
  const [first, second, ...rest] = names.ranges
  for (const torn of [[], [first, second], [second, first, ...rest], [first, first, ...rest]]) {
    const bytes = encode(unknownNamesRow, { ...names, ranges: torn as UnknownNames["ranges"] })
    assert.throws(
      () => decode(unknownNamesRow, bytes),
      (error) => error instanceof DecodeError && /do not cover all ids once/.test(error.message),
    )
  }
  for (const given of [range(null, 3, 4), range(2, 3, 4)]) {
    assert.deepEqual(decode(accountRange, encode(accountRange, given)), given)
  }
})
