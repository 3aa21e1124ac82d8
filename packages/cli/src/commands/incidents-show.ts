import { writeFileSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"
import { fromHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { serversText } from "../incident-text.ts"
import { moment, table } from "../text.ts"
import { incidentNumber, requiredDirectory } from "./incidents-options.ts"

interface ShowOptions {
  readonly directory?: string
  readonly evidence?: string
}

/** `lockkeeper incidents show N --directory DIR`. */
export const addIncidentsShow: AddCommands = (add) =>
  add<ShowOptions>({
    usage: "show",
    summary: "Show one incident that a running server has recorded, and write its evidence",
    arguments: [["<number>", "as `incidents list --directory` has it"]],
    options: [
      option("--directory <dir>", "the directory of the server, which runs"),
      option("--evidence <file>", "write the evidence there, for `lockkeeper evidence verify`"),
    ],
    examples: [
      "lockkeeper incidents show 1 --directory ./server",
      "lockkeeper incidents show 1 --directory ./server --evidence ./incident-1.lk",
    ],
    async run(_, { directory, evidence: file }, [typed = ""]) {
      const number = incidentNumber(typed)
      const { askServer } = await import("@lockkeeper/server")
      const asked = { command: "incidents.show", number } as const
      const shown = await askServer(requiredDirectory(directory), asked, "shown")
      const { incident, evidence, signedRoster } = shown
      if (file !== undefined) {
        const { evidenceFile } = await import("@lockkeeper/client")
        write(file, evidenceFile(fromHex(signedRoster), fromHex(evidence)))
      }
      const { reason, recordedAt, source, state, pairs, cleared } = incident
      const rows = [
        ["incident", String(number)],
        [incident.servers.length === 1 ? "server" : "one of", serversText(incident)],
        ["operator", incident.servers.map(({ operator }) => operator || "not stated").join(" or ")],
        ["reason", reason],
        ["recorded", `${moment(recordedAt)}, ${source}`],
        ["state", state],
      ]
      if (pairs.length > 0) rows.push(["proven by", `incidents ${pairs.join(", ")} together`])
      if (cleared !== null) rows.push(["cleared", `${moment(cleared.at)}: ${cleared.note}`])
      if (file !== undefined) rows.push(["evidence", file])
      return report(table(rows), { ...incident, evidenceFile: file ?? null })
    },
  })

function write(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes, { mode: 0o600, flag: "wx" })
  } catch (cause) {
    throw new LockKeeperError("invalid-request", `The file "${file}" cannot be written.`, {
      field: "evidence",
      remedy: "Name a file that does not exist yet, in a directory of yours.",
      cause,
    })
  }
}
