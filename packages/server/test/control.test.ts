import assert from "node:assert/strict"
import { chmodSync, existsSync, lstatSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { after, test } from "node:test"
import {
  decodeCredential,
  eventCodec,
  LockKeeperError,
  openChain,
  type RosterChain,
  signedCredentialCodec,
  verifyCredential,
} from "@lockkeeper/api"
import { sha256 } from "@lockkeeper/crypto"
import { decode, fromHex, toHex } from "@lockkeeper/encoding"
import { listenForControl } from "../src/adapters/control-socket.ts"
import { systemClock, systemRandomness } from "../src/adapters/system.ts"
import { askServer } from "../src/control/ask.ts"
import { MAX_CONTROL_REQUEST } from "../src/control/requests.ts"
import { Counters } from "../src/counters.ts"
import { unsealServer } from "../src/directory/unseal.ts"
import { Incidents } from "../src/incidents/incidents.ts"
import { judgeEvidence } from "../src/incidents/judge.ts"
import type { Dependencies } from "../src/ports/dependencies.ts"
import type { ServerSelf } from "../src/self.ts"
import { equivocationBy } from "./evidence.ts"
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
} from "./server-directories.ts"

after(closeAll)

interface Recorded extends TestServer {
  readonly evidence: Uint8Array
}

/** A server that has recorded evidence against the second one of its roster. */
async function withIncident(): Promise<Recorded> {
  const servers = [await makeServer("alpha"), await makeServer("beta")]
  const { chain } = await enrol(servers, rosterOf(servers, 2))
  const [alpha, beta] = servers as [TestServer, TestServer]
  const culprit = await unsealServer(beta.directory, seal(), systemRandomness)
  const { roster } = openChain(chain).inForce
  const secrets = [culprit.secrets, culprit.secrets]
  const evidence = equivocationBy({ roster, secrets }, 2)
  await culprit.close()
  const unsealed = await unsealServer(alpha.directory, seal(), systemRandomness)
  const self = { identifier: 1, roster, rostersBefore: [] as RosterChain } as ServerSelf
  const events = new RecordedEvents()
  const deps = { store: unsealed.store, clock: systemClock, events } as Partial<Dependencies>
  const judged = judgeEvidence(self, evidence)
  assert.ok(judged.valid)
  const { changes } = new Incidents(self, deps as Dependencies, new Counters()).record(
    [judged.proof],
    "reported",
  )
  await unsealed.store.commit(changes)
  await unsealed.close()
  return { ...alpha, evidence }
}

const socketOf = ({ directory }: TestServer) => join(directory, "control.sock")

function refusal(code: string, field: string) {
  return (error: unknown): true => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(`${error.code} ${error.field}`, `${code} ${field}`)
    return true
  }
}

/** What a server answers to these bytes; empty when it closes the connection. */
async function say(server: TestServer, bytes: string): Promise<string> {
  const connection = connect(socketOf(server))
  connection.on("error", () => undefined)
  connection.end(bytes)
  let answer = ""
  connection.on("data", (chunk) => {
    answer += chunk
  })
  await new Promise((closed) => connection.once("close", closed))
  return answer
}

test("a running server certifies its operator's key, and only a key", async () => {
  const alpha = await withIncident()
  const running = await start(alpha)
  const publicKey = toHex(new Uint8Array(32).fill(9))
  const asked = { command: "operator.certify", publicKey } as const
  const { credential } = await askServer(alpha.directory, asked, "certified")
  const signed = decode(signedCredentialCodec, fromHex(credential))
  assert.ok(verifyCredential(signed, running.server.self.identity.publicKey))
  const { server, operatorKey } = decodeCredential(signed)
  assert.deepEqual([server, toHex(operatorKey)], [1, publicKey])
  for (const wrong of [publicKey.slice(2), `${publicKey}00`, publicKey.replace("0", "g"), ""]) {
    const ask = askServer(alpha.directory, { ...asked, publicKey: wrong }, "certified")
    await assert.rejects(ask, refusal("invalid-request", "publicKey"))
  }
  await running.close()
})

test("an operator lists, shows and clears what the server recorded, and the log keeps the note", async () => {
  const alpha = await withIncident()
  const running = await start(alpha)
  const { directory, evidence } = alpha
  const list = () => askServer(directory, { command: "incidents.list" }, "listed")
  const { server, quarantined, incidents } = await list()
  assert.deepEqual([server, quarantined, incidents.length], [1, [2], 1])
  const [incident] = incidents
  assert.equal(incident?.state, "quarantined")
  assert.deepEqual(incident?.servers, [{ server: 2, name: "beta", operator: "beta operator" }])
  const shown = await askServer(directory, { command: "incidents.show", number: 1 }, "shown")
  assert.deepEqual(shown.incident, incident)
  assert.equal(shown.evidence, toHex(new Uint8Array(evidence)))
  assert.ok(fromHex(shown.signedRoster).length > 100)

  const clear = { command: "incidents.clear", number: 1, note: " new disk, new keys " } as const
  const cleared = await askServer(directory, clear, "cleared")
  assert.deepEqual(cleared, { kind: "cleared", number: 1, quarantined: [] })
  assert.deepEqual(running.server.incidents.quarantined, [])
  const after = (await list()).incidents[0]
  assert.deepEqual([after?.state, after?.cleared?.note], ["cleared", "new disk, new keys"])
  await assert.rejects(askServer(directory, clear, "cleared"), refusal("conflict", "number"))
  await running.close()

  const unsealed = await unsealServer(directory, seal(), systemRandomness)
  const entries = (await unsealed.store.entries(0, 64)).map(({ event }) =>
    decode(eventCodec, event),
  )
  const logged = entries.filter(({ operation }) => operation === "incidents.clear")
  assert.deepEqual(
    logged.map(({ note, incidents }) => [note, incidents]),
    [["new disk, new keys", [{ number: 1, evidence: sha256(evidence) }]]],
  )
  await unsealed.close()
  const again = await start(alpha)
  assert.deepEqual(again.server.incidents.quarantined, [])
  await again.close()
})

test("requests of no known form are refused by field, and change nothing", async () => {
  const alpha = await withIncident()
  const running = await start(alpha)
  const { directory } = alpha
  const ask = (request: object) => askServer(directory, request as never, "cleared")
  const clear = { command: "incidents.clear", number: 1, note: "why" }
  const cases: readonly (readonly [object, string, string])[] = [
    [{ command: "incidents.forget" }, "invalid-request", "command"],
    [{}, "invalid-request", "command"],
    [{ ...clear, number: 0 }, "invalid-request", "number"],
    [{ ...clear, number: "1" }, "invalid-request", "number"],
    [{ ...clear, number: 2 }, "not-found", "number"],
    [{ ...clear, note: "  " }, "invalid-request", "note"],
    [{ ...clear, note: "é".repeat(129) }, "invalid-request", "note"],
    [{ ...clear, note: "two\nlines" }, "invalid-request", "note"],
    [{ ...clear, force: true }, "invalid-request", "request"],
    [{ command: "incidents.show", number: 9 }, "not-found", "number"],
  ]
  for (const [request, code, field] of cases) {
    await assert.rejects(ask(request), refusal(code, field), JSON.stringify(request))
  }
  assert.match(await say(alpha, "not json\n"), /"code":"invalid-request"/)
  assert.equal(await say(alpha, ""), "")
  assert.equal(await say(alpha, '{"command":"incidents.list"}'), "", "no line feed, no request")
  assert.equal(await say(alpha, `${" ".repeat(MAX_CONTROL_REQUEST + 1)}\n`), "")
  const long = (command: string) => `{"command":"${command}","bundle":"${"A".repeat(8192)}"}\n`
  assert.equal(await say(alpha, long("incidents.list")), "", "only what has a roster in it is long")
  assert.match(await say(alpha, long("roster.activate")), /"code":"invalid-request"/)
  const endless = `{"command":"roster.activate","bundle":"${"A".repeat(3_000_000)}"}\n`
  assert.equal(await say(alpha, endless), "")
  // One request a connection: what follows it is not read.
  const two = `{"command":"incidents.list"}\n${JSON.stringify(clear)}\n`
  assert.equal((await say(alpha, two)).trim().split("\n").length, 1)
  assert.deepEqual(running.server.incidents.quarantined, [2])
  await running.close()
})

test("the socket is the owner's alone, goes with the server, and replaces what a killed one left", async () => {
  const alpha = await makeServer("alpha")
  await enrol([alpha], rosterOf([alpha], 1))
  const path = socketOf(alpha)
  const dead = createServer().listen(path)
  await new Promise((done) => dead.once("listening", done))
  const ask = () => askServer(alpha.directory, { command: "incidents.list" }, "listed")
  const running = await start(alpha)
  assert.ok(lstatSync(path).isSocket())
  assert.equal(lstatSync(path).mode & 0o777, 0o600)
  assert.deepEqual((await ask()).incidents, [])
  chmodSync(alpha.directory, 0o755)
  await assert.rejects(ask(), refusal("misconfigured", "directory"), "others can enter")
  chmodSync(alpha.directory, 0o700)
  await running.close()
  dead.close()
  assert.equal(existsSync(path), false)
  await assert.rejects(ask(), refusal("misconfigured", "directory"), "it does not run")
})

test("a server that cannot have its socket serves all the same and says so", async () => {
  const alpha = await makeServer("alpha")
  await enrol([alpha], rosterOf([alpha], 1))
  writeFileSync(socketOf(alpha), "mine", { mode: 0o600 })
  const events = new RecordedEvents()
  const running = await start(alpha, {}, events)
  assert.deepEqual(
    events.seen.filter(([name]) => name === "control-unavailable"),
    [["control-unavailable", { code: "EADDRINUSE" }]],
  )
  await running.close()
  assert.ok(existsSync(socketOf(alpha)))
  rmSync(socketOf(alpha))
})

test("more programs than are let in at once are turned away, and idle ones do not keep others out", async () => {
  const path = join(scratch(), "control.sock")
  const control = await listenForControl(
    path,
    () => 100,
    async (line) => `said ${line}`,
  )
  const idle = Array.from({ length: 8 }, () => connect(path).on("error", () => undefined))
  await Promise.all(idle.map((one) => new Promise((done) => one.once("connect", done))))
  const ninth = connect(path).on("error", () => undefined)
  const closed = new Promise((done) => ninth.once("close", done))
  ninth.end("hello\n")
  await closed
  for (const one of idle) one.destroy()
  await new Promise((done) => setTimeout(done, 50))
  const again = connect(path)
  again.end("hello\n")
  let answer = ""
  for await (const chunk of again) answer += chunk
  assert.equal(answer, "said hello\n")
  await control.close()
})
