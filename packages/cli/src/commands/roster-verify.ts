import {
  chainOf,
  extendChain,
  type FollowedChain,
  longestChain,
  openChain,
  rostersOf,
} from "@lockkeeper/api"
import { equalBytes, toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { readRoster } from "../roster-file.ts"
import { hexArgument } from "../text.ts"

/** `lockkeeper roster verify FILE`: signatures, pin, and that it follows the roster before. */
export const addRosterVerify: AddCommands = (add) =>
  add<{ pin?: string; after?: string }>({
    usage: "verify",
    summary: "Check a roster's signatures, that it follows from its pin, and from the one before",
    arguments: [["<file>", "signed roster, with those before it"]],
    options: [
      option("--pin <digits>", "digest of the roster that is trusted (LK_ROSTER_PIN)"),
      option("--after <path>", "signed roster that is trusted and that this one replaces"),
    ],
    examples: [
      "lockkeeper roster verify roster.lk --pin $DIGEST",
      "lockkeeper roster verify next.lk --after roster.lk",
    ],
    async run({ settings }, options, [file = ""]) {
      const given = options.pin === undefined ? null : hexArgument(options.pin, "pin", 32)
      const pin = given ?? settings.rosterPin
      const { inForce, before } =
        options.after === undefined
          ? readRoster(file, pin).chain
          : following(readRoster(options.after, pin).chain, readRoster(file, null).chain)
      const digest = toHex(inForce.digest)
      const { minSigners, members, rosterEpoch } = inForce.roster
      const followed =
        before.length === 0 ? "" : `It follows from ${before.length} before it in the file.\n`
      const text =
        `Roster ${rosterEpoch} holds: ${members.length} servers, threshold ${minSigners}, signed ` +
        `by every member.\n${followed}digest ${digest}\n`
      const json = { digest, rosterEpoch, minSigners, servers: members.length }
      return report(text, { ...json, rostersBefore: before.length })
    },
  })

/** The chain that ends with `next`, which goes on from the one that is trusted. */
function following(trusted: FollowedChain, next: FollowedChain): FollowedChain {
  const goesOn = rostersOf(next).some(({ digest }) => equalBytes(digest, trusted.inForce.digest))
  if (!goesOn) return openChain(extendChain(chainOf(trusted), next.inForce.signed))
  const shown = { by: "the file", followed: next }
  return longestChain({ by: "trusted", followed: trusted }, shown).followed
}
