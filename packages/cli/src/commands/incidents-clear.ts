import { LockKeeperError } from "@lockkeeper/api"
import { type AddCommands, option, report } from "../command.ts"
import { incidentNumber, requiredDirectory } from "./incidents-options.ts"

interface ClearOptions {
  readonly directory?: string
  readonly note?: string
}

/** `lockkeeper incidents clear N --directory DIR --note TEXT`. */
export const addIncidentsClear: AddCommands = (add) =>
  add<ClearOptions>({
    usage: "clear",
    summary: "End an incident, so that a running server works with the other one again",
    arguments: [["<number>", "as `incidents list --directory` has it"]],
    options: [
      option("--directory <dir>", "the directory of the server, which runs"),
      option("--note <text>", "why, up to 256 bytes; the server's log keeps it"),
    ],
    examples: ['lockkeeper incidents clear 1 --directory ./server --note "gamma was set up anew"'],
    async run(_, { directory, note }, [typed = ""]) {
      const number = incidentNumber(typed)
      if (note === undefined || note.trim() === "") {
        throw new LockKeeperError("invalid-request", "The reason is missing.", {
          field: "note",
          remedy: "Say why with --note; the log keeps it.",
        })
      }
      const { askServer } = await import("@lockkeeper/server")
      const asked = { command: "incidents.clear", number, note } as const
      const { quarantined } = await askServer(requiredDirectory(directory), asked, "cleared")
      const left =
        quarantined.length === 0
          ? "This server works with all others."
          : `This server still works no more with servers ${quarantined.join(", ")}.`
      return report(`Incident ${number} is cleared here. ${left}\n`, { number, quarantined })
    },
  })
