import { once } from "node:events"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { type Cluster, commandAlias, startCluster } from "@lockkeeper/cli"
import { LockKeeper, LockKeeperError } from "@lockkeeper/client"
import { type Anvil, startAnvil } from "./anvil.ts"
import { bringUpChain } from "./chain-step.ts"
import { openChain } from "./evm.ts"
import { ECDSA_LABEL, Journey, OWNER } from "./journey.ts"
import { Narrator } from "./narrator.ts"
import { outcomeOf } from "./outcome.ts"

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
  let anvil: Anvil | null = null
  try {
    cluster = await bringUp(narrator, interrupted.signal)
    const chain = await bringUpChain(narrator, () => startAnvil(interrupted.signal))
    anvil = chain.anvil
    const { signatures } = await travel(cluster, narrator, anvil)
    const outcome = outcomeOf({ servers: SERVERS, threshold: THRESHOLD, signatures }, chain.missing)
    if (values.json) {
      process.stdout.write(`${JSON.stringify({ ...outcome.line, ms: narrator.ms })}\n`)
    }
    if (outcome.remark !== "") narrator.say(`\n${outcome.remark}`)
    if (!values.once) await stayUp({ cluster, anvil }, narrator, interrupted.signal)
    return outcome.exitCode
  } catch (error) {
    if (interrupted.signal.aborted) return 130
    narrator.say(`\nThis went wrong: ${describe(error)}`)
    if (values.json) {
      process.stdout.write(`${JSON.stringify({ ok: false, error: describe(error) })}\n`)
    }
    return 1
  } finally {
    await Promise.all([cluster?.stop(), anvil?.stop()])
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

async function travel(cluster: Cluster, narrator: Narrator, anvil: Anvil | null): Promise<Journey> {
  const keeper = await LockKeeper.connect({
    roster: new Uint8Array(readFileSync(cluster.roster)),
    pin: cluster.rosterPin,
    ca: readFileSync(cluster.ca, "utf8"),
  })
  try {
    const chain = anvil === null ? null : await openChain(anvil.url)
    const journey = new Journey(cluster, keeper, narrator, chain)
    await journey.run()
    return journey
  } finally {
    keeper.close()
  }
}

/** Leaves a whole cluster for whoever wants to go on by hand. */
async function stayUp(
  { cluster, anvil }: { readonly cluster: Cluster; readonly anvil: Anvil | null },
  narrator: Narrator,
  signal: AbortSignal,
): Promise<void> {
  await narrator.step(
    "restart",
    "The killed server is started again.",
    () =>
      Promise.all(cluster.servers.filter(({ pid }) => pid === null).map((s) => s.start(signal))),
    () => "It burnt the one-time values of its unfinished work and is ready.",
  )
  narrator.say(`
The cluster stays up until Ctrl-C. Go on in another terminal:
${commandAlias()}  export LK_HOME=${cluster.profile}
  lockkeeper login --name ${OWNER.name}      # password: ${OWNER.password}
  lockkeeper keys list
  lockkeeper keys address "${ECDSA_LABEL}"${anvil === null ? "" : `\nThe chain: ${anvil.url}`}`)
  if (!signal.aborted) await once(signal, "abort")
  narrator.say("\nThe cluster has ended and its directory is deleted.")
}

function describe(error: unknown): string {
  if (error instanceof LockKeeperError) return `${error.message} ${error.remedy}`.trim()
  return error instanceof Error ? error.message : String(error)
}

process.exitCode = await main()
