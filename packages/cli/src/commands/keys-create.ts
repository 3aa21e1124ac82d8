import { KEY_TYPES, type KeyType } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import type { KeyView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, keyJson, keyText } from "../text.ts"

const TYPE_MEANING =
  "ecdsa-secp256k1 (EVM chains, Bitcoin), ed25519 (Solana and others) or bip340 (Bitcoin Taproot)"

/** `lockkeeper keys create`: servers generate a key together; it exists nowhere in one piece. */
export const addKeysCreate: AddCommands = (add) =>
  add<{ type: KeyType; label: string }>({
    usage: "create",
    summary: "Have the key servers generate a key together",
    options: [
      option("--type <type>", TYPE_MEANING).choices(KEY_TYPES).makeOptionMandatory(),
      option("--label <text>", "name for people, up to 64 bytes").default(""),
    ],
    examples: [
      "lockkeeper keys create --type ed25519 --label savings",
      "lockkeeper keys create --type ecdsa-secp256k1 --label spending",
      "lockkeeper keys create --type bip340 --json",
    ],
    run: (context, { type, label }) =>
      withOwner(context, async (session) => {
        const work = () => session.createKey(type, label, context.signal)
        const { terminal } = context
        const { key, incidents } = await withProgress(terminal, "Generating the key", work)
        terminal.err.write(incidentText(incidents))
        const next = `Next: lockkeeper ${nextStep(key)}\n`
        return report(keyText(key) + next, { key: keyJson(key), incidents })
      }),
  })

/** What is worth doing first with a new key: nobody pays to a key, but to its address. */
function nextStep({ keyId, keyType }: KeyView): string {
  const short = toHex(keyId).slice(0, 12)
  return keyType === "ed25519" ? `sign ${short} --message hello` : `keys address ${short}`
}
