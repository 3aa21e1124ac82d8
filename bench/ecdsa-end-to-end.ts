import { readFileSync } from "node:fs"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import { type KeyInfo, LockKeeper, type Session } from "@lockkeeper/client"
import { sha256 } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import type { Bench, Figure } from "./bench.ts"
import { quantile, sample, sampleInFlight } from "./measure.ts"

const PASSWORD = "correct horse battery staple"

/** Most presignatures that a server keeps of one key. */
const POOL = 64

type Report = (figure: Figure) => void

function connect(cluster: Cluster): Promise<LockKeeper> {
  return LockKeeper.connect({
    roster: readFileSync(cluster.roster),
    pin: cluster.rosterPin,
    ca: readFileSync(cluster.ca, "utf8"),
  })
}

function signOne(session: Session, key: KeyInfo, i: number) {
  const message = utf8(`transfer number ${i}`)
  const digest = sha256(message)
  return session.signDigestOf({ key, content: { kind: "message", message: digest }, digest })
}

async function fill(session: Session, key: KeyInfo): Promise<void> {
  await session.pools.fill({ keyId: key.keyId, floor: POOL, cap: POOL })
}

async function benchKeys(session: Session, report: Report): Promise<KeyInfo> {
  const started = performance.now()
  const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
  const firstMs = performance.now() - started
  const later = await sample(() => session.keys.create({ type: "ecdsa-secp256k1" }), {
    warmup: 3,
    count: 30,
  })
  report({
    name: "ecdsa-first-key",
    value: firstMs,
    unit: "ms",
    baseline: { name: "a later key, p50", value: quantile(later, 0.5) },
    target: { of: "value", is: "at most", bound: 1500 },
    consistsOf:
      "128 base oblivious transfers each way for every pair of three servers, and the key",
  })
  report({
    name: "ecdsa-later-key",
    value: quantile(later, 0.5),
    unit: "ms",
    baseline: { name: "the first key", value: firstMs },
    target: { of: "value", is: "at most", bound: 150 },
  })
  return key
}

async function benchFullPool(session: Session, key: KeyInfo, report: Report): Promise<void> {
  const idle = await sample(() => session.keys.show(key.keyId), { warmup: 10, count: 60 })
  const onTheSpot = await sample((i) => signOne(session, key, i), { warmup: 2, count: 20 })
  const durations: number[] = []
  for (let round = 0; round < 4; round++) {
    await fill(session, key)
    const { sortedMs } = await sample((i) => signOne(session, key, i), { warmup: 2, count: 50 })
    durations.push(...sortedMs)
  }
  const full = { sortedMs: durations.sort((a, b) => a - b), elapsedMs: 0 }
  report({
    name: "ecdsa-sign-p50",
    value: quantile(full, 0.5),
    unit: "ms",
    baseline: { name: "showing the key, p50", value: quantile(idle, 0.5) },
    target: { of: "value", is: "at most", bound: 25 },
    consistsOf:
      "a signed request to two servers in one round trip, a presignature taken and logged durably at " +
      "each, both shares, the signature verified at the client; one in flight, from a full pool",
  })
  report({
    name: "ecdsa-sign-p99",
    value: quantile(full, 0.99),
    unit: "ms",
    baseline: { name: "ecdsa-sign-p50", value: quantile(full, 0.5) },
    target: null,
  })
  report({
    name: "ecdsa-sign-on-the-spot-p50",
    value: quantile(onTheSpot, 0.5),
    unit: "ms",
    baseline: { name: "ecdsa-sign-p50", value: quantile(full, 0.5) },
    target: null,
    consistsOf: "the same with an empty pool: presigning, then signing",
  })
}

/** A second session keeps the pool filled while the first signs with 8 in flight. */
async function benchSustained(
  [session, refiller]: readonly [Session, Session],
  key: KeyInfo,
  report: Report,
): Promise<void> {
  await fill(refiller, key)
  const stop = new AbortController()
  const maintained = refiller.pools
    .maintain({ keys: [key.keyId], floor: 32, cap: POOL, intervalMs: 50, signal: stop.signal })
    .catch((error: unknown) => {
      if (!stop.signal.aborted) throw error
    })
  const count = 800
  const busy = await sampleInFlight((i) => signOne(session, key, i), {
    warmup: 64,
    count,
    inFlight: 8,
  })
  stop.abort()
  await maintained
  const perSecond = count / (busy.elapsedMs / 1000)
  report({
    name: "ecdsa-sustained",
    value: perSecond,
    unit: "1/s",
    baseline: { name: "p50 of one of them, in ms", value: quantile(busy, 0.5) },
    target: { of: "value", is: "at least", bound: 40 },
    consistsOf:
      "eight signatures in flight while a second session refills the pool, three servers and both " +
      "clients on this machine; the pool held 64 at the start, and 864 signatures were made",
  })
}

async function benchOthers(session: Session, key: KeyInfo, report: Report): Promise<void> {
  const show = () => session.keys.show(key.keyId)
  const quiet = await sample(show, { warmup: 20, count: 300 })
  const presigning = new AbortController()
  const filling = (async () => {
    while (!presigning.signal.aborted) {
      await fill(session, key)
      for (let i = 0; i < POOL && !presigning.signal.aborted; i++) await signOne(session, key, i)
    }
  })()
  const loaded = await sample(show, { warmup: 20, count: 300 })
  presigning.abort()
  await filling
  report({
    name: "others-p99-while-presigning",
    value: quantile(loaded, 0.99),
    unit: "ms",
    baseline: { name: "p99 while nothing else happens", value: quantile(quiet, 0.99) },
    target: { of: "ratio", is: "at most", bound: 2 },
    consistsOf: "showing a key, while the same servers fill a pool without pause",
  })
}

export const bench: Bench = {
  name: "ecdsa-end-to-end",
  async run(report) {
    const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    try {
      const keepers = [await connect(cluster), await connect(cluster)] as const
      await keepers[0].register({ name: "alice", password: PASSWORD })
      const login = (keeper: LockKeeper) => keeper.login({ name: "alice", password: PASSWORD })
      const sessions = [await login(keepers[0]), await login(keepers[1])] as const
      const key = await benchKeys(sessions[0], report)
      await benchFullPool(sessions[0], key, report)
      await benchSustained(sessions, key, report)
      await benchOthers(sessions[0], key, report)
      for (const session of sessions) await session.logout()
      for (const keeper of keepers) keeper.close()
    } finally {
      await cluster.stop()
    }
  },
}
