import { setTimeout as wait } from "node:timers/promises"
import { LockKeeperError, MAX_PRESIGNATURES } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { type AddCommands, type Context, option, type Report, report, tell } from "../command.ts"
import { asLockKeeperError, describeError, errorJson } from "../failure.ts"
import type { FilledView, OwnerSession, PoolTargets } from "../owner.ts"
import { withOwner } from "../session.ts"
import { incidentText } from "../text.ts"

interface Options {
  readonly directory?: string
  readonly floor?: string
  readonly cap?: string
  readonly interval?: string
  readonly once?: boolean
}

const DEFAULT_FLOOR = 4
const DEFAULT_CAP = 16
const DEFAULT_INTERVAL_S = 10
const DEFAULT_OPERATOR_INTERVAL_S = 600
const MAX_INTERVAL_S = 3600

/**
 * `lockkeeper maintain`: presignatures are at hand before somebody waits for a signature. With
 * `--directory` it is the operator's: shares are refreshed as the roster's schedule says.
 */
export const addMaintain: AddCommands = (add) =>
  add<Options>({
    usage: "maintain",
    summary:
      "Keep your ECDSA keys' pools filled, or as operator the refresh schedule, until Ctrl-C",
    options: [
      option("--directory <dir>", "as operator of the server over it: refresh what is due"),
      option("--floor <n>", `fill a pool when fewer are ready (default ${DEFAULT_FLOOR})`),
      option("--cap <n>", `up to this many, at most ${MAX_PRESIGNATURES} (default ${DEFAULT_CAP})`),
      option(
        "--interval <seconds>",
        `between looks (default ${DEFAULT_INTERVAL_S}, as operator ${DEFAULT_OPERATOR_INTERVAL_S})`,
      ),
      option("--once", "look once, do what is due, and end"),
    ],
    examples: [
      "lockkeeper maintain",
      "lockkeeper maintain --once --json",
      "lockkeeper maintain --floor 8 --cap 32 --interval 5",
      "lockkeeper maintain --directory ./server",
    ],
    run: (context, options) =>
      options.directory === undefined
        ? maintain(context, options)
        : keepSchedule(context, options, options.directory),
  })

async function keepSchedule(
  context: Context,
  { floor, cap, interval, once }: Options,
  directory: string,
): Promise<Report> {
  for (const [field, given] of Object.entries({ floor, cap })) {
    if (given === undefined) continue
    throw new LockKeeperError("invalid-request", "An operator fills no pools.", {
      field,
      remedy: `Leave out --${field}, or --directory.`,
    })
  }
  const seconds = interval ?? String(DEFAULT_OPERATOR_INTERVAL_S)
  const intervalMs = 1000 * whole(seconds, "interval", MAX_INTERVAL_S)
  const { runSchedule } = await import("../refresh-schedule.ts")
  return await runSchedule(context, { directory, intervalMs, isOnly: once === true })
}

async function maintain(context: Context, options: Options): Promise<Report> {
  const targets = targetsOf(options)
  const intervalMs =
    1000 * whole(options.interval ?? String(DEFAULT_INTERVAL_S), "interval", MAX_INTERVAL_S)
  const { signal } = context
  const isOnly = options.once === true
  const made = await withOwner(context, async (session) => {
    tell(context, { event: "started", ...targets, name: session.name }, startText(session, targets))
    let made = 0
    while (!signal.aborted) {
      made += await look(context, session, targets, isOnly)
      if (isOnly) break
      // Ended by the signal, as the loop is.
      await wait(intervalMs, undefined, { signal }).catch(() => undefined)
    }
    return made
  })
  const count = made === 1 ? "1 presignature was" : `${made} presignatures were`
  return report(`${count} made.\n`, { event: "ended", made })
}

/** One look at the pools of all keys that have one. Returns how many presignatures were made. */
async function look(
  context: Context,
  session: OwnerSession,
  targets: PoolTargets,
  isOnly: boolean,
): Promise<number> {
  const { signal } = context
  let made = 0
  const keys = await attempt(context, isOnly, null, () => session.listKeys(signal))
  for (const { keyId, keyType, state } of keys ?? []) {
    if (keyType !== "ecdsa-secp256k1" || state !== "active" || signal.aborted) continue
    const fill = () => session.fillPool(keyId, targets, signal)
    const filled = await attempt(context, isOnly, keyId, fill)
    if (filled === null) continue
    made += filled.made
    context.terminal.err.write(incidentText(filled.incidents))
    tell(context, { event: "pool", keyId: toHex(keyId), ...filled }, filledText(keyId, filled))
  }
  return made
}

/** What time may mend is told and tried at the next look; with an ended login there is none. */
async function attempt<T>(
  context: Context,
  isOnly: boolean,
  keyId: Bytes | null,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work()
  } catch (thrown) {
    if (context.signal.aborted) return null
    const error = asLockKeeperError(thrown)
    if (isOnly || error.retry === "never" || error.retry === "after-opening") throw error
    const json = { event: "failed", keyId: keyId === null ? null : toHex(keyId) }
    tell(context, { ...json, ...errorJson(error) }, describeError(error))
    return null
  }
}

function startText({ name }: OwnerSession, { floor, cap }: PoolTargets): string {
  return `Keeping ${floor} to ${cap} presignatures ready for each ECDSA key of ${name}.\n`
}

/** Says what was made; that nothing was missing is not worth a line. */
function filledText(keyId: Bytes, { made, sets }: FilledView): string {
  if (made === 0) return ""
  const time = new Date().toISOString().slice(11, 19)
  const ready = sets.map(({ signers, ready }) => `${ready} with servers ${signers.join(", ")}`)
  return `${time} key ${toHex(keyId).slice(0, 12)}: ${made} made; ready: ${ready.join("; ")}\n`
}

function targetsOf(options: Options): PoolTargets {
  const floor = whole(options.floor ?? String(DEFAULT_FLOOR), "floor", MAX_PRESIGNATURES)
  const cap = whole(options.cap ?? String(DEFAULT_CAP), "cap", MAX_PRESIGNATURES)
  if (floor <= cap) return { floor, cap }
  throw new LockKeeperError("invalid-request", `The floor ${floor} is above the cap ${cap}.`, {
    field: "floor",
    remedy: "Choose a floor up to the cap.",
  })
}

function whole(text: string, field: string, most: number): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  const message = `The option --${field} is no whole number from 1 to ${most}.`
  throw new LockKeeperError("invalid-request", message, {
    field,
    remedy: `Write for example --${field} ${Math.min(8, most)}.`,
  })
}
