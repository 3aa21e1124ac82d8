import { readFileSync } from "node:fs"
import { identityKeys, memberOf } from "@lockkeeper/api"
import { verifyEvidence } from "@lockkeeper/protocols"
import { type AddCommands, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { readRoster } from "../roster-file.ts"

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
      const { roster } = readRoster(settings.roster, settings.rosterPin)
      const verdict = verifyEvidence(new Uint8Array(readFileSync(file)), identityKeys(roster))
      if (!verdict.valid) {
        const text = `The evidence proves nothing: ${verdict.why}.\n`
        return report(text, { ok: false, valid: false, why: verdict.why }, EXIT.verification)
      }
      const { culprit, reason } = verdict
      const { name, operator } = memberOf(roster, culprit)
      const text =
        `The evidence holds. Server ${culprit} "${name}" (operator ${operator || "not stated"}) ` +
        `broke the protocol: ${reason}. Its own signed messages prove it.\n`
      return report(text, { valid: true, culprit, name, operator, reason })
    },
  })
