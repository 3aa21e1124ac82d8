import type { Secret } from "@lockkeeper/crypto"
import { type Context, option } from "./command.ts"
import { chosenPassword, existingPassword } from "./prompts.ts"

export const PASSPHRASE_OPTION = option(
  "--passphrase-file <path>",
  "owner-only file with the server's passphrase (LK_PASSPHRASE_FILE)",
)

/** A server's passphrase: from its owner-only file, or asked; a new one is asked twice. */
export async function passphraseFor(
  { settings, terminal, signal }: Context,
  fileOption: string | undefined,
  age: "new" | "existing",
): Promise<Secret> {
  const file = fileOption ?? settings.passphraseFile
  const question = age === "new" ? "New passphrase for this server" : "Passphrase of this server"
  const source = { file, setting: "LK_PASSPHRASE_FILE", question } as const
  const ask = age === "new" ? chosenPassword : existingPassword
  return await ask(terminal, source, signal)
}
