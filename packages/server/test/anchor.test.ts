import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { eventCodec, LockKeeperError, rosterDigest, type SignedRoster } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { findAnchor, judgeStore, removeAnchor, writeAnchor } from "../src/directory/anchor.ts"
import { FILES } from "../src/directory/layout.ts"
import { installRoster } from "../src/directory/roster.ts"
import { type Unsealed, unsealServer } from "../src/directory/unseal.ts"
import { readIncarnation } from "../src/incarnation.ts"
import type { StoreCondition } from "../src/key-server.ts"
import type { LogPosition } from "../src/ports/store.ts"
import { runServer } from "../src/run-server.ts"
import {
  closeAll,
  enrol,
  makeServer,
  RecordedEvents,
  rosterOf,
  scratch,
  seal,
  start,
  type TestServer,
  testConfig,
} from "./server-directories.ts"

after(closeAll)

async function single(): Promise<TestServer> {
  const server = await makeServer("alpha")
  await enrol([server], rosterOf([server], 1))
  return server
}

const anchorOf = ({ directory }: TestServer) => join(directory, FILES.anchor)
const databaseOf = ({ directory }: TestServer) => join(directory, FILES.database)

/** Starts and stops in order; what the start took the store for, and what it told the operator. */
async function condition(server: TestServer): Promise<StoreCondition> {
  const events = new RecordedEvents()
  const running = await start(server, {}, events)
  assert.equal(existsSync(anchorOf(server)), false, "gone while the server runs")
  const found = running.server.storeCondition
  const told = events.seen.some(([name]) => name === "store-restored")
  assert.equal(told, found === "restored")
  await running.close()
  return found
}

async function unsealed<T>(server: TestServer, work: (opened: Unsealed) => Promise<T>): Promise<T> {
  const opened = await unsealServer(server.directory, seal(), systemRandomness)
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}

/** What an anchor of this stopped server would say, and who would sign it. */
function endOf(server: TestServer) {
  return unsealed(server, async ({ store, secrets: { identity } }) => {
    const position = (await store.logPosition()) as LogPosition
    const incarnation = (await readIncarnation(store))?.id as Bytes
    return { end: { ...position, incarnation, pool: new Uint8Array(32) }, identity }
  })
}

type End = Awaited<ReturnType<typeof endOf>>["end"]

const changed = (bytes: Bytes): Bytes => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))

/** A copy of the directory, as tools make it that keep modes and times. */
function copyOf({ directory, descriptor }: TestServer): TestServer {
  const copy = join(scratch(), "copy")
  execFileSync("cp", ["-a", directory, copy])
  return { directory: copy, descriptor }
}

test("an orderly stop leaves an owner-only anchor, and the store is as it was left", async () => {
  const server = await single()
  assert.equal(await condition(server), "unclean")
  assert.equal(statSync(anchorOf(server)).mode & 0o777, 0o600)
  assert.equal(await condition(server), "orderly")
  assert.equal(await condition(server), "orderly")
})

test("what a crash leaves is unclean, and nothing but a crash", async () => {
  const server = await single()
  await condition(server)
  const running = await start(server)
  const crashed = copyOf(server)
  await running.close()
  assert.equal(await condition(crashed), "unclean")
  assert.equal(await condition(server), "orderly")
})

test("a database that was put back is found out, logged and shown", async () => {
  const server = await single()
  await condition(server)
  const kept = `${databaseOf(server)}.kept`
  copyFileSync(databaseOf(server), kept)
  await condition(server)
  copyFileSync(kept, databaseOf(server))
  assert.equal(await condition(server), "restored")
  const events = await unsealed(server, async ({ store }) =>
    (await store.entries(0, 256)).map(({ event }) => decode(eventCodec, event)),
  )
  // It starts, and confirms no generation of shares any more.
  assert.deepEqual(
    events
      .filter(({ reason }) => reason !== "")
      .map(({ operation, reason }) => [operation, reason]),
    [
      ["server.start", "store-restored"],
      ["reshare.refuse", "store-restored"],
    ],
  )
  assert.equal(await condition(server), "orderly")
})

test("a directory that was put back with its anchor is found out", async () => {
  const server = await single()
  await condition(server)
  const copy = copyOf(server)
  assert.deepEqual(readFileSync(anchorOf(copy)), readFileSync(anchorOf(server)))
  assert.equal(await condition(copy), "restored")

  const back = copyOf(server)
  await condition(server)
  execFileSync("cp", ["-a", `${back.directory}/.`, server.directory])
  assert.equal(await condition(server), "restored")
})

test("an anchor of another position, head, process or file does not vouch for the store", async () => {
  const server = await single()
  await condition(server)
  const wrong: readonly [string, (end: End) => End][] = [
    ["index", (end) => ({ ...end, index: end.index - 1 })],
    ["head", (end) => ({ ...end, head: changed(end.head) })],
    ["process", (end) => ({ ...end, incarnation: changed(end.incarnation) })],
  ]
  for (const [name, alter] of wrong) {
    const { end, identity } = await endOf(server)
    writeAnchor(server.directory, alter(end), identity)
    assert.equal(await condition(server), "restored", name)
    const next = await endOf(server)
    writeAnchor(server.directory, next.end, next.identity)
    assert.equal(await condition(server), "orderly", `${name}, as it is`)
  }
  const { mode } = statSync(databaseOf(server))
  chmodSync(databaseOf(server), mode)
  assert.equal(await condition(server), "restored", "file")
})

test("an anchor that the server did not sign does not vouch for the store", async () => {
  const server = await single()
  await condition(server)
  const other = await endOf(await withStop())
  const { end } = await endOf(server)
  writeAnchor(server.directory, end, other.identity)
  assert.equal(await condition(server), "restored")
  for (const write of [
    (anchor: Uint8Array) => anchor.with(-1, (anchor.at(-1) as number) ^ 1),
    (anchor: Uint8Array) => anchor.subarray(1),
    () => new Uint8Array(0),
  ]) {
    writeFileSync(anchorOf(server), write(new Uint8Array(readFileSync(anchorOf(server)))))
    assert.equal(await condition(server), "restored")
  }
})

async function withStop(): Promise<TestServer> {
  const server = await single()
  await condition(server)
  return server
}

test("an anchor beside a store that nobody stopped does not vouch for it", async () => {
  const server = await single()
  const running = await start(server)
  const crashed = copyOf(server)
  await running.close()
  const { end, identity } = await endOf(crashed)
  writeAnchor(crashed.directory, end, identity)
  assert.equal(await condition(crashed), "restored")
})

test("an orderly start hands on what the process before vouched for of its pool, no other does", async () => {
  const server = await withStop()
  const pool = new Uint8Array(32).fill(9)
  const { end, identity } = await endOf(server)
  const verdict = () =>
    unsealed(server, ({ store }) =>
      judgeStore(findAnchor(server.directory), store, identity.publicKey),
    )
  writeAnchor(server.directory, { ...end, pool }, identity)
  assert.deepEqual(await verdict(), { condition: "orderly", pool })
  writeAnchor(server.directory, { ...end, pool, index: end.index + 1 }, identity)
  assert.deepEqual(await verdict(), { condition: "restored", pool: null })
  removeAnchor(server.directory)
  assert.deepEqual(await verdict(), { condition: "unclean", pool: null })
})

test("a start that is refused leaves the store as the last orderly stop did", async () => {
  const [server, other] = [await single(), await single()]
  await condition(server)
  const base = { directory: server.directory, config: testConfig(), events: new RecordedEvents() }
  const misconfigured = { code: "misconfigured" }
  await assert.rejects(runServer({ ...base, seal: seal("wrong") }), misconfigured)
  const behind = { now: () => Date.now() - 3_600_000 }
  await assert.rejects(runServer({ ...base, seal: seal(), clock: behind }), misconfigured)
  const running = await start(other)
  const taken = { host: "127.0.0.1", port: running.port }
  await assert.rejects(start(server, { listen: taken }), misconfigured)
  await running.close()
  await unsealed(server, async () => undefined)
  assert.equal(await condition(server), "orderly")
})

test("installing a roster is neither an orderly stop nor a restored store", async () => {
  const server = await makeServer("alpha")
  const roster = rosterOf([server], 1)
  const bundle = await enrol([server], roster)
  await condition(server)
  await unsealed(server, (opened) => assert.rejects(installRoster(opened, bundle)))
  assert.equal(await condition(server), "orderly")
  const previousDigest = rosterDigest((bundle.chain[0] as SignedRoster).roster)
  await enrol([server], { ...roster, rosterEpoch: 2, previousDigest }, bundle.chain)
  assert.equal(await condition(server), "unclean")
})

test("an anchor that others can read is refused by name", async () => {
  const server = await withStop()
  chmodSync(anchorOf(server), 0o644)
  await assert.rejects(
    start(server),
    (error) => error instanceof LockKeeperError && error.field === "anchor" && error.remedy !== "",
  )
})
