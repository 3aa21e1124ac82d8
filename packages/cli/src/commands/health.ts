import { type AddCommands, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { withKeeper } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { table } from "../text.ts"

/** `lockkeeper health`: every server's state, and whether enough of them are ready. */
export const addHealth: AddCommands = (add) =>
  add({
    usage: "health",
    summary: "Ask every key server how it is; fails when fewer than the threshold are ready",
    examples: ["lockkeeper health", "lockkeeper health --json | jq .ready"],
    run: (context) =>
      withKeeper(context, async (keeper) => {
        const work = () => keeper.health(context.signal)
        const servers = await withProgress(context.terminal, "Asking the key servers", work)
        const { threshold } = keeper
        const ready = servers.filter((server) => server.ready).length
        const enough = ready >= threshold
        const rows = servers.map((server) => [
          String(server.identifier),
          server.name,
          server.ready ? "ready" : "DOWN",
          server.latencyMs === null ? "-" : `${Math.round(server.latencyMs)} ms`,
          server.url,
          server.detail,
        ])
        const verdict = enough
          ? `${ready} of ${servers.length} servers are ready; ${threshold} are needed.\n`
          : `Only ${ready} of ${servers.length} servers are ready, but ${threshold} are needed: ` +
            "logging in and signing fail until more are started.\n"
        const text = table([["ID", "NAME", "STATE", "TIME", "URL", "DETAIL"], ...rows]) + verdict
        const json = { ok: enough, ready, threshold, servers }
        return report(text, json, enough ? EXIT.ok : EXIT.servers)
      }),
  })
