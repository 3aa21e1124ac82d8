import { describeDifference } from "@lockkeeper/api"
import { type AddCommands, option, type Report, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { decodeRosterFile, readRosterBytes } from "../roster-file.ts"
import { differenceJson } from "../roster-text.ts"
import type { RosterTaken } from "../server-directory.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper roster activate DIR BUNDLE`: a server goes on under the next roster, running or not. */
export const addRosterActivate: AddCommands = (add) =>
  add<{ passphraseFile?: string; force?: true }>({
    usage: "activate",
    summary: "Make a key server go on under the next roster, without stopping it",
    arguments: [
      ["<directory>", "the server's directory"],
      ["<bundle>", "what roster join wrote for members"],
    ],
    options: [
      option(
        "--force",
        "also where too few servers are sure to be left with shares: you know they are",
      ),
      PASSPHRASE_OPTION,
    ],
    examples: ["lockkeeper roster activate ./server-1 roster.bundle"],
    async run(context, { passphraseFile, force }, [directory = "", file = ""]) {
      const { activateBundle, isRunning, rosterBundleCodec } = await import("@lockkeeper/server")
      decodeRosterFile(file, "what roster join wrote for members", rosterBundleCodec)
      const bundle = readRosterBytes(file)
      const { activateRunning, withServer } = await import("../server-directory.ts")
      const running = await isRunning(directory)
      const passphrase = running ? null : await passphraseFor(context, passphraseFile, "existing")
      const options = { isForced: force === true }
      const work = () =>
        passphrase === null
          ? activateRunning(directory, bundle, options)
          : withServer(directory, passphrase, (unsealed) =>
              activateBundle(unsealed, bundle, options),
            )
      const taken = await withProgress(context.terminal, "Activating the roster", work)
      return takenReport(directory, taken, running)
    },
  })

/** What an operator is told of a server that goes on under another roster. */
export function takenReport(
  directory: string,
  { roster, difference }: RosterTaken,
  running: boolean,
): Report {
  const { rosterEpoch, members } = roster
  const changes = difference === null ? [] : describeDifference(difference)
  const text =
    `The server goes on under roster ${rosterEpoch} with ${members.length} members.\n` +
    `${changes.map((line) => `${line}\n`).join("")}` +
    (running
      ? "It runs; owners who were logged in log in again.\n"
      : `Start it with: lockkeeper server run ${directory}\n`)
  return report(text, {
    ...{ directory, running, rosterEpoch, servers: members.length, changes },
    difference: difference === null ? null : differenceJson(difference),
  })
}
