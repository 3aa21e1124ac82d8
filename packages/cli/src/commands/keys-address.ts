import { toHex } from "@lockkeeper/encoding"
import { formatChildPath } from "@lockkeeper/protocols"
import type { BitcoinNetwork } from "@lockkeeper/wallet"
import {
  ADDRESS_FORMATS,
  type AddressFormat,
  addressFormat,
  addressOf,
  NETWORK_OPTION,
} from "../addresses.ts"
import { childPathArgument, PATH_OPTION } from "../child-path.ts"
import { type AddCommands, option, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"

interface Options {
  readonly path: string
  readonly format?: AddressFormat
  readonly network?: BitcoinNetwork
}

/** `lockkeeper keys address KEY`. */
export const addKeysAddress: AddCommands = (add) =>
  add<Options>({
    usage: "address",
    summary: "Show the address of a key, or of a child of it, on a chain",
    arguments: [["<key>", "id, first digits of it, or label"]],
    options: [
      PATH_OPTION,
      option("--format <format>", "default: the usual one of the key's type").choices(
        ADDRESS_FORMATS,
      ),
      NETWORK_OPTION,
    ],
    examples: [
      "lockkeeper keys address spending",
      "lockkeeper keys address spending --path m/0/5 --format p2wpkh --network testnet",
      "lockkeeper keys address spending --format xpub   # for a watching wallet: shows every address",
    ],
    async run(context, options, [named = ""]) {
      const { terminal, signal } = context
      const path = childPathArgument(options.path)
      return await withOwner(context, async (session) => {
        const child = await withProgress(terminal, "Fetching the key", async () => {
          const { keyId } = await findKey(session, named, signal)
          return await session.showChild(keyId, path, signal)
        })
        const { keyId, keyType, publicKey } = child
        const format = addressFormat(keyType, options.format)
        const address = addressOf(child, format, options.network)
        return report(`${address}\n`, {
          ...{ keyId: toHex(keyId), keyType, path: formatChildPath(path), format, address },
          publicKey: toHex(publicKey),
        })
      })
    },
  })
