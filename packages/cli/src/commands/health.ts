import { type AddCommands, type Context, option, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import type { Generations, Holdings } from "../operator.ts"
import type { Keeper, ServerHealth } from "../owner.ts"
import { addressOf, withKeeper } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { table } from "../text.ts"

interface HealthOptions {
  readonly directory?: string
}

/** `lockkeeper health`: every server's state, and whether enough of them are ready. */
export const addHealth: AddCommands = (add) =>
  add<HealthOptions>({
    usage: "health",
    summary: "Ask every key server how it is; fails when fewer than the threshold are ready",
    options: [
      option("--directory <dir>", "count keys and accounts, as operator of the server over it"),
    ],
    examples: [
      "lockkeeper health",
      "lockkeeper health --json | jq .ready",
      "lockkeeper health --directory ./server",
    ],
    run: (context, { directory }) =>
      withKeeper(context, async (keeper) => {
        const work = () => keeper.health(context.signal)
        const servers = await withProgress(context.terminal, "Asking the key servers", work)
        const holdings =
          directory === undefined ? null : await holdingsOf(context, directory, servers)
        const { threshold, placement } = keeper
        const up = servers.filter((server) => server.ready).map(({ identifier }) => identifier)
        const ready = up.length
        const allowed = keeper.allowsSignersAmong(up)
        const enough = ready >= threshold && allowed
        const rows = servers.map((server) => healthRow(server, holdings))
        const held = holdings === null ? [] : ["KEYS", "ACCOUNTS"]
        const head = ["ID", "NAME", "STATE", "TIME", "URL", ...held, "DETAIL"]
        const text = table([head, ...rows]) + verdictOf(keeper, servers.length, ready, allowed)
        const counts = { ready, threshold, placement, allowed, servers }
        const json = { ok: enough, ...counts, ...(holdings && { holdings }) }
        return report(text, json, enough ? EXIT.ok : EXIT.servers)
      }),
  })

/** What the servers hold, of those that are ready. */
async function holdingsOf(
  { settings, signal, terminal }: Context,
  directory: string,
  servers: readonly ServerHealth[],
): Promise<readonly Holdings[]> {
  const { holdingsAt, openOperator } = await import("../operator.ts")
  const session = await openOperator(addressOf(settings), directory)
  try {
    const ready = servers.filter((server) => server.ready)
    const count = () =>
      Promise.all(ready.map(({ identifier }) => holdingsAt(session, identifier, signal)))
    return await withProgress(terminal, "Counting keys and accounts", count)
  } finally {
    await session.close()
  }
}

function healthRow(server: ServerHealth, holdings: readonly Holdings[] | null): readonly string[] {
  const held = holdings?.find((one) => one.server === server.identifier)
  const counted = held !== undefined && held.problem === ""
  const counts = counted ? [countText(held.keys), countText(held.accounts)] : ["-", "-"]
  return [
    String(server.identifier),
    server.name,
    server.ready ? "ready" : "DOWN",
    server.latencyMs === null ? "-" : `${Math.round(server.latencyMs)} ms`,
    server.url,
    ...(holdings === null ? [] : counts),
    held === undefined || counted ? server.detail : held.problem,
  ]
}

/** How many, and of which generations where there is another than the first. */
function countText(generations: Generations): string {
  const counts = Object.entries(generations)
  const total = counts.reduce((sum, [, count]) => sum + count, 0)
  if (counts.every(([generation]) => generation === "1")) return String(total)
  const each = counts.map(([generation, count]) => `${count} of generation ${generation}`)
  return `${total} (${each.join(", ")})`
}

function verdictOf(
  { threshold, placement }: Keeper,
  servers: number,
  ready: number,
  allowed: boolean,
): string {
  const margin = placement.possible
    ? `By the roster's rules, any ${placement.mayLose} of them may be lost.\n`
    : "The roster's placement rules allow no signer set at all.\n"
  if (ready < threshold) {
    return (
      `Only ${ready} of ${servers} servers are ready, but ${threshold} are needed: ` +
      `logging in and signing fail until more are started.\n${margin}`
    )
  }
  if (allowed)
    return `${ready} of ${servers} servers are ready; ${threshold} are needed.\n${margin}`
  return (
    `${ready} of ${servers} servers are ready, but the roster's placement rules let no signer set ` +
    `of them sign.\n${margin}`
  )
}
