import { readFileSync, statSync } from "node:fs"
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
      const { MAX_EVIDENCE_FILE, verifyEvidenceFile } = await import("@lockkeeper/client")
      const trusted = readRosterBytes(settings.roster)
      // What is too large is not read, whoever sent it.
      const verdict =
        statSync(file).size > MAX_EVIDENCE_FILE
          ? ({ valid: false, why: "the file is too large" } as const)
          : verifyEvidenceFile(new Uint8Array(readFileSync(file)), trusted)
      if (!verdict.valid) {
        const text = `The evidence proves nothing: ${verdict.why}.\n`
        return report(text, { ok: false, valid: false, why: verdict.why }, EXIT.verification)
      }
      const { reason, rosterEpoch } = verdict
      const about = { valid: true, reason, rosterEpoch, rosterDigest: toHex(verdict.rosterDigest) }
      if (verdict.pair !== null) {
        const { pair } = verdict
        const names = pair.map((member) => memberText(member.server, member))
        const text =
          `The evidence holds. One of these two servers broke the protocol: ${reason}. Their own ` +
          `signed messages prove that much and not which:\n${names.join("\n")}\n`
        return report(text, { ...about, culprit: null, pair })
      }
      const { culprit, name, operator } = verdict
      const text =
        `The evidence holds. ${memberText(culprit, verdict)} broke the protocol: ${reason}. Its ` +
        "own signed messages prove it.\n"
      return report(text, { ...about, culprit, name, operator, pair: null })
    },
  })

function memberText(server: number, { name, operator }: { name: string; operator: string }) {
  return `Server ${server} "${name}" (operator ${operator || "not stated"})`
}
