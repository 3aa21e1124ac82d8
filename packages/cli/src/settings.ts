import { readFileSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, fromHex } from "@lockkeeper/encoding"

/** Everything a command is told from outside, resolved once and never changed. */
export interface Settings {
  /** Directory of this profile: configuration, roster, agent socket. */
  readonly home: string
  readonly configFile: string
  /** The signed roster of the key servers. */
  readonly roster: string
  /** Digest that the roster must have, 32 bytes, or null to trust the file itself. */
  readonly rosterPin: Bytes | null
  /** Certificate authority for the servers' TLS certificates, or null for the system's. */
  readonly ca: string | null
  readonly name: string | null
  readonly passwordFile: string | null
  readonly newPasswordFile: string | null
  readonly passphraseFile: string | null
  readonly useAgent: boolean
  readonly agentIdleMs: number
  readonly json: boolean
  readonly debug: boolean
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly home?: string
  readonly config?: string
  readonly roster?: string
  readonly agent?: boolean
  readonly json?: boolean
}

/** Each variable with what it sets: closed, and listed in help. */
export const VARIABLES: readonly (readonly [string, string])[] = [
  ["LK_HOME", "profile directory, default ~/.lockkeeper"],
  ["LK_CONFIG", "configuration file, default config.json in the profile directory"],
  ["LK_ROSTER", "signed roster file, default roster.lk in the profile directory"],
  ["LK_ROSTER_PIN", "digest the roster must have, 64 hexadecimal digits"],
  ["LK_CA", "file with the certificate authority of the servers, PEM"],
  ["LK_NAME", "account name"],
  ["LK_PASSWORD_FILE", "owner-only file with the password, for scripts"],
  ["LK_NEW_PASSWORD_FILE", "owner-only file with the new password, for passwd"],
  ["LK_PASSPHRASE_FILE", "owner-only file with a key server's passphrase"],
  ["LK_AGENT", "off: never use the agent, ask for the password each time"],
  ["LK_AGENT_IDLE_MINUTES", "minutes without use after which the agent ends, default 15"],
  ["LK_JSON", "1: print one line of JSON instead of text"],
  ["LK_DEBUG", "1: print the stack of an error"],
]

type FileKey = "roster" | "rosterPin" | "ca" | "name" | "agent" | "agentIdleMinutes"
const FILE_KEYS: Readonly<Record<FileKey, "string" | "boolean" | "number">> = {
  roster: "string",
  rosterPin: "string",
  ca: "string",
  name: "string",
  agent: "boolean",
  agentIdleMinutes: "number",
}
type FileSettings = { readonly [K in FileKey]?: string | boolean | number }

const DEFAULT_IDLE_MINUTES = 15
const MAX_IDLE_MINUTES = 24 * 60

/**
 * Settings by precedence: option, then LK_ variable, then configuration file, then default.
 *
 * @throws LockKeeperError `misconfigured` naming the setting and the remedy.
 */
export function resolveSettings(
  options: GlobalOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const variable = (name: string) => {
    const value = environment[name]
    return value === undefined || value === "" ? undefined : value
  }
  const home = resolve(options.home ?? variable("LK_HOME") ?? join(homedir(), ".lockkeeper"))
  const named = options.config ?? variable("LK_CONFIG")
  const configFile = resolve(named ?? join(home, "config.json"))
  const file = readConfigFile(configFile, named !== undefined)
  const pathInFile = (key: FileKey) => {
    const value = file[key] as string | undefined
    if (value === undefined) return undefined
    return isAbsolute(value) ? value : join(dirname(configFile), value)
  }
  const pin = variable("LK_ROSTER_PIN") ?? (file.rosterPin as string | undefined)
  const roster = options.roster ?? variable("LK_ROSTER") ?? pathInFile("roster")
  return Object.freeze({
    home,
    configFile,
    roster: resolve(roster ?? join(home, "roster.lk")),
    rosterPin: pin === undefined ? null : parsePin(pin),
    ca: variable("LK_CA") ?? pathInFile("ca") ?? null,
    name: variable("LK_NAME") ?? (file.name as string | undefined) ?? null,
    passwordFile: variable("LK_PASSWORD_FILE") ?? null,
    newPasswordFile: variable("LK_NEW_PASSWORD_FILE") ?? null,
    passphraseFile: variable("LK_PASSPHRASE_FILE") ?? null,
    useAgent:
      options.agent !== false &&
      parseSwitch("LK_AGENT", variable("LK_AGENT"), (file.agent as boolean | undefined) ?? true),
    agentIdleMs: parseMinutes(variable("LK_AGENT_IDLE_MINUTES"), file.agentIdleMinutes) * 60_000,
    json: options.json ?? parseSwitch("LK_JSON", variable("LK_JSON"), false),
    debug: parseSwitch("LK_DEBUG", variable("LK_DEBUG"), false),
  })
}

/** Variables that begin with LK_ and mean nothing: most often a misspelling. */
export function unknownVariables(
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const known = new Set(VARIABLES.map(([name]) => name))
  return Object.keys(environment)
    .filter((name) => name.startsWith("LK_") && !known.has(name))
    .sort()
}

function readConfigFile(path: string, mustExist: boolean): FileSettings {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) {
    if (!mustExist) return {}
    return refuse("config", `The configuration file "${path}" does not exist.`, "Check the path.")
  }
  // Whoever can write this file can choose the servers that are trusted.
  if ((stats.mode & 0o022) !== 0) {
    refuse("config", `Others can write to "${path}".`, `Run: chmod go-w ${path}`)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"))
  } catch {
    return refuse("config", `The file "${path}" is not JSON.`, "Correct it, or delete it.")
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return refuse("config", `The file "${path}" is not a JSON object.`, "Write { ... }.")
  }
  for (const [key, value] of Object.entries(parsed)) checkFileSetting(path, key, value)
  return parsed
}

function checkFileSetting(path: string, key: string, value: unknown): void {
  const keys = Object.keys(FILE_KEYS).join(", ")
  if (!Object.hasOwn(FILE_KEYS, key)) {
    refuse(`config.${key}`, `"${path}" has the unknown setting "${key}".`, `It may set: ${keys}.`)
  }
  const type = FILE_KEYS[key as FileKey]
  if (typeof value !== type || value === "") {
    refuse(`config.${key}`, `"${key}" in "${path}" is not a ${type}.`, `Write a ${type}.`)
  }
  // No file, address or name has one, and the system would refuse it as a fault of ours.
  if (typeof value === "string" && value.includes("\0")) {
    refuse(`config.${key}`, `"${key}" in "${path}" holds a NUL character.`, "Write it without.")
  }
}

function parsePin(text: string): Bytes {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    refuse(
      "LK_ROSTER_PIN",
      "The roster pin is not 64 lower-case hexadecimal digits.",
      "Copy it from `lockkeeper roster show` of somebody you trust.",
    )
  }
  return fromHex(text)
}

function parseSwitch(name: string, text: string | undefined, otherwise: boolean): boolean {
  if (text === undefined) return otherwise
  if (["1", "on", "true", "yes"].includes(text)) return true
  if (["0", "off", "false", "no"].includes(text)) return false
  return refuse(name, `${name} is neither on nor off.`, `Write ${name}=1 or ${name}=0.`)
}

function parseMinutes(text: string | undefined, inFile: unknown): number {
  const minutes = text === undefined ? (inFile ?? DEFAULT_IDLE_MINUTES) : Number(text)
  if (typeof minutes === "number" && minutes > 0 && minutes <= MAX_IDLE_MINUTES) return minutes
  return refuse(
    "LK_AGENT_IDLE_MINUTES",
    `The agent's idle time is not a number of minutes up to ${MAX_IDLE_MINUTES}.`,
    "Write for example LK_AGENT_IDLE_MINUTES=15.",
  )
}

function refuse(field: string, message: string, remedy: string): never {
  throw new LockKeeperError("misconfigured", message, { field, remedy })
}
