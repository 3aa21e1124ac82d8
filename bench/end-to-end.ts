import { execFileSync } from "node:child_process"
import { argon2Sync } from "node:crypto"
import { readFileSync } from "node:fs"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import { type Compute, LockKeeper, type Session } from "@lockkeeper/client"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import type { Bench, Figure } from "./bench.ts"
import { quantile, sample, sampleInFlight } from "./measure.ts"

const PASSWORD = "correct horse battery staple"

type Report = (figure: Figure) => void

/** Argon2id as the SDK runs it, with its own time kept apart. */
class TimedStretching implements Compute {
  spentMs = 0

  async stretch(
    input: Secret,
    { memoryKib, passes, lanes }: { memoryKib: number; passes: number; lanes: number },
  ): Promise<Secret> {
    const started = performance.now()
    const parameters = { message: input.expose(), nonce: new Uint8Array(16), tagLength: 64 }
    const cost = { parallelism: lanes, memory: memoryKib, passes }
    const stretched = argon2Sync("argon2id", { ...parameters, ...cost })
    this.spentMs += performance.now() - started
    return new Secret(new Uint8Array(stretched))
  }
}

function connect(cluster: Cluster, stretching: TimedStretching): Promise<LockKeeper> {
  return LockKeeper.connect({
    roster: readFileSync(cluster.roster),
    pin: cluster.rosterPin,
    ca: readFileSync(cluster.ca, "utf8"),
    dependencies: { compute: stretching },
  })
}

/** Logs in `count` times; each sample leaves Argon2id's own time out. */
async function loginMs(
  count: number,
  keeperFor: () => Promise<LockKeeper>,
  stretching: TimedStretching,
  name: string,
): Promise<number> {
  const durations: number[] = []
  for (let i = 0; i < count; i++) {
    const keeper = await keeperFor()
    stretching.spentMs = 0
    const started = performance.now()
    const session = await keeper.login({ name, password: PASSWORD })
    durations.push(performance.now() - started - stretching.spentMs)
    await session.logout()
  }
  durations.sort((a, b) => a - b)
  return durations[Math.floor(count / 2)] ?? Number.NaN
}

async function benchSigning(session: Session, keeper: LockKeeper, report: Report): Promise<void> {
  const { key } = await session.keys.create({ type: "ed25519" })
  const signOne = (i: number) =>
    session.sign({ keyId: key.keyId, message: utf8(`transfer number ${i}`) })
  const idle = await sample(() => keeper.health(), { warmup: 10, count: 60 })
  const alone = await sample(signOne, { warmup: 30, count: 200 })
  report({
    name: "sign-p50",
    value: quantile(alone, 0.5),
    unit: "ms",
    baseline: { name: "unauthenticated health of all servers, p50", value: quantile(idle, 0.5) },
    target: { of: "value", is: "at most", bound: 20 },
    consistsOf:
      "a signed request to two servers in one round trip over TLS 1.3 and the session channel, " +
      "FROST round two, one durable transaction with the log entry at each, aggregation and " +
      "verification at the client; commitments were fetched with the signature before",
  })
  report({
    name: "sign-p99",
    value: quantile(alone, 0.99),
    unit: "ms",
    baseline: { name: "sign-p50", value: quantile(alone, 0.5) },
    target: null,
  })
  const busy = await sampleInFlight(signOne, { warmup: 16, count: 800, inFlight: 16 })
  report({
    name: "sign-throughput-16",
    value: 800 / (busy.elapsedMs / 1000),
    unit: "1/s",
    baseline: { name: "one in flight", value: 200 / (alone.elapsedMs / 1000) },
    target: { of: "value", is: "at least", bound: 100 },
    consistsOf:
      "16 signatures in flight from one session; three servers and the client on this machine",
  })
}

async function benchKeyGeneration(
  session: Session,
  keeper: LockKeeper,
  report: Report,
): Promise<void> {
  const idle = await sample(() => keeper.health(), { warmup: 5, count: 40 })
  const created = await sample(() => session.keys.create({ type: "ed25519" }), {
    warmup: 5,
    count: 40,
  })
  report({
    name: "dkg-2-of-3",
    value: quantile(created, 0.5),
    unit: "ms",
    baseline: { name: "unauthenticated health of all servers, p50", value: quantile(idle, 0.5) },
    target: { of: "value", is: "at most", bound: 100 },
    consistsOf:
      "four round trips to three servers: open, reveal with shares sealed by X-Wing, verdict, " +
      "activate; a durable transaction and log entry at each; p50",
  })
}

async function benchLogin(cluster: Cluster, report: Report): Promise<void> {
  const stretching = new TimedStretching()
  const keeper = await connect(cluster, stretching)
  await keeper.register({ name: "carol", password: PASSWORD })
  const warm = async () => keeper
  await loginMs(5, warm, stretching, "carol")
  const argon = stretching.spentMs
  const status = await sample(() => keeper.health(), { warmup: 5, count: 40 })
  report({
    name: "login-warm",
    value: await loginMs(40, warm, stretching, "carol"),
    unit: "ms",
    baseline: { name: "Argon2id, not included", value: argon },
    target: { of: "value", is: "at most", bound: 30 },
    consistsOf:
      "two round trips to two servers: X-Wing handshake with KE1 and KE2, then KE3; a guess taken " +
      "and given back durably at each; p50 without Argon2id's own time",
  })
  const open: LockKeeper[] = []
  const cold = async () => {
    const fresh = await connect(cluster, stretching)
    open.push(fresh)
    return fresh
  }
  report({
    name: "login-cold",
    value: await loginMs(30, cold, stretching, "carol"),
    unit: "ms",
    baseline: { name: "unauthenticated health, warm, p50", value: quantile(status, 0.5) },
    target: { of: "value", is: "at most", bound: 50 },
    consistsOf: "login-warm with new TCP connections and TLS 1.3 handshakes to both servers",
  })
  for (const one of open) one.close()
  keeper.close()
}

async function benchRestart({ servers }: Cluster, report: Report): Promise<void> {
  const [server] = servers
  if (server === undefined) throw new Error("a cluster without servers")
  const started = await sample(
    async () => {
      await server.stop("SIGKILL")
      await server.start(new AbortController().signal)
    },
    { warmup: 1, count: 9 },
  )
  const empty = ["-e", "0"]
  const node = await sample(() => execFileSync(process.execPath, empty), { warmup: 1, count: 9 })
  report({
    name: "restart-after-kill",
    value: quantile(started, 0.5),
    unit: "ms",
    baseline: { name: "an empty Node process", value: quantile(node, 0.5) },
    target: { of: "value", is: "at most", bound: 2000 },
    consistsOf:
      "kill -9, a new process from source, Argon2id for the passphrase, recovery of the database, " +
      "burning what the old process left, until it serves; p50",
  })
}

export const bench: Bench = {
  name: "end-to-end",
  async run(report) {
    const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    try {
      const stretching = new TimedStretching()
      const keeper = await connect(cluster, stretching)
      await keeper.register({ name: "alice", password: PASSWORD })
      const session = await keeper.login({ name: "alice", password: PASSWORD })
      await benchSigning(session, keeper, report)
      await benchKeyGeneration(session, keeper, report)
      await session.logout()
      keeper.close()
      await benchLogin(cluster, report)
      await benchRestart(cluster, report)
    } finally {
      await cluster.stop()
    }
  },
}
