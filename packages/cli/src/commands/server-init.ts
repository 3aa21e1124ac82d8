import { join } from "node:path"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { withProgress } from "../terminal.ts"

interface InitOptions {
  readonly name: string
  readonly url: string
  readonly operator: string
  readonly cloud: string
  readonly jurisdiction: string
  readonly passphraseFile?: string
}

/** `lockkeeper server init DIR`: a new server's keys, sealed, and its descriptor for the roster. */
export const addServerInit: AddCommands = (add) =>
  add<InitOptions>({
    usage: "init",
    summary: "Make a new key server: keys sealed under a passphrase, and a descriptor",
    arguments: [["<directory>", "empty or new; readable by this user only"]],
    options: [
      option("--name <name>", "name for people, unique in the roster").makeOptionMandatory(),
      option("--url <url>", "https://host:port where clients reach it").makeOptionMandatory(),
      option("--operator <name>", "who runs it").default(""),
      option("--cloud <name>", "where it runs").default(""),
      option("--jurisdiction <name>", "whose law applies there").default(""),
      PASSPHRASE_OPTION,
    ],
    examples: [
      "lockkeeper server init ./server-1 --name alpha --url https://keys.example.org:7443 --operator Example",
    ],
    async run(context, { passphraseFile, ...place }, [directory = ""]) {
      const passphrase = await passphraseFor(context, passphraseFile, "new")
      const { initialise } = await import("../server-directory.ts")
      const work = () => initialise(directory, place, passphrase)
      const { identityKey } = await withProgress(context.terminal, "Generating keys", work)
      const descriptor = join(directory, "descriptor.json")
      const text =
        `Made the key server "${place.name}" in ${directory}.\n` +
        `identity key ${toHex(identityKey)}\n` +
        "Its keys are sealed under the passphrase: whoever loses it loses the server's shares.\n" +
        `Next: send ${descriptor} to whoever makes the roster (lockkeeper roster create).\n`
      return report(text, { directory, descriptor, identityKey: toHex(identityKey), ...place })
    },
  })
