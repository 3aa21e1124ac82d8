import { toHex } from "@lockkeeper/encoding"
import { formatChildPath } from "@lockkeeper/protocols"
import { addressFormat, addressOf } from "../addresses.ts"
import { childPathArgument } from "../child-path.ts"
import { type AddCommands, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, table } from "../text.ts"

/** `lockkeeper keys derive KEY PATH`: the servers then sign for the child as well. */
export const addKeysDerive: AddCommands = (add) =>
  add({
    usage: "derive",
    summary: "Have the key servers know a child of a key, which can sign from then on",
    arguments: [
      ["<key>", "id, first digits of it, or label"],
      ["<path>", "m and up to 10 numbers, as in m/0/5; none can be hardened"],
    ],
    examples: [
      "lockkeeper keys derive spending m/0/5",
      "lockkeeper keys derive savings m/44/501/0 --json",
    ],
    async run(context, _, [named = "", written = ""]) {
      const { terminal, signal } = context
      const path = childPathArgument(written)
      return await withOwner(context, async (session) => {
        const { child, incidents } = await withProgress(
          terminal,
          "Deriving the child",
          async () => {
            const { keyId } = await findKey(session, named, signal)
            return await session.deriveChild(keyId, path, signal)
          },
        )
        terminal.err.write(incidentText(incidents))
        const { keyId, keyType, publicKey } = child
        const format = addressFormat(keyType, undefined)
        const address = addressOf(child, format, undefined)
        const text = table([
          ["key", toHex(keyId)],
          ["path", formatChildPath(path)],
          ["public key", toHex(publicKey)],
          ["address", `${address} (${format})`],
        ])
        return report(text, {
          ...{ keyId: toHex(keyId), keyType, path: formatChildPath(path), format, address },
          ...{ publicKey: toHex(publicKey), incidents },
        })
      })
    },
  })
