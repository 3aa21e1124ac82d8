import { LockKeeperError } from "@lockkeeper/api"
import { type AddCommands, option, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper server retire DIR`: a server that has left is destroyed for good. */
export const addServerRetire: AddCommands = (add) =>
  add<{ passphraseFile?: string; dryRun?: boolean }>({
    usage: "retire",
    summary: "Destroy for good a stopped key server that has left and holds nothing",
    arguments: [["<directory>", "the server's directory"]],
    options: [
      option("--dry-run", "check everything, say what would go, and change nothing"),
      PASSPHRASE_OPTION,
    ],
    examples: [
      "lockkeeper server retire ./server-1 --dry-run",
      "lockkeeper server retire ./server-1",
    ],
    async run(context, { passphraseFile, dryRun: isDry = false }, [directory = ""]) {
      const { isRunning, PassphraseSeal, retireServer, systemRandomness } = await import(
        "@lockkeeper/server"
      )
      if (await isRunning(directory)) {
        throw new LockKeeperError("misconfigured", `A server runs over "${directory}".`, {
          field: "directory",
          remedy: "Stop it first.",
        })
      }
      const passphrase = await passphraseFor(context, passphraseFile, "existing")
      const seal = new PassphraseSeal(passphrase, systemRandomness)
      const work = () => retireServer({ directory, seal, randomness: systemRandomness, isDry })
      const files = await withProgress(context.terminal, "Retiring the server", work).finally(() =>
        seal.close(),
      )
      const names = files.join(", ")
      const text = isDry
        ? `It holds nothing. These would go for good: ${names}.\nNothing was changed.\n`
        : `The server is gone for good, with ${names}.\n` +
          "Destroy its passphrase and its backups too: they hold shares of before.\n"
      return report(text, { directory, dryRun: isDry, files })
    },
  })
