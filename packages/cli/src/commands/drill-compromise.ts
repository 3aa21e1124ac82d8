import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describeDifference, encodeRoster, rosterDigest } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { moveShares } from "../drill/move-shares.ts"
import {
  type DrillPhase,
  drillPhase,
  type Rotated,
  rosterWithout,
  rotatedAmong,
} from "../drill/plan.ts"
import { joinSteps, rotateSteps } from "../drill/steps.ts"
import { writeNewFile } from "../output-file.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { type RosterFile, readRoster } from "../roster-file.ts"
import type { Place } from "../roster-proposal.ts"
import { withProgress } from "../terminal.ts"
import { parseCount } from "../text.ts"

export interface DrillOptions {
  readonly server: string
  readonly directory?: readonly string[]
  readonly descriptor?: readonly string[]
  readonly replacement?: string
  readonly threshold?: string
  readonly out: string
  readonly dryRun?: boolean
  readonly passphraseFile?: string
}

const several = (flags: string, meaning: string) =>
  option(flags, meaning).argParser((value: string, before: string[] = []) => [...before, value])

/** `lockkeeper drill compromise --server X`: what to do when somebody else holds a server. */
export const addDrillCompromise: AddCommands = (add) =>
  add<DrillOptions>({
    usage: "compromise",
    summary: "Put a server out that somebody else may hold, and make all that it had useless",
    options: [
      option(
        "--server <name>",
        "whom somebody else holds: its name or number",
      ).makeOptionMandatory(),
      several("--directory <dir>", "a server of your own that stays; again for another"),
      several(
        "--descriptor <path>",
        "descriptor.json of another that stays, with its new channel key",
      ),
      option("--replacement <path>", "descriptor.json of a new server that comes in its place"),
      option("--threshold <t>", "how many servers an operation takes from then on"),
      option("--out <path>", "where to write the unsigned roster").default("roster.unsigned"),
      option("--dry-run", "say what would be done, and change nothing"),
      PASSPHRASE_OPTION,
    ],
    examples: [
      "lockkeeper drill compromise --server gamma --directory ./alpha --dry-run",
      "lockkeeper drill compromise --server gamma --directory ./alpha --descriptor beta.json",
      "lockkeeper --roster next.lk drill compromise --server gamma --directory ./alpha",
    ],
    run: drill,
  })

async function drill(context: Context, options: DrillOptions): Promise<Report> {
  const { settings } = context
  const file = readRoster(settings.roster, settings.rosterPin)
  const phase = drillPhase(file.chain, options.server)
  switch (phase.kind) {
    case "in-force":
      return await putOut(context, options, file, phase)
    case "moving":
      return await moveShares(context, options, file, phase.member)
    case "over": {
      const { name } = phase.member
      const text =
        `"${name}" is in no roster since ${file.roster.rosterEpoch}, and every share has moved: what it ` +
        "had is of no use.\nDestroy its backups and passphrase, and find out how it was taken.\n"
      return report(text, { phase: "over", server: name, rosterEpoch: file.roster.rosterEpoch })
    }
  }
}

async function putOut(
  context: Context,
  options: DrillOptions,
  file: RosterFile,
  { member, others }: Extract<DrillPhase, { readonly kind: "in-force" }>,
): Promise<Report> {
  const { readDescriptor } = await import("@lockkeeper/server")
  const isDry = options.dryRun === true
  const read = (path: string): Place => readDescriptor(readFileSync(path, "utf8"))
  const own = options.directory ?? []
  // Before anything is changed: a directory of the server itself, or of a stranger, is refused.
  rotatedAmong(others, own.map(descriptorIn).map(read))
  if (!isDry) for (const directory of own) await rotate(context, options, directory)
  const ownDescriptors = own.map(descriptorIn).map(read)
  const given = [...ownDescriptors, ...(options.descriptor ?? []).map(read)]
  const rotated = rotatedAmong(others, given)
  const awaited = isDry ? awaitedOf(rotated, ownDescriptors) : rotated
  const missing = awaited.missing.map(({ name }) => name)
  if (missing.length > 0) {
    const text = rotateSteps(member.name, missing, isDry)
    return report(text, { phase: "rotate", server: member.name, missing, dryRun: isDry })
  }
  const { roster, difference, consents, consentsNeeded } = rosterWithout(
    file.chain,
    member,
    rotated,
    {
      replacement: options.replacement === undefined ? null : read(options.replacement),
      minSigners:
        options.threshold === undefined ? null : parseCount(options.threshold, "threshold", 1),
      now: Date.now(),
    },
  )
  const encoded = encodeRoster(roster)
  const digest = toHex(rosterDigest(encoded))
  const changes = describeDifference(difference)
  const signatures = isDry ? [] : await signOwn(context, options, encoded)
  const text =
    `${changes.join("\n")}\n\ndigest ${digest}\n` +
    (isDry
      ? "Nothing was changed.\n"
      : joinSteps({
          ...options,
          roster,
          server: member.name,
          consents,
          consentsNeeded,
          signatures,
        }))
  return report(text, {
    ...{ phase: "sign", server: member.name, dryRun: isDry, changes, digest, signatures },
    ...{ out: isDry ? null : options.out, consents, consentsNeeded },
  })
}

const descriptorIn = (directory: string): string => join(directory, "descriptor.json")

/** In a dry run own servers count as if they had a new key: they would get one. */
function awaitedOf({ descriptors, missing }: Rotated, own: readonly Place[]): Rotated {
  const isOwn = (name: string) => own.some((place) => place.name === name)
  return { descriptors, missing: missing.filter(({ name }) => !isOwn(name)) }
}

async function rotate(context: Context, options: DrillOptions, directory: string): Promise<void> {
  const { rotateIn } = await import("../server-directory.ts")
  const passphrase = await passphraseUnlessRunning(context, options, directory)
  const work = () => rotateIn(directory, passphrase)
  await withProgress(context.terminal, `Making a channel key in ${directory}`, work)
}

/** The unsigned roster, and the signatures of one's own servers beside it. */
async function signOwn(
  context: Context,
  options: DrillOptions,
  encoded: Bytes,
): Promise<readonly string[]> {
  const { signIn } = await import("../server-directory.ts")
  writeNewFile(options.out, encoded, "out")
  const written: string[] = []
  for (const [i, directory] of (options.directory ?? []).entries()) {
    const passphrase = await passphraseUnlessRunning(context, options, directory)
    const work = () => signIn(directory, passphrase, encoded)
    const path = `${options.out}.signature-${i + 1}`
    writeNewFile(path, await withProgress(context.terminal, `Signing in ${directory}`, work), "out")
    written.push(path)
  }
  return written
}

async function passphraseUnlessRunning(
  context: Context,
  { passphraseFile }: DrillOptions,
  directory: string,
) {
  const { isRunning } = await import("@lockkeeper/server")
  if (await isRunning(directory)) return null
  return await passphraseFor(context, passphraseFile, "existing")
}
