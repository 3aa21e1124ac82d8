import { once } from "node:events"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { type Cluster, commandName, startCluster } from "@lockkeeper/cli"
import { LockKeeper, LockKeeperError } from "@lockkeeper/client"
import { Journey, OWNER } from "./journey.ts"
import { Narrator } from "./narrator.ts"

const SERVERS = 3
const THRESHOLD = 2

/** The main job: a cluster, an owner, real transactions, a lost server, a wrong password. */
async function main(): Promise<number> {
  const values = readOptions()
  if (values === null) return 2
  const interrupted = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.abort())
  }
  const narrator = new Narrator(values.json ? process.stderr : process.stdout)
  narrator.say("Lock Keeper: keys that exist nowhere in one piece, used with a password.")
  let cluster: Cluster | null = null
  try {
    cluster = await bringUp(narrator, interrupted.signal)
    const journey = await travel(cluster, narrator)
    if (values.json) {
      const { signatures } = journey
      const facts = { ok: true, servers: SERVERS, threshold: THRESHOLD, signatures }
      process.stdout.write(`${JSON.stringify({ ...facts, ms: narrator.ms })}\n`)
    }
    if (!values.once) await stayUp(cluster, narrator, interrupted.signal)
    return 0
  } catch (error) {
    if (interrupted.signal.aborted) return 130
    narrator.say(`\nThis went wrong: ${describe(error)}`)
    if (values.json) {
      process.stdout.write(`${JSON.stringify({ ok: false, error: describe(error) })}\n`)
    }
    return 1
  } finally {
    await cluster?.stop()
  }
}

/** The options, or null when there is one that means nothing. */
function readOptions(): { once: boolean; json: boolean } | null {
  try {
    const flag = { type: "boolean", default: false } as const
    return parseArgs({ options: { once: flag, json: flag } }).values
  } catch (error) {
    process.stderr.write(
      `${describe(error)}\nOptions: --once (do not stay up), --json (one last line).\n`,
    )
    return null
  }
}

function bringUp(narrator: Narrator, signal: AbortSignal): Promise<Cluster> {
  return narrator.step(
    "cluster",
    `${SERVERS} key servers start, each its own process with its own sealed database.`,
    () => startCluster({ servers: SERVERS, threshold: THRESHOLD, directory: null, signal }),
    ({ servers }) =>
      [
        ...servers.map(
          ({ identifier, url, pid }) => `server ${identifier}: ${url}, process ${pid}`,
        ),
        `Any ${THRESHOLD} of them can act; fewer learn nothing.`,
      ].join("\n"),
  )
}

async function travel(cluster: Cluster, narrator: Narrator): Promise<Journey> {
  const keeper = await LockKeeper.connect({
    roster: new Uint8Array(readFileSync(cluster.roster)),
    pin: cluster.rosterPin,
    ca: readFileSync(cluster.ca, "utf8"),
  })
  try {
    const journey = new Journey(cluster, keeper, narrator)
    await journey.run()
    return journey
  } finally {
    keeper.close()
  }
}

/** Leaves a whole cluster for whoever wants to go on by hand. */
async function stayUp(cluster: Cluster, narrator: Narrator, signal: AbortSignal): Promise<void> {
  await narrator.step(
    "restart",
    "The killed server is started again.",
    () =>
      Promise.all(cluster.servers.filter(({ pid }) => pid === null).map((s) => s.start(signal))),
    () => "It burnt the one-time values of its unfinished work and is ready.",
  )
  narrator.say(`
The cluster stays up until Ctrl-C. Go on in another terminal, in this folder:
  export LK_HOME=${cluster.profile}
  ${commandName()} login --name ${OWNER.name}      # password: ${OWNER.password}
  ${commandName()} keys list`)
  if (!signal.aborted) await once(signal, "abort")
  narrator.say("\nThe cluster has ended and its directory is deleted.")
}

function describe(error: unknown): string {
  if (error instanceof LockKeeperError) return `${error.message} ${error.remedy}`.trim()
  return error instanceof Error ? error.message : String(error)
}

process.exitCode = await main()
