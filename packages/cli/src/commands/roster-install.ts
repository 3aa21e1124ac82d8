import { type AddCommands, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { decodeRosterFile, readRosterBytes } from "../roster-file.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper roster install DIR BUNDLE`: make a stopped server follow the joined roster. */
export const addRosterInstall: AddCommands = (add) =>
  add<{ passphraseFile?: string }>({
    usage: "install",
    summary: "Make a stopped key server follow a joined roster",
    arguments: [
      ["<directory>", "the server's directory"],
      ["<bundle>", "what roster join wrote for members"],
    ],
    options: [PASSPHRASE_OPTION],
    examples: ["lockkeeper roster install ./server-1 roster.bundle"],
    async run(context, { passphraseFile }, [directory = "", file = ""]) {
      const { rosterBundleCodec } = await import("@lockkeeper/server")
      decodeRosterFile(file, "what roster join wrote for members", rosterBundleCodec)
      const bundle = readRosterBytes(file)
      const passphrase = await passphraseFor(context, passphraseFile, "existing")
      const { installBundle } = await import("@lockkeeper/server")
      const { withServer } = await import("../server-directory.ts")
      const work = () =>
        withServer(directory, passphrase, (unsealed) => installBundle(unsealed, bundle))
      const roster = await withProgress(context.terminal, "Installing the roster", work)
      const { rosterEpoch, members } = roster
      const text =
        `The server now follows roster ${rosterEpoch} with ${members.length} members.\n` +
        `Next, with server.json in place (docs/operating.md): lockkeeper server run ${directory}\n`
      return report(text, { directory, rosterEpoch, servers: members.length })
    },
  })
