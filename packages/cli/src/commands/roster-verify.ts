import { acceptNextRoster, openRoster, rosterDigest, signedRosterCodec } from "@lockkeeper/api"
import { decode, toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { readRoster, readRosterBytes } from "../roster-file.ts"
import { hexArgument } from "../text.ts"

/** `lockkeeper roster verify FILE`: signatures, pin, and that it follows the roster before. */
export const addRosterVerify: AddCommands = (add) =>
  add<{ pin?: string; after?: string }>({
    usage: "verify",
    summary: "Check a roster's signatures, its pin, and that it follows the one before",
    arguments: [["<file>", "signed roster"]],
    options: [
      option("--pin <digits>", "digest that it must have (LK_ROSTER_PIN)"),
      option("--after <path>", "signed roster that is trusted and that this one replaces"),
    ],
    examples: [
      "lockkeeper roster verify roster.lk --pin $DIGEST",
      "lockkeeper roster verify new.lk --after roster.lk",
    ],
    async run({ settings }, options, [file = ""]) {
      const pin = options.pin === undefined ? null : hexArgument(options.pin, "pin", 32)
      const signed = decode(signedRosterCodec, readRosterBytes(file))
      const roster =
        options.after === undefined
          ? readRoster(file, pin ?? settings.rosterPin).roster
          : acceptNextRoster(
              readRoster(options.after, pin ?? settings.rosterPin).signed.roster,
              signed,
            )
      openRoster(signed)
      const digest = toHex(rosterDigest(signed.roster))
      const { minSigners, members, rosterEpoch } = roster
      const text =
        `Roster ${rosterEpoch} holds: ${members.length} servers, threshold ${minSigners}, signed ` +
        `by every member.\ndigest ${digest}\n`
      return report(text, { digest, rosterEpoch, minSigners, servers: members.length })
    },
  })
