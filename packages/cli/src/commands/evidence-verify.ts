import { readFileSync } from "node:fs"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { readRoster, readRosterBytes } from "../roster-file.ts"

/** `lockkeeper evidence verify FILE`: who is proven at fault, from signed bytes alone. */
export const addEvidenceVerify: AddCommands = (add) =>
  add({
    usage: "verify",
    summary: "Check offline whether evidence proves a key server at fault",
    arguments: [["<file>", "the evidence, as the SDK or a server wrote it"]],
    examples: [
      "lockkeeper evidence verify ./evidence-frost-share.lk",
      "lockkeeper evidence verify --roster ./roster.lk ./evidence.lk --json",
    ],
    async run({ settings }, _, [file = ""]) {
      // The file names the roster it is about; only the one that is trusted here counts.
      readRoster(settings.roster, settings.rosterPin)
      const { verifyEvidenceFile } = await import("@lockkeeper/client")
      const trusted = readRosterBytes(settings.roster)
      const verdict = verifyEvidenceFile(new Uint8Array(readFileSync(file)), trusted)
      if (!verdict.valid) {
        const text = `The evidence proves nothing: ${verdict.why}.\n`
        return report(text, { ok: false, valid: false, why: verdict.why }, EXIT.verification)
      }
      const { culprit, name, operator, reason, rosterEpoch } = verdict
      const text =
        `The evidence holds. Server ${culprit} "${name}" (operator ${operator || "not stated"}) ` +
        `broke the protocol: ${reason}. Its own signed messages prove it.\n`
      const rosterDigest = toHex(verdict.rosterDigest)
      const json = { valid: true, culprit, name, operator, reason, rosterEpoch, rosterDigest }
      return report(text, json)
    },
  })
