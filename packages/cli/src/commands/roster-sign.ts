import {
  decodeRoster,
  encodeRoster,
  type Roster,
  rosterDigest,
  settledRoster,
} from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { writeNewFile } from "../output-file.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { readRosterBytes } from "../roster-file.ts"
import { withProgress } from "../terminal.ts"

const digestOf = (roster: Roster): string => toHex(rosterDigest(encodeRoster(roster)))

/** `lockkeeper roster sign DIR ROSTER`: one member's consent to the roster. */
export const addRosterSign: AddCommands = (add) =>
  add<{ out: string; passphraseFile?: string }>({
    usage: "sign",
    summary: "Sign an unsigned roster with a server's identity key, running or not",
    arguments: [
      ["<directory>", "the server's directory"],
      ["<roster>", "the unsigned roster"],
    ],
    options: [
      option("--out <path>", "where to write the signature").makeOptionMandatory(),
      PASSPHRASE_OPTION,
    ],
    examples: ["lockkeeper roster sign ./server-1 roster.unsigned --out alpha.signature"],
    async run(context, { out, passphraseFile }, [directory = "", file = ""]) {
      const encoded = readRosterBytes(file)
      const roster = decodeRoster(encoded)
      const { isRunning } = await import("@lockkeeper/server")
      const { signIn } = await import("../server-directory.ts")
      const passphrase = (await isRunning(directory))
        ? null
        : await passphraseFor(context, passphraseFile, "existing")
      const work = () => signIn(directory, passphrase, encoded)
      writeNewFile(out, await withProgress(context.terminal, "Signing the roster", work), "out")
      const digest = toHex(rosterDigest(encoded))
      const settled = roster.transition === null ? null : digestOf(settledRoster(roster))
      const also = settled === null ? "" : `With it the one that settles it, digest ${settled}.\n`
      const text = `Signed the roster with digest ${digest}.\n${also}Wrote ${out}.\n`
      return report(text, { out, digest, settled })
    },
  })
