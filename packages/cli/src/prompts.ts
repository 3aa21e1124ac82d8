import { password as askHidden, text as askText, isCancel } from "@clack/prompts"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { readSecretFile } from "./owner-only-file.ts"
import type { Terminal } from "./terminal.ts"

/** Shortest password that a registration or change accepts, in characters. */
export const MIN_PASSWORD = 8

interface PasswordSource {
  /** Owner-only file to read instead of asking, or null. */
  readonly file: string | null
  /** The variable that names the file, for messages. */
  readonly setting: "LK_PASSWORD_FILE" | "LK_NEW_PASSWORD_FILE" | "LK_PASSPHRASE_FILE"
  readonly question: string
}

/**
 * A password from its owner-only file or, hidden, from the person at the terminal. Never from an
 * argument or a variable: those show in process listings and shell histories.
 */
export async function existingPassword(
  terminal: Terminal,
  source: PasswordSource,
  signal: AbortSignal,
): Promise<Secret> {
  if (source.file !== null) return readSecretFile(source.file, source.setting)
  return toSecret(await askPassword(terminal, source, signal))
}

/** A new password, asked twice when a person types it, refused when it is too short. */
export async function chosenPassword(
  terminal: Terminal,
  source: PasswordSource,
  signal: AbortSignal,
): Promise<Secret> {
  if (source.file !== null) {
    const secret = readSecretFile(source.file, source.setting)
    if (secret.length < MIN_PASSWORD) {
      secret.wipe()
      throw tooShort(source.setting)
    }
    return secret
  }
  const first = await askPassword(terminal, source, signal)
  if (first.length < MIN_PASSWORD) throw tooShort("password")
  const again = { ...source, question: "The same again" }
  if ((await askPassword(terminal, again, signal)) !== first) {
    throw new LockKeeperError("invalid-request", "The two passwords differ.", {
      field: "password",
      remedy: "Run the command again.",
    })
  }
  return toSecret(first)
}

/** The account's name: from the settings, or asked. */
export async function accountName(
  terminal: Terminal,
  known: string | null,
  signal: AbortSignal,
): Promise<string> {
  if (known !== null) return known
  if (!terminal.interactive) {
    throw new LockKeeperError("invalid-request", "No account name is given.", {
      field: "name",
      remedy: "Set LK_NAME, or `name` in config.json; register and login also take --name NAME.",
    })
  }
  const answer = await untilInputEnds(terminal, signal, (ended) =>
    askText({
      message: "Account name",
      input: terminal.input,
      output: terminal.err,
      signal: ended,
    }),
  )
  if (isCancel(answer)) throw cancelled()
  return answer
}

async function askPassword(
  terminal: Terminal,
  { question, setting }: PasswordSource,
  signal: AbortSignal,
): Promise<string> {
  if (!terminal.interactive) {
    throw new LockKeeperError(
      "invalid-request",
      `"${question}" cannot be asked here: this is no terminal.`,
      {
        field: "password",
        remedy: `Run in a terminal, or name an owner-only file in ${setting}.`,
      },
    )
  }
  const answer = await untilInputEnds(terminal, signal, (ended) =>
    askHidden({ message: question, input: terminal.input, output: terminal.err, signal: ended }),
  )
  if (isCancel(answer)) throw cancelled()
  return answer
}

/** A prompt waits for ever once its input has ended, be it closed or by Ctrl-D: cancel it then. */
async function untilInputEnds<T>(
  { input }: Terminal,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController()
  const end = () => ended.abort()
  const onKey = (_: unknown, key: { readonly ctrl?: boolean; readonly name?: string }) => {
    if (key?.ctrl === true && key.name === "d") end()
  }
  input.once("end", end).once("close", end).on("keypress", onKey)
  try {
    return await ask(AbortSignal.any([signal, ended.signal]))
  } finally {
    input.off("end", end).off("close", end).off("keypress", onKey)
  }
}

function toSecret(text: string): Secret {
  // The string itself cannot be wiped; it is unreachable from here on.
  return new Secret(utf8(text))
}

function tooShort(field: string): LockKeeperError {
  return new LockKeeperError(
    "invalid-request",
    `The password is shorter than ${MIN_PASSWORD} characters.`,
    { field, remedy: "Take several random words." },
  )
}

function cancelled(): LockKeeperError {
  return new LockKeeperError("cancelled", "Cancelled.")
}
