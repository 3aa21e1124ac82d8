import { type AddCommands, report } from "../command.ts"
import { readRoster } from "../roster-file.ts"
import { chainJson, chainText, rosterJson, rosterText } from "../roster-text.ts"

/** `lockkeeper roster show`. */
export const addRosterShow: AddCommands = (add) =>
  add({
    usage: "show",
    summary: "Show the key servers, the threshold, the digest to pin and the rosters before",
    examples: ["lockkeeper roster show", "lockkeeper roster show --roster ./roster.lk --json"],
    async run({ settings }) {
      const { roster, digest, chain } = readRoster(settings.roster, settings.rosterPin)
      const json = { ...rosterJson(roster, digest), ...chainJson(chain) }
      return report(rosterText(roster, digest) + chainText(chain), json)
    },
  })
