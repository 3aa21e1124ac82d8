import { type AddCommands, option } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { decodeRosterFile, readRosterBytes } from "../roster-file.ts"
import { withProgress } from "../terminal.ts"
import { takenReport } from "./roster-activate.ts"

/** `lockkeeper roster settle DIR`: a server goes on under the roster that ends a transition. */
export const addRosterSettle: AddCommands = (add) =>
  add<{ passphraseFile?: string; bundle?: string; force?: true }>({
    usage: "settle",
    summary: "End a transition at a key server, once nothing that it holds has to move",
    arguments: [["<directory>", "the server's directory"]],
    options: [
      option("--bundle <path>", "what the roster was activated from, where the server lacks it"),
      option(
        "--force",
        "also where nothing has come to a server that joins: there is nothing to come",
      ),
      PASSPHRASE_OPTION,
    ],
    examples: ["lockkeeper roster settle ./server-1"],
    async run(context, { passphraseFile, bundle: file, force }, [directory = ""]) {
      const { isRunning, rosterBundleCodec, settleStopped } = await import("@lockkeeper/server")
      if (file !== undefined) {
        decodeRosterFile(file, "what roster join wrote for members", rosterBundleCodec)
      }
      const bundle = file === undefined ? null : readRosterBytes(file)
      const { settleRunning, withServer } = await import("../server-directory.ts")
      const running = await isRunning(directory)
      const passphrase = running ? null : await passphraseFor(context, passphraseFile, "existing")
      const options = { isForced: force === true }
      const work = () =>
        passphrase === null
          ? settleRunning(directory, bundle, options)
          : withServer(directory, passphrase, (unsealed) =>
              settleStopped(unsealed, bundle, options),
            )
      const taken = await withProgress(context.terminal, "Settling the roster", work)
      return takenReport(directory, taken, running)
    },
  })
