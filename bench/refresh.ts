import { readFileSync } from "node:fs"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import type { KeyInfo, Session } from "@lockkeeper/client"
import { OperatorSession, type RefreshReport } from "@lockkeeper/client/operator"
import { fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import { askServer } from "@lockkeeper/server"
import type { Bench, Figure } from "./bench.ts"
import { connect, keysAsked, makeKeys } from "./many-keys.ts"
import { quantile, type Samples } from "./measure.ts"

type Report = (figure: Figure) => void

function operate(cluster: Cluster): Promise<OperatorSession> {
  const directory = cluster.servers[0]?.directory ?? ""
  return OperatorSession.open({
    roster: readFileSync(cluster.roster),
    pin: cluster.rosterPin,
    ca: readFileSync(cluster.ca, "utf8"),
    async certify(publicKey) {
      const asked = { command: "operator.certify", publicKey: toHex(publicKey) } as const
      return fromHex((await askServer(directory, asked, "certified")).credential)
    },
  })
}

/** Signs one after the other, ten a second at most, until `work` ends, or so many times. */
async function signDuring<T>(
  [session, key]: readonly [Session, KeyInfo],
  work: Promise<T> | null,
  atLeast: number,
): Promise<Samples> {
  let ended = work === null
  const done = () => {
    ended = true
  }
  work?.then(done, done)
  const sortedMs: number[] = []
  const started = performance.now()
  for (let i = 0; !ended || i < atLeast; i++) {
    const begun = performance.now()
    await session.sign({ key, message: utf8(`transfer number ${i}`) })
    sortedMs.push(performance.now() - begun)
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (ended && work !== null) break
  }
  return { sortedMs: sortedMs.sort((a, b) => a - b), elapsedMs: performance.now() - started }
}

/** Of a process, from Linux: resident memory, and what it has written to its files and sockets. */
function usage(pid: number): { readonly rss: number; readonly written: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const io = readFileSync(`/proc/${pid}/io`, "utf8")
  return {
    rss: 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]),
    written: Number(/^wchar: (\d+)$/m.exec(io)?.[1]),
  }
}

function usageOf({ servers }: Cluster) {
  const all = servers.map(({ pid }) => usage(pid ?? 0))
  return {
    largestRss: Math.max(...all.map(({ rss }) => rss)),
    written: all.reduce((sum, { written }) => sum + written, 0),
  }
}

function reportRefresh(
  report: Report,
  { done, skipped }: RefreshReport,
  elapsedMs: number,
  memory: { readonly before: number; readonly after: number },
  written: number,
): void {
  if (skipped.length > 0) throw new Error(`${skipped.length} keys were not refreshed`)
  const what = `${done} keys of 2-of-3 at three processes on this machine`
  const none = { baseline: null, target: null }
  report({
    name: "refresh-keys",
    value: done / (elapsedMs / 1000),
    unit: "1/s",
    ...none,
    consistsOf: `${what}, with the listing before, while somebody signs ten times a second`,
  })
  report({
    name: "refresh-bytes-per-key",
    value: written / done,
    unit: "bytes",
    ...none,
    consistsOf: "what all servers wrote to files and sockets meanwhile, signing included",
  })
  report({
    name: "refresh-memory",
    value: memory.after,
    unit: "bytes",
    baseline: { name: "before", value: memory.before },
    target: { of: "ratio", is: "at most", bound: 1.5 },
    consistsOf: "resident memory of the largest server process after the refresh",
  })
}

function reportSigning(report: Report, usual: Samples, meanwhile: Samples): void {
  for (const [name, q] of [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const) {
    report({
      name: `refresh-sign-${name}`,
      value: quantile(meanwhile, q),
      unit: "ms",
      baseline: { name: `the same before, ${name}`, value: quantile(usual, q) },
      target: q === 0.5 ? null : { of: "ratio", is: "at most", bound: 3 },
      consistsOf: `${meanwhile.sortedMs.length} signatures during the refresh, ${usual.sortedMs.length} before`,
    })
  }
}

export const bench: Bench = {
  name: "refresh",
  async run(report) {
    const count = keysAsked()
    const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    const keeper = await connect(cluster)
    try {
      const owner = await makeKeys(keeper, count)
      const operator = await operate(cluster)
      await signDuring(owner, null, 10)
      const usual = await signDuring(owner, null, 100)
      const before = usageOf(cluster)
      const started = performance.now()
      const refresh = operator.refresh({ kind: "keys" })
      const [done, meanwhile] = await Promise.all([
        refresh.then((outcome) => ({ outcome, elapsedMs: performance.now() - started })),
        signDuring(owner, refresh, 0),
      ])
      const after = usageOf(cluster)
      const memory = { before: before.largestRss, after: after.largestRss }
      reportRefresh(report, done.outcome, done.elapsedMs, memory, after.written - before.written)
      reportSigning(report, usual, meanwhile)
      await operator.close()
    } finally {
      keeper.close()
      await cluster.stop()
    }
  },
}
