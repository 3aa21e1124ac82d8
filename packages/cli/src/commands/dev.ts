import { once } from "node:events"
import { LockKeeperError } from "@lockkeeper/api"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { commandAlias } from "../command-alias.ts"
import type { Cluster } from "../dev/cluster.ts"
import { withProgress } from "../terminal.ts"
import { table } from "../text.ts"

interface DevOptions {
  readonly servers: string
  readonly threshold?: string
  readonly directory?: string
  readonly port?: string
  readonly allowOrigin: readonly string[]
}

/** `lockkeeper dev`: a cluster on this machine until Ctrl-C. */
export const addDev: AddCommands = (add) =>
  add<DevOptions>({
    usage: "dev",
    summary: "Run a local cluster of key servers until Ctrl-C, for trying out and developing",
    options: [
      option("--servers <n>", "how many key servers").default("3"),
      option("--threshold <t>", "how many an operation takes, default the majority"),
      option("--directory <path>", "keep the cluster here; default temporary, deleted at the end"),
      option("--port <first>", "first port, the others follow; default any free ones"),
      option("--allow-origin <origin...>", "web pages that may talk to the servers").default([]),
    ],
    examples: [
      "lockkeeper dev",
      "lockkeeper dev --servers 5 --threshold 3",
      "lockkeeper dev --directory ./cluster --port 7101",
    ],
    run: dev,
  })

async function dev(context: Context, options: DevOptions): Promise<Report> {
  const { terminal, signal, settings } = context
  const { defaultThreshold, startCluster } = await import("../dev/cluster.ts")
  const servers = whole(options.servers, "servers")
  const threshold =
    options.threshold === undefined
      ? defaultThreshold(servers)
      : whole(options.threshold, "threshold")
  const firstPort = options.port === undefined ? null : whole(options.port, "port")
  const directory = options.directory ?? null
  const { allowOrigin: allowedOrigins } = options
  const start = () =>
    startCluster({ servers, threshold, directory, firstPort, allowedOrigins, signal })
  const cluster = await withProgress(terminal, "Starting the key servers", start)
  try {
    const started = { event: "started", ...clusterJson(cluster) }
    terminal.out.write(settings.json ? `${JSON.stringify(started)}\n` : clusterText(cluster))
    for (const server of cluster.servers) {
      server.onExit(() => {
        if (!signal.aborted) terminal.err.write(`note: key server ${server.identifier} has ended\n`)
      })
    }
    if (!signal.aborted) await once(signal, "abort")
  } finally {
    await cluster.stop()
  }
  const kept = cluster.temporary ? "its directory is deleted" : `kept in ${cluster.directory}`
  return report(`\nThe cluster has ended; ${kept}.\n`, { event: "ended" })
}

function clusterJson({ directory, profile, roster, ca, threshold, servers }: Cluster) {
  const list = servers.map(({ identifier, url, pid }) => ({ identifier, url, pid }))
  return { directory, profile, roster, ca, threshold, servers: list }
}

/** What is running and what to type next. */
export function clusterText({ servers, threshold, directory, profile }: Cluster): string {
  const rows = servers.map(({ identifier, url, pid }) => [
    `server ${identifier}`,
    url,
    `process ${pid}`,
  ])
  const count = servers.length === 1 ? "One key server is" : `${servers.length} key servers are`
  return `${count} running; any ${threshold} of them can sign.
${table(rows)}Files: ${directory}

Next, in another terminal:
${commandAlias()}  export LK_HOME=${profile}
  lockkeeper register --name ada
  lockkeeper login --name ada
  lockkeeper keys create --type ed25519 --label savings

Ctrl-C ends the cluster.
`
}

function whole(text: string, field: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new LockKeeperError("invalid-request", `The option --${field} is not a whole number.`, {
    field,
    remedy: `Write for example --${field} 3.`,
  })
}
