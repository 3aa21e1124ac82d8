import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { after, test } from "node:test"
import { ERROR_CODES, KEY_TYPES, LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { Counters, INCIDENT_KINDS } from "../src/counters.ts"
import { endpointOf } from "../src/endpoint.ts"
import { Gate } from "../src/limits/gate.ts"
import { exposition } from "../src/metrics/exposition.ts"
import { metricFamilies } from "../src/metrics/families.ts"
import type { Urgency } from "../src/ports/dependencies.ts"
import { Turnstile } from "../src/turnstile.ts"
import { VERSION } from "../src/version.ts"
import { prepareSet, presignAt, signEcdsaWith, startEcdsa } from "./ecdsa-flows.ts"
import { createKey, signWith } from "./flows.ts"
import { restart, startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"
import { closeAll, enrol, makeServer, rosterOf, start, testConfig } from "./server-directories.ts"

after(closeAll)

/** Rows that count how often they are asked or written. */
class CountedRows extends MemoryRowStore {
  uses = 0

  override read(...args: Parameters<MemoryRowStore["read"]>) {
    this.uses += 1
    return super.read(...args)
  }

  override scan(...args: Parameters<MemoryRowStore["scan"]>) {
    this.uses += 1
    return super.scan(...args)
  }

  override commit(...args: Parameters<MemoryRowStore["commit"]>) {
    this.uses += 1
    return super.commit(...args)
  }

  override logPosition() {
    this.uses += 1
    return super.logPosition()
  }
}

const limits = testConfig().limits

function sourceOf({ server }: TestServer, gate = new Gate(limits)) {
  const load = (urgency: Urgency) => ({
    ...{ waiting: 1, running: 2, ended: 3, waitedSeconds: 0.5, ranSeconds: 0.25 },
    ...(urgency === "now" ? {} : { waiting: 7 }),
  })
  const turnstile = new Turnstile(server)
  return { turnstile, gate, load, startedAt: server.now() - 90_000 }
}

test("the text is what Prometheus reads", () => {
  const samples = [{ labels: { code: 'a "quoted" \\ and\nbroken', n: "2" }, value: 1.5 }]
  assert.equal(
    exposition([
      { name: "a_total", type: "counter", help: "What a is.", samples },
      { name: "b", type: "gauge", help: "What b is.", samples: [{ labels: {}, value: 0 }] },
      { name: "c", type: "gauge", help: "Nothing yet.", samples: [] },
    ]),
    [
      "# HELP a_total What a is.",
      "# TYPE a_total counter",
      'a_total{code="a \\"quoted\\" \\\\ and\\nbroken",n="2"} 1.5',
      "# HELP b What b is.",
      "# TYPE b gauge",
      "b 0",
      "# HELP c Nothing yet.",
      "# TYPE c gauge",
      "",
    ].join("\n"),
  )
})

test("a scrape shows what a server did, names nobody and costs no read of the store", async () => {
  const rows = new CountedRows()
  const cluster = await startCluster({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const owner = new TestOwner(cluster)
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const certificate = await createKey(owner, sessions, "ed25519")
  await signWith(owner, sessions.slice(0, 2), certificate, Uint8Array.of(1))
  const [session] = sessions as [TestSession]
  const wrong = owner.sign(owner.request("account.show", new Uint8Array(0), { expiresAt: 1 }))
  const refused = await session.call({
    kind: "act",
    request: wrong,
    step: 1,
    input: new Uint8Array(0),
  })
  assert.equal(refused.kind, "refused")
  const first = cluster.servers.get(1) as TestServer
  first.server.counters.pooled([1, 2], 8)
  first.server.counters.pooled([1, 3], 3)
  first.server.counters.pooled([1, 2], -1)

  const ageless = exposition(metricFamilies(sourceOf(first)))
  assert.doesNotMatch(ageless, /^lockkeeper_oldest_share_seconds \d/m)
  await first.server.tidy()
  const before = rows.uses
  const source = sourceOf(first)
  const text = exposition(metricFamilies(source))
  assert.equal(rows.uses, before)
  const has = (line: string) => assert.ok(text.split("\n").includes(line), `${line}\n${text}`)
  has(`lockkeeper_build_info{version="${VERSION}"} 1`)
  has("lockkeeper_uptime_seconds 90")
  has(`lockkeeper_sessions ${first.server.sessionCount}`)
  has("lockkeeper_store_restored 0")
  const age = /^lockkeeper_oldest_share_seconds (\S+)$/m.exec(text)?.[1]
  assert.equal(Number(age), (first.server.oldestShareMs ?? Number.NaN) / 1000)
  has('lockkeeper_reshare_runs{state="pending"} 0')
  has('lockkeeper_requests_refused_total{code="invalid-request"} 1')
  has('lockkeeper_requests_refused_total{code="replayed"} 0')
  has('lockkeeper_pool_presignatures{signers="1-2"} 7')
  has('lockkeeper_pool_presignatures{signers="1-3"} 3')
  has('lockkeeper_compute_waiting{urgency="now"} 1')
  has('lockkeeper_compute_waiting{urgency="background"} 7')
  has('lockkeeper_compute_waited_seconds_total{urgency="now"} 0.5')

  const closed = new Set<string>([
    ...[...ERROR_CODES, ...KEY_TYPES, ...INCIDENT_KINDS],
    ...[VERSION, "now", "background", "open", "pending", "active"],
  ])
  for (const { name, samples } of metricFamilies(source)) {
    assert.match(name, /^lockkeeper_[a-z_]+$/)
    for (const value of samples.flatMap(({ labels }) => Object.values(labels))) {
      assert.ok(closed.has(value) || /^\d{1,5}(-\d{1,5})*$/.test(value), value)
    }
  }
  for (const id of [certificate.public.keyId, owner.accountId, session.channel.sessionId]) {
    assert.ok(!text.includes(toHex(id)))
  }
  assert.ok(!text.includes("alice"))
})

/** The lines of one server's scrape that say something of presigning. */
function presigningLines(server: TestServer): readonly string[] {
  const text = exposition(metricFamilies(sourceOf(server)))
  return text
    .split("\n")
    .filter((line) => /^lockkeeper_(pool|presign|pairs|signature_shares)/.test(line))
    .filter((line) => !line.includes('key_type="ed25519"') && !line.includes('key_type="bip340"'))
    .map((line) => line.replace("lockkeeper_", ""))
}

test("pools, presignatures and pairs are counted where they are made, used and burnt", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2])
  await presignAt(world, [1, 3])
  await signEcdsaWith(world, await prepareSet(world, [1, 2]))
  const { cluster } = world.owner
  assert.deepEqual(presigningLines(cluster.servers.get(1) as TestServer), [
    'signature_shares_total{key_type="ecdsa-secp256k1"} 1',
    "presignatures_made_total 4",
    "presignatures_used_total 1",
    "presignatures_burnt_total 0",
    "presign_aborts_total 0",
    "pairs_set_up_total 2",
    "pairs_dead_total 0",
    'pool_presignatures{signers="1-2"} 1',
    'pool_presignatures{signers="1-3"} 2',
  ])
  assert.deepEqual(presigningLines(await restart(cluster, 1)), [
    'signature_shares_total{key_type="ecdsa-secp256k1"} 0',
    "presignatures_made_total 0",
    "presignatures_used_total 0",
    "presignatures_burnt_total 3",
    "presign_aborts_total 0",
    "pairs_set_up_total 0",
    "pairs_dead_total 0",
  ])
})

test("the operator's guide has every metric", async () => {
  const guide = readFileSync(new URL("../../../docs/operating.md", import.meta.url), "utf8")
  const cluster = await startCluster({ servers: 1, minSigners: 1 })
  const families = metricFamilies(sourceOf(cluster.servers.get(1) as TestServer))
  assert.ok(families.length > 20)
  for (const { name } of families) {
    assert.match(guide, new RegExp(`\\b${name.replace(/^lockkeeper_/, "")}\\b`), name)
  }
})

test("signer sets beyond a bound are counted together", () => {
  const counters = new Counters()
  for (let n = 1; n <= 100; n++) counters.pooled([n, n + 1], 2)
  counters.pooled([1, 2], 1)
  assert.equal(counters.pools().size, 65)
  assert.equal(counters.pools().get("1-2"), 3)
  assert.equal(counters.pools().get("other"), 72)
})

test("what is refused before a session could carry it is counted by its code", async () => {
  const cluster = await startCluster()
  const first = cluster.servers.get(1) as TestServer
  const gate = new Gate({ ...limits, opensPerMinute: 1 })
  const endpoint = endpointOf(new Turnstile(first.server), gate, () => "ready")
  const code = (expected: string) => (error: unknown) =>
    error instanceof LockKeeperError && error.code === expected
  await assert.rejects(endpoint.open("here", new Uint8Array(8)), code("invalid-request"))
  await assert.rejects(endpoint.open("here", new Uint8Array(8)), code("rate-limited"))
  const frame = { sessionId: new Uint8Array(32), counter: 1, sealed: new Uint8Array(16) }
  await assert.rejects(endpoint.call("here", frame), code("session-ended"))
  assert.deepEqual(
    [...first.server.counters.refusals()],
    [
      ["invalid-request", 1],
      ["rate-limited", 1],
      ["session-ended", 1],
    ],
  )
})

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly host?: string
}

function ask(port: number, { method = "GET", path = "/metrics", host = "localhost" }: Asked) {
  return new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
    const headers = { host: `${host}:${port}` }
    httpRequest({ host: "127.0.0.1", port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => {
        const type = response.headers["content-type"] ?? ""
        resolve({ status: response.statusCode ?? 0, type, body: Buffer.concat(chunks).toString() })
      })
    })
      .on("error", reject)
      .end()
  })
}

async function single() {
  const server = await makeServer("alpha")
  await enrol([server], rosterOf([server], 1))
  return server
}

test("metrics are served to this machine when asked for, and only GET /metrics", async () => {
  const server = await single()
  const off = await start(server)
  assert.equal(off.metrics, null)
  await off.close()
  const running = await start(server, { metrics: { host: "127.0.0.1", port: 0 } })
  const { port } = running.metrics as { port: number }
  const answer = await ask(port, {})
  assert.deepEqual([answer.status, answer.type], [200, "text/plain; version=0.0.4; charset=utf-8"])
  assert.match(answer.body, /^lockkeeper_compute_tasks_total\{urgency="now"\} 0$/m)
  assert.equal((await ask(port, { host: "127.0.0.1" })).status, 200)
  for (const [asked, status] of [
    [{ method: "POST" }, 405],
    [{ path: "/" }, 404],
    [{ path: "/metrics/../" }, 404],
    [{ host: "rebound.example" }, 403],
    [{ host: "localhost.example" }, 403],
  ] as const) {
    const refused = await ask(port, asked)
    assert.deepEqual([refused.status, refused.body], [status, ""])
  }
  await running.close()
  await assert.rejects(ask(port, {}))
})

test("a port for metrics that is taken is refused by name, and nothing stays open", async () => {
  const [alpha, beta] = [await single(), await single()]
  const running = await start(alpha, { metrics: { host: "127.0.0.1", port: 0 } })
  const { port } = running.metrics as { port: number }
  const refused = (field: string) => (error: unknown) =>
    error instanceof LockKeeperError && error.field === field && error.remedy !== ""
  const metrics = { host: "127.0.0.1", port } as const
  await assert.rejects(start(beta, { metrics }), refused("metrics.port"))
  const listen = { host: "127.0.0.1", port: running.port }
  const free = { host: "127.0.0.1", port: 0 } as const
  await assert.rejects(start(beta, { listen, metrics: free }), refused("listen.port"))
  await (await start(beta)).close()
})
