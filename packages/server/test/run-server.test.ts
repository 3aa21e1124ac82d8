import assert from "node:assert/strict"
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { createClient } from "@connectrpc/connect"
import { createConnectTransport } from "@connectrpc/connect-node"
import {
  decodeRosterChain,
  encodeRoster,
  LockKeeperError,
  openChain,
  openRoster,
  signedRosterCodec,
  wire,
} from "@lockkeeper/api"
import { decode } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { readConfig } from "../src/config/read.ts"
import { readDescriptor } from "../src/directory/descriptor.ts"
import { initialiseServer } from "../src/directory/init.ts"
import { installRoster, signRosterAs } from "../src/directory/roster.ts"
import { joinRoster } from "../src/directory/roster-bundle.ts"
import { unsealServer } from "../src/directory/unseal.ts"
import { runServer } from "../src/run-server.ts"
import { VERSION } from "../src/version.ts"
import {
  certify,
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

function refusal(field: string, message: RegExp) {
  return (error: unknown): true => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(error.field, field)
    assert.match(error.message, message)
    assert.notEqual(error.remedy, "")
    return true
  }
}

function client(port: number) {
  return createClient(
    wire.KeyServerService,
    createConnectTransport({
      baseUrl: `https://127.0.0.1:${port}`,
      httpVersion: "2",
      nodeOptions: { rejectUnauthorized: false },
    }),
  )
}

async function single(): Promise<TestServer> {
  const server = await makeServer("alpha")
  await enrol([server], rosterOf([server], 1))
  return server
}

test("three servers are made, enrolled and answer health, version and roster", async () => {
  const servers = [await makeServer("alpha"), await makeServer("beta"), await makeServer("gamma")]
  const roster = rosterOf(servers, 2)
  await enrol(servers, roster)
  for (const [i, made] of servers.entries()) {
    const running = await start(made)
    const calls = client(running.port)
    const health = await calls.getHealth({})
    assert.equal(health.state, wire.GetHealthResponse_State.READY)
    assert.equal(health.server, i + 1)
    assert.equal(health.rosterEpoch, 1)
    assert.ok(Math.abs(Number(health.timeMs) - Date.now()) < 60_000)
    const version = await calls.getVersion({})
    assert.deepEqual([version.version, version.protocolVersion], [VERSION, 1])
    assert.equal(version.backends.length, 3)
    const { signedRoster, rosterChain } = await calls.getRoster({})
    assert.deepEqual(openRoster(decode(signedRosterCodec, signedRoster)), roster)
    assert.deepEqual(openChain(decodeRosterChain(rosterChain)).inForce.roster, roster)
    await running.close()
    await running.close()
    await assert.rejects(calls.getHealth({}))
  }
})

test("the version is that of the package", () => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8")
  assert.equal(VERSION, (JSON.parse(text) as { version: string }).version)
})

test("init writes owner-only files, a readable descriptor and no key in the clear", async () => {
  const { directory, descriptor } = await makeServer("alpha")
  assert.equal(statSync(directory).mode & 0o077, 0)
  for (const name of ["seal", "database.sqlite", "descriptor.json", "server.json"]) {
    assert.equal(statSync(join(directory, name)).mode & 0o077, 0, name)
  }
  const written = readFileSync(join(directory, "descriptor.json"), "utf8")
  assert.deepEqual(readDescriptor(written), descriptor)
  assert.throws(
    () => readDescriptor(written.replace("alpha operator", "other operator")),
    refusal("descriptor.signature", /not signed/),
  )
  assert.throws(
    () => readDescriptor(written.replace('"name"', '"names"')),
    refusal("descriptor.name", /malformed/),
  )
  for (const operator of ["o".repeat(65), "\ud800"]) {
    const changed = JSON.stringify({ ...JSON.parse(written), operator })
    assert.throws(() => readDescriptor(changed), refusal("descriptor.operator", /up to 64 bytes/))
  }
  assert.throws(() => readDescriptor("{"), refusal("descriptor.", /not JSON/))
  assert.equal(readConfig(directory).listen.host, "127.0.0.1")
})

test("init never overwrites a server", async () => {
  const { directory } = await makeServer("alpha")
  const place = { name: "a", url: "https://a", operator: "", cloud: "", jurisdiction: "" }
  const options = { directory, place, seal: seal(), randomness: systemRandomness }
  await assert.rejects(initialiseServer(options), refusal("directory", /already holds a server/))
})

test("a server that is in no roster, or another server's, does not start", async () => {
  const [alpha, beta] = [await makeServer("alpha"), await makeServer("beta")]
  await assert.rejects(start(alpha), refusal("roster", /in no roster/))
  const roster = encodeRoster(rosterOf([beta], 1))
  const unsealed = await unsealServer(alpha.directory, seal(), systemRandomness)
  assert.throws(
    () => signRosterAs(unsealed, roster, systemRandomness),
    refusal("members", /does not list this server/),
  )
  await unsealed.close()
})

test("a roster that lists another key for the server, or lacks a signature, is refused", async () => {
  const [alpha, beta] = [await makeServer("alpha"), await makeServer("beta")]
  const unsealed = await unsealServer(alpha.directory, seal(), systemRandomness)
  const good = rosterOf([alpha], 1)
  const member = good.members[0] as (typeof good.members)[number]
  const cases = [
    ["channelKey", { ...member, channelKey: beta.descriptor.channelKey }],
    ["opaqueKey", { ...member, opaqueKey: beta.descriptor.opaqueKey }],
  ] as const
  for (const [field, changed] of cases) {
    const roster = encodeRoster({ ...good, members: [changed] })
    assert.throws(
      () => signRosterAs(unsealed, roster, systemRandomness),
      refusal(`members.alpha.${field}`, /another/),
    )
  }
  const both = encodeRoster(rosterOf([alpha, beta], 2))
  const mine = signRosterAs(unsealed, both, systemRandomness)
  assert.throws(() => joinRoster([mine]), refusal("signatures.2", /beta/))
  const alone = signRosterAs(unsealed, encodeRoster(good), systemRandomness)
  assert.throws(() => joinRoster([mine, alone]), refusal("signatures.1", /another roster/))
  const bundle = joinRoster([alone])
  await assert.rejects(
    installRoster(unsealed, { ...bundle, contributions: [] }),
    refusal("seed.1", /missing/),
  )
  await installRoster(unsealed, bundle)
  await assert.rejects(installRoster(unsealed, bundle), refusal("rosterEpoch", /not the next/))
  await unsealed.close()
})

test("a wrong passphrase, a damaged seal and swapped databases are refused by name", async () => {
  const [alpha, beta] = [await single(), await makeServer("beta")]
  const run = (passphrase: string) =>
    runServer({
      directory: alpha.directory,
      config: testConfig(),
      seal: seal(passphrase),
      events: new RecordedEvents(),
    })
  await assert.rejects(run("wrong"), refusal("seal", /passphrase is wrong/))
  const path = join(alpha.directory, "seal")
  const record = readFileSync(path)
  writeFileSync(path, record.subarray(1))
  await assert.rejects(start(alpha), refusal("seal", /damaged/))
  writeFileSync(path, record)
  const database = join(alpha.directory, "database.sqlite")
  copyFileSync(database, `${database}.kept`)
  copyFileSync(join(beta.directory, "database.sqlite"), database)
  await assert.rejects(start(alpha), refusal("store.file", /not sealed under this server's key/))
  writeFileSync(database, "")
  await assert.rejects(start(alpha), refusal("store.file", /holds no server/))
  copyFileSync(`${database}.kept`, database)
  await (await start(alpha)).close()
})

test("files that others can read, and missing ones, are refused by name", async () => {
  const server = await single()
  const at = (name: string): string => join(server.directory, name)
  const cases: [string, string][] = [
    ["seal", "seal"],
    ["database.sqlite", "store.file"],
    ["tls.key", "tls.key"],
  ]
  for (const [name, field] of cases) {
    for (const mode of [0o604, 0o640, 0o602]) {
      chmodSync(at(name), mode)
      await assert.rejects(start(server), refusal(field, /Others can/), `${name} ${mode}`)
    }
    chmodSync(at(name), 0o600)
  }
  chmodSync(at("tls.crt"), 0o666)
  await assert.rejects(start(server), refusal("tls.certificate", /Others can write/))
  chmodSync(at("tls.crt"), 0o644)
  chmodSync(at("server.json"), 0o666)
  assert.throws(() => readConfig(server.directory), refusal("config", /Others can write/))
  chmodSync(server.directory, 0o750)
  await assert.rejects(start(server), refusal("directory", /Others can enter/))
  chmodSync(server.directory, 0o700)
  await (await start(server)).close()
  await assert.rejects(
    start({ ...server, directory: join(server.directory, "none") }),
    refusal("tls.certificate", /no file/),
  )
})

test("certificates that are expired, early, foreign or unreadable are refused", async () => {
  const server = await single()
  const day = 24 * 3_600_000
  const run = (clock: () => number) =>
    runServer({
      directory: server.directory,
      config: testConfig(),
      seal: seal(),
      events: new RecordedEvents(),
      clock: { now: clock },
    })
  await assert.rejects(
    run(() => Date.now() + 31 * day),
    refusal("tls.certificate", /expired/),
  )
  await assert.rejects(
    run(() => Date.now() - 3 * day),
    refusal("tls.certificate", /not valid before/),
  )
  const key = readFileSync(join(server.directory, "tls.key"))
  certify(server.directory, "other")
  copyFileSync(join(server.directory, "other.key"), join(server.directory, "tls.key"))
  await assert.rejects(start(server), refusal("tls.key", /not the certificate's/))
  writeFileSync(join(server.directory, "tls.key"), "no key")
  await assert.rejects(start(server), refusal("tls.key", /cannot be read/))
  writeFileSync(join(server.directory, "tls.key"), key)
  writeFileSync(join(server.directory, "tls.crt"), "no certificate")
  await assert.rejects(start(server), refusal("tls.certificate", /cannot be read/))
})

test("a clock behind the roster or the log is refused", async () => {
  const server = await makeServer("alpha")
  const roster = rosterOf([server], 1)
  await enrol([server], { ...roster, createdAt: Date.now() + 10 * 60_000 })
  await assert.rejects(start(server), refusal("clock", /roster's making/))

  const other = await single()
  const ahead = await runServer({
    directory: other.directory,
    config: testConfig(),
    seal: seal(),
    events: new RecordedEvents(),
    clock: { now: () => Date.now() + 3_600_000 },
  })
  await ahead.close()
  await assert.rejects(start(other), refusal("clock", /own last log entry/))
})

test("a directory belongs to one process, a port to one server", async () => {
  const [alpha, beta] = [await single(), await single()]
  const running = await start(alpha)
  await assert.rejects(start(alpha), refusal("directory", /Another process/))
  await assert.rejects(
    start(beta, { listen: { host: "127.0.0.1", port: running.port } }),
    refusal("listen.port", /EADDRINUSE/),
  )
  await assert.rejects(
    start(beta, { listen: { host: "203.0.113.1", port: 0 } }),
    refusal("listen.host", /EADDRNOTAVAIL/),
  )
  await running.close()
  await (await start(alpha)).close()
  await (await start(beta)).close()
})

test("starts and stops are logged, and an unclean stop is noticed", async () => {
  const server = await single()
  const events = new RecordedEvents()
  const names = () => events.seen.map(([name]) => name)
  await (await start(server, {}, events)).close()
  await (await start(server, {}, events)).close()
  assert.ok(!names().includes("unclean-stop"))
  // A copy taken while the server runs is what is left after kill -9.
  const copy = join(scratch(), "crashed")
  const running = await start(server, {}, events)
  const { execFileSync } = await import("node:child_process")
  execFileSync("cp", ["-a", server.directory, copy])
  await running.close()
  const again = await start({ ...server, directory: copy }, {}, events)
  assert.ok(names().includes("unclean-stop"))
  await again.close()
  assert.ok(existsSync(join(copy, "lock")))
})
