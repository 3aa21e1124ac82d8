import { CUSTODIES, type Custody, KEY_TYPES, type KeyType } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, type Context, option, report } from "../command.ts"
import type { KeyView } from "../owner.ts"
import { addressOf, withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, keyJson, keyText } from "../text.ts"

const TYPE_MEANING =
  "ecdsa-secp256k1 (EVM chains, Bitcoin), ed25519 (Solana and others) or bip340 (Bitcoin Taproot)"

const CUSTODY_MEANING =
  "custodial (the servers hold every share) or self (they cannot sign without a share of yours)"

/** `lockkeeper keys create`: servers generate a key together; it exists nowhere in one piece. */
export const addKeysCreate: AddCommands = (add) =>
  add<{ type: KeyType; label: string; custody: Custody; deviceSecret: boolean }>({
    usage: "create",
    summary: "Have the key servers generate a key together, with a share of yours or without",
    options: [
      option("--type <type>", TYPE_MEANING).choices(KEY_TYPES).makeOptionMandatory(),
      option("--label <text>", "name for people, up to 64 bytes").default(""),
      option("--custody <custody>", CUSTODY_MEANING).choices(CUSTODIES).default("custodial"),
      option("--no-device-secret", "self: let the password alone open your share, on any device"),
    ],
    examples: [
      "lockkeeper keys create --type ed25519 --label savings",
      "lockkeeper keys create --type ecdsa-secp256k1 --label spending",
      "lockkeeper keys create --type ed25519 --custody self",
      "lockkeeper keys create --type bip340 --json",
    ],
    run: (context, { type: keyType, ...rest }) =>
      withOwner(context, async (session) => {
        const work = () => session.createKey({ keyType, ...rest }, context.signal)
        const { terminal } = context
        const { key, incidents } = await withProgress(terminal, "Generating the key", work)
        terminal.err.write(incidentText(incidents))
        if (key.custody === "self") terminal.err.write(keepingText(context, rest.deviceSecret))
        const next = `Next: lockkeeper ${nextStep(key)}\n`
        return report(keyText(key) + next, { key: keyJson(key), incidents })
      }),
  })

/** What the owner must not lose, or what it costs to have nothing to lose. */
function keepingText({ settings }: Context, deviceSecret: boolean): string {
  return deviceSecret
    ? `note: your share opens on this device alone. Keep a copy of ${addressOf(settings).deviceSecrets}\n` +
        "      off this device: without it, and without this device, the key is lost.\n"
    : "note: your password alone opens your share: as many corrupt servers as sign together can\n" +
        "      try passwords against it.\n"
}

/** What is worth doing first with a new key: nobody pays to a key, but to its address. */
function nextStep({ keyId, keyType }: KeyView): string {
  const short = toHex(keyId).slice(0, 12)
  return keyType === "ed25519" ? `sign ${short} --message hello` : `keys address ${short}`
}
