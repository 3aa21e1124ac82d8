import { join } from "node:path"
import { sha256 } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper server rotate-channel-key DIR`: another key to open sessions with, for the next roster. */
export const addServerRotateChannelKey: AddCommands = (add) =>
  add<{ passphraseFile?: string }>({
    usage: "rotate-channel-key",
    summary: "Make a server another channel key, to be listed by the next roster",
    arguments: [["<directory>", "the server's directory"]],
    options: [PASSPHRASE_OPTION],
    examples: ["lockkeeper server rotate-channel-key ./server-1"],
    async run(context, { passphraseFile }, [directory = ""]) {
      const { isRunning } = await import("@lockkeeper/server")
      const { rotateIn } = await import("../server-directory.ts")
      const running = await isRunning(directory)
      const passphrase = running ? null : await passphraseFor(context, passphraseFile, "existing")
      const work = () => rotateIn(directory, passphrase)
      const channelKey = await withProgress(context.terminal, "Making a channel key", work)
      const descriptor = join(directory, "descriptor.json")
      const digest = toHex(sha256(channelKey))
      const text =
        `A channel key waits for the next roster, SHA-256 ${digest}.\n` +
        `Wrote ${descriptor}. The key before it is used until a roster lists this one.\n` +
        "Next: lockkeeper roster propose --replace NAME=descriptor.json\n"
      return report(text, { directory, running, descriptor, channelKey: digest })
    },
  })
