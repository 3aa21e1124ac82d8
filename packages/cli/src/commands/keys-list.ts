import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, report } from "../command.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { keyJson, moment, table } from "../text.ts"

/** `lockkeeper keys list`. */
export const addKeysList: AddCommands = (add) =>
  add({
    usage: "list",
    summary: "List your keys with custody and state",
    examples: ["lockkeeper keys list", "lockkeeper keys list --json"],
    run: (context) =>
      withOwner(context, async (session) => {
        const work = () => session.listKeys(context.signal)
        const keys = await withProgress(context.terminal, "Fetching the keys", work)
        if (keys.length === 0) {
          return report(`No keys yet. Next: lockkeeper keys create --type ed25519\n`, {
            keys: [],
          })
        }
        const rows = keys.map((key) => [
          toHex(key.keyId).slice(0, 12),
          key.keyType,
          key.custody,
          key.state,
          `${key.minSigners} of ${key.holders.length}`,
          moment(key.createdAt),
          key.expiresAt === null ? "-" : moment(key.expiresAt),
          key.label,
        ])
        const head = [
          "KEY",
          "TYPE",
          "CUSTODY",
          "STATE",
          "SERVERS",
          "CREATED",
          "SIGNS UNTIL",
          "LABEL",
        ]
        return report(table([head, ...rows]), { keys: keys.map(keyJson) })
      }),
  })
