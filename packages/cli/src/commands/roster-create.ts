import { readFileSync } from "node:fs"
import { checkPlacement, encodeRoster, type Roster, rosterDigest } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { writeNewFile } from "../output-file.ts"
import { readRoster } from "../roster-file.ts"
import { rosterJson, rosterText } from "../roster-text.ts"
import { parseCount } from "../text.ts"

interface CreateOptions {
  readonly threshold: string
  readonly out: string
  readonly after?: string
  readonly distinctOperators?: boolean
  readonly distinctClouds?: boolean
  readonly distinctJurisdictions?: boolean
  readonly refreshHours: string
  readonly cryptoperiodDays: string
}

/** `lockkeeper roster create`: the roster that every member is then asked to sign. */
export const addRosterCreate: AddCommands = (add) =>
  add<CreateOptions>({
    usage: "create",
    summary: "Make a roster from the servers' descriptors, for all of them to sign",
    arguments: [["<descriptor...>", "descriptor.json of each server, in order of identifier"]],
    options: [
      option("--threshold <t>", "how many servers an operation takes").makeOptionMandatory(),
      option("--out <path>", "where to write the unsigned roster").default("roster.unsigned"),
      option("--after <path>", "the signed roster that this one replaces"),
      option("--distinct-operators", "refuse signer sets with two servers of one operator"),
      option("--distinct-clouds", "the same for clouds"),
      option("--distinct-jurisdictions", "the same for jurisdictions"),
      option("--refresh-hours <n>", "hours between refreshes of all shares").default("0", "never"),
      option("--cryptoperiod-days <n>", "days that a key signs").default("0", "without an end"),
    ],
    examples: [
      "lockkeeper roster create --threshold 2 a/descriptor.json b/descriptor.json c/descriptor.json",
    ],
    async run({ settings }, options, files) {
      const before =
        options.after === undefined ? null : readRoster(options.after, settings.rosterPin)
      const { readDescriptor } = await import("@lockkeeper/server")
      const roster: Roster = {
        rosterEpoch: (before?.roster.rosterEpoch ?? 0) + 1,
        minSigners: parseCount(options.threshold, "threshold", 1),
        members: files.map((file, i) => {
          return { identifier: i + 1, ...readDescriptor(readFileSync(file, "utf8")) }
        }),
        placement: {
          distinctOperators: options.distinctOperators === true,
          distinctClouds: options.distinctClouds === true,
          distinctJurisdictions: options.distinctJurisdictions === true,
        },
        previousDigest: before?.digest ?? (new Uint8Array(32) as Bytes),
        createdAt: Date.now(),
        refreshHours: parseCount(options.refreshHours, "refresh-hours", 0),
        cryptoperiodDays: parseCount(options.cryptoperiodDays, "cryptoperiod-days", 0),
        transition: null,
      }
      const encoded = encodeRoster(roster)
      checkPlacement(roster)
      writeNewFile(options.out, encoded, "out")
      const digest = rosterDigest(encoded)
      const next =
        `\nWrote ${options.out}. Next: every operator runs\n` +
        `  lockkeeper roster sign DIRECTORY ${options.out} --out NAME.signature\n` +
        "after comparing the digest above over a channel they trust.\n"
      return report(rosterText(roster, digest) + next, {
        out: options.out,
        ...rosterJson(roster, digest),
      })
    },
  })
