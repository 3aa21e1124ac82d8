import { KEY_TYPES, type KeyType } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { commandName } from "../command-name.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, keyJson, keyText } from "../text.ts"

/** `lockkeeper keys create`: servers generate a key together; it exists nowhere in one piece. */
export const addKeysCreate: AddCommands = (add) =>
  add<{ type: KeyType; label: string }>({
    usage: "create",
    summary: "Have the key servers generate a key together",
    options: [
      option("--type <type>", "ed25519 (Solana and others) or bip340 (Bitcoin Taproot)")
        .choices(KEY_TYPES)
        .makeOptionMandatory(),
      option("--label <text>", "name for people, up to 64 bytes").default(""),
    ],
    examples: [
      "lockkeeper keys create --type ed25519 --label savings",
      "lockkeeper keys create --type bip340 --json",
    ],
    run: (context, { type, label }) =>
      withOwner(context, async (session) => {
        const work = () => session.createKey(type, label, context.signal)
        const { terminal } = context
        const { key, incidents } = await withProgress(terminal, "Generating the key", work)
        terminal.err.write(incidentText(incidents))
        const next = `Next: ${commandName()} sign ${toHex(key.keyId).slice(0, 12)} --message hello\n`
        return report(keyText(key) + next, { key: keyJson(key), incidents })
      }),
  })
