import { openRoster, rosterDigest, signedRosterCodec } from "@lockkeeper/api"
import { decode, toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { writeNewFile } from "../output-file.ts"
import { decodeRosterFile, readRosterBytes } from "../roster-file.ts"

/** `lockkeeper roster join`: all members' signatures into what clients and members take. */
export const addRosterJoin: AddCommands = (add) =>
  add<{ out: string; bundle: string }>({
    usage: "join",
    summary: "Join every member's signature into the signed roster",
    arguments: [["<signature...>", "one file from each member"]],
    options: [
      option("--out <path>", "the signed roster, for clients").default("roster.lk"),
      option("--bundle <path>", "what every member installs").default("roster.bundle"),
    ],
    examples: ["lockkeeper roster join alpha.signature beta.signature gamma.signature"],
    async run(_, { out, bundle }, files) {
      const { joinSignatures } = await import("../server-directory.ts")
      const { rosterSignatureCodec } = await import("@lockkeeper/server")
      for (const file of files) decodeRosterFile(file, "a member's signature", rosterSignatureCodec)
      const joined = joinSignatures(files.map(readRosterBytes))
      const signed = decode(signedRosterCodec, joined.signed)
      const { members, minSigners } = openRoster(signed)
      writeNewFile(out, joined.signed, "out")
      writeNewFile(bundle, joined.bundle, "bundle")
      const digest = toHex(rosterDigest(signed.roster))
      const text =
        `All ${members.length} members signed; threshold ${minSigners}.\ndigest to pin ${digest}\n` +
        `Wrote ${out} for clients and ${bundle} for members. Next, at every member:\n` +
        `  lockkeeper roster install DIRECTORY ${bundle}\n`
      return report(text, { out, bundle, digest, servers: members.length, threshold: minSigners })
    },
  })
