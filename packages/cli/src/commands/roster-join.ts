import { chainOf, decodeRosterChain, isLeaving, openChain, type Roster } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { writeNewFile } from "../output-file.ts"
import { decodeRosterFile, readRoster, readRosterBytes } from "../roster-file.ts"

/** `lockkeeper roster join`: all members' signatures into what clients and members take. */
export const addRosterJoin: AddCommands = (add) =>
  add<{ out: string; bundle: string; after?: string }>({
    usage: "join",
    summary: "Join every member's signature into the signed roster",
    arguments: [["<signature...>", "one file from each member"]],
    options: [
      option("--out <path>", "the signed roster, for clients").default("roster.lk"),
      option("--bundle <path>", "what every member installs").default("roster.bundle"),
      option("--after <path>", "for a next roster: the signed roster that it follows"),
    ],
    examples: [
      "lockkeeper roster join alpha.signature beta.signature gamma.signature",
      "lockkeeper roster join --after roster.lk --out next.lk *.signature",
    ],
    async run({ settings }, { out, bundle, after }, files) {
      const { joinSignatures } = await import("../server-directory.ts")
      const { rosterSignatureCodec } = await import("@lockkeeper/server")
      for (const file of files) decodeRosterFile(file, "a member's signature", rosterSignatureCodec)
      const before =
        after === undefined ? null : chainOf(readRoster(after, settings.rosterPin).chain)
      const joined = joinSignatures(files.map(readRosterBytes), before)
      const { inForce } = openChain(decodeRosterChain(joined.chain))
      const { members, minSigners, transition } = inForce.roster
      writeNewFile(out, joined.chain, "out")
      writeNewFile(bundle, joined.bundle, "bundle")
      const digest = toHex(inForce.digest)
      const text =
        `All ${members.length} members signed; threshold ${minSigners}.\ndigest to pin ${digest}\n` +
        `Wrote ${out} for clients and ${bundle} for members. Next, at every member:\n` +
        `  lockkeeper roster ${before === null ? "install" : "activate"} DIRECTORY ${bundle}\n` +
        (transition === null ? "" : whatFollows(inForce.roster))
      return report(text, { out, bundle, digest, servers: members.length, threshold: minSigners })
    },
  })

/** What a transition takes after it was activated. */
function whatFollows(roster: Roster): string {
  const leaving = roster.members.filter(({ identifier }) => isLeaving(roster, identifier))
  const names = leaving.map(({ name }) => `"${name}"`).join(", ")
  return (
    "Then, at one of them, until nothing is lacking:\n" +
    "  lockkeeper reshare --directory DIRECTORY\n" +
    `and at every member${names === "" ? "" : ` but ${names}`}:\n` +
    "  lockkeeper roster settle DIRECTORY\n" +
    (names === "" ? "" : `At ${names}, once stopped:\n  lockkeeper server retire DIRECTORY\n`)
  )
}
