import { describeDifference, needsTransition, rosterDifference } from "@lockkeeper/api"
import { type AddCommands, report } from "../command.ts"
import { readRoster } from "../roster-file.ts"
import { differenceJson } from "../roster-text.ts"

/** `lockkeeper roster diff A B`: what changes from one roster to another, in words. */
export const addRosterDiff: AddCommands = (add) =>
  add({
    usage: "diff",
    summary: "Say what changes from one signed roster to another",
    arguments: [
      ["<before>", "signed roster, of which the one in force counts"],
      ["<after>", "another one"],
    ],
    examples: ["lockkeeper roster diff roster.lk next.lk"],
    async run(_, __, [before = "", after = ""]) {
      const [from, to] = [readRoster(before, null).roster, readRoster(after, null).roster]
      const difference = rosterDifference(from, to)
      const lines = describeDifference(difference)
      const text = lines.length === 0 ? "Nothing changes.\n" : `${lines.join("\n")}\n`
      const json = { ...differenceJson(difference), resharing: needsTransition(from, to) }
      return report(text, { ...json, changes: lines })
    },
  })
