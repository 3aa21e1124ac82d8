import { describeDifference } from "@lockkeeper/api"
import { type AddCommands, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { decodeRosterFile, readRosterBytes } from "../roster-file.ts"
import { differenceJson } from "../roster-text.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper roster activate DIR BUNDLE`: a stopped server goes on under the next roster. */
export const addRosterActivate: AddCommands = (add) =>
  add<{ passphraseFile?: string }>({
    usage: "activate",
    summary: "Make a stopped key server go on under the next roster",
    arguments: [
      ["<directory>", "the server's directory"],
      ["<bundle>", "what roster join wrote for members"],
    ],
    options: [PASSPHRASE_OPTION],
    examples: ["lockkeeper roster activate ./server-1 roster.bundle"],
    async run(context, { passphraseFile }, [directory = "", file = ""]) {
      const { rosterBundleCodec } = await import("@lockkeeper/server")
      decodeRosterFile(file, "what roster join wrote for members", rosterBundleCodec)
      const bundle = readRosterBytes(file)
      const passphrase = await passphraseFor(context, passphraseFile, "existing")
      const { activateBundle, withServer } = await import("../server-directory.ts")
      const work = () =>
        withServer(directory, passphrase, (unsealed) => activateBundle(unsealed, bundle))
      const { roster, difference } = await withProgress(
        context.terminal,
        "Activating the roster",
        work,
      )
      const { rosterEpoch, members } = roster
      const changes = difference === null ? [] : describeDifference(difference)
      const text =
        `The server goes on under roster ${rosterEpoch} with ${members.length} members.\n` +
        `${changes.map((line) => `${line}\n`).join("")}` +
        `Start it with: lockkeeper server run ${directory}\n`
      return report(text, {
        ...{ directory, rosterEpoch, servers: members.length, changes },
        difference: difference === null ? null : differenceJson(difference),
      })
    },
  })
