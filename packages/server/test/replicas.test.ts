import assert from "node:assert/strict"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import {
  commitmentList,
  prepareBody,
  requestDigest,
  signBody,
  signStepInput,
  signStepOutput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { frost, type KeyCertificate, type Message, messageCodec } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { SqliteRowStore } from "../src/adapters/sqlite/row-store.ts"
import type { KeyServer } from "../src/key-server.ts"
import { createKey } from "./flows.ts"
import { startCluster, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"
import type { ReplicaCall, ReplicaPlan } from "./processes/replica.ts"

const NONCES = 128

const directory = mkdtempSync(join(tmpdir(), "lockkeeper-replicas-"))
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(directory, { recursive: true, force: true })
})

type Unnumbered<T> = T extends unknown ? Omit<T, "id"> : never

/** One process that runs server 1, as the owner of these tests reaches a server. */
async function replica(beside: TestServer, plan: ReplicaPlan): Promise<TestServer> {
  const path = fileURLToPath(new URL("processes/replica.ts", import.meta.url))
  const execArgv = ["-C", "lockkeeper-source"]
  const child = fork(path, { execArgv, serialization: "advanced" })
  children.push(child)
  const waiting = new Map<number, PromiseWithResolvers<Bytes>>()
  let last = 0
  const ended = new AbortController()
  child.once("disconnect", () => {
    ended.abort()
    // Nothing would ever come: whoever waits must fail, not hang.
    for (const { reject } of waiting.values()) reject(new Error("the replica ended"))
  })
  child.send(plan)
  await once(child, "message", { signal: ended.signal })
  child.on("message", ({ id, bytes }: { id: number; bytes: Bytes | string }) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (typeof bytes === "string") asked?.reject(new Error(bytes))
    else asked?.resolve(new Uint8Array(bytes))
  })
  const ask = (call: Unnumbered<ReplicaCall>): Promise<Bytes> => {
    const asked = Promise.withResolvers<Bytes>()
    const id = ++last
    waiting.set(id, asked)
    child.send({ id, ...call })
    return asked.promise
  }
  const server = {
    open: (hello: Bytes) => ask({ kind: "open", hello }),
    call: (frame: { sessionId: Bytes; counter: number; sealed: Bytes }) =>
      ask({ kind: "call", frame }),
  }
  return { ...beside, server: server as unknown as KeyServer }
}

interface Race {
  readonly owner: TestOwner
  readonly certificate: KeyCertificate
  /** Sessions at the two processes of server 1. */
  readonly racers: readonly [TestSession, TestSession]
  readonly second: TestSession
}

async function prepareRace(name: string, withoutLedger: boolean): Promise<Race> {
  const path = join(directory, `${name}.sqlite`)
  const cluster: TestCluster = await startCluster({
    rows: (id) => (id === 1 ? new SqliteRowStore(path) : new MemoryRowStore()),
  })
  const owner = new TestOwner(cluster)
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const certificate = await createKey(owner, sessions, "ed25519")
  const first = cluster.servers.get(1) as TestServer
  await first.store.close()
  const plan = { path, time: cluster.clock.time, signed: cluster.signed, withoutLedger }
  const a = await owner.resume(await replica(first, plan))
  const b = await owner.resume(await replica(first, plan))
  return { owner, certificate, racers: [a, b], second: sessions[1] as TestSession }
}

/** Commitments for so many signatures. */
async function commitments({ owner, certificate }: Race, session: TestSession, count: number) {
  const body = encode(prepareBody, { keyId: certificate.public.keyId, keyEpoch: 1, count })
  const request = owner.sign(owner.request("sign.prepare", body))
  const payload = { kind: "act", request, step: 1, input: new Uint8Array(0) } as const
  const { output } = expectKind(await session.call(payload), "act")
  return decode(commitmentList, output).map((encoded) => decode(messageCodec, encoded))
}

/** A request to sign a message with these commitments. */
function signing({ owner, certificate }: Race, message: Bytes, given: readonly Message[]) {
  const { keyId, keyEpoch, rosterEpoch } = certificate.public
  const body = encode(signBody, {
    keyId,
    path: [],
    content: { kind: "message", message },
    merkleRoot: null,
  })
  const request = owner.sign(owner.request("sign", body))
  const signingPackage = encode(frost.signingPackageCodec, {
    ...{ keyId, keyEpoch, rosterEpoch, attempt: 1, message, tweak: frost.NO_TWEAK, path: [] },
    requestDigest: requestDigest(request),
    commitments: given,
  })
  const input = encode(signStepInput, { signingPackage, prepare: 0 })
  return { kind: "act", request, step: 1, input } as const
}

type Signing = ReturnType<typeof signing>

/** The share that a process gave, in hexadecimal, or the code of its refusal. */
async function shareOf(session: TestSession, payload: Signing): Promise<string> {
  const answer = await session.call(payload)
  if (answer.kind === "refused") return answer.error.code
  return toHex(decode(signStepOutput, expectKind(answer, "act").output).share)
}

/** Both processes are asked at once, for each of the nonces. */
async function run(race: Race, ask: (n: number, given: readonly Message[]) => [Signing, Signing]) {
  const results: [string, string][] = []
  while (results.length < NONCES) {
    const [first, second] = [race.racers[0], race.second]
    const own = await commitments(race, first, 16)
    const others = await commitments(race, second, 16)
    for (const [i, commitment] of own.entries()) {
      const [a, b] = ask(results.length, [commitment, others[i] as Message])
      const [left, right] = race.racers
      results.push(await Promise.all([shareOf(left, a), shareOf(right, b)]))
      // The other signer's room for commitments: its own are used up as well.
      await shareOf(second, a)
    }
  }
  return results
}

const isShare = (result: string) => result.length > 100

test("of two processes on one database only the one that made a nonce signs with it", async (t) => {
  const race = await prepareRace("ledger", false)
  const results = await run(race, (n, given) => [
    signing(race, utf8(`left ${n}`), given),
    signing(race, utf8(`right ${n}`), given),
  ])
  for (const [left, right] of results) {
    assert.ok(isShare(left))
    assert.equal(right, "conflict")
  }
  t.diagnostic(`${results.length} nonces: one share each`)
})

test("two processes race with two packages for each nonce: the database lets one answer", async (t) => {
  const race = await prepareRace("database", true)
  const results = await run(race, (n, given) => [
    signing(race, utf8(`left ${n}`), given),
    signing(race, utf8(`right ${n}`), given),
  ])
  let left = 0
  for (const pair of results) {
    assert.equal(pair.filter(isShare).length, 1, "one share")
    assert.equal(pair.filter((result) => result === "conflict").length, 1, "one refusal")
    if (isShare(pair[0])) left++
  }
  t.diagnostic(
    `${results.length} nonces: one share each, ${left} by one, ${results.length - left} by the other`,
  )
})

test("two processes asked for the same signature give one and the same share, or refuse", async (t) => {
  const race = await prepareRace("same", true)
  const results = await run(race, (n, given) => {
    const payload = signing(race, utf8(`both ${n}`), given)
    return [payload, payload]
  })
  for (const pair of results) {
    assert.equal(new Set(pair.filter(isShare)).size, 1)
    assert.ok(pair.every((result) => isShare(result) || result === "conflict"))
  }
  const both = results.filter((pair) => pair.every(isShare)).length
  t.diagnostic(
    `${results.length} nonces: one share each, repeated by the other process ${both} times`,
  )
})
