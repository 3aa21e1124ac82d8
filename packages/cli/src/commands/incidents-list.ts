import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { recordText } from "../incident-text.ts"
import type { RecordedView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, moment, table } from "../text.ts"

interface ListOptions {
  readonly directory?: string
}

/** `lockkeeper incidents list`: an owner's view of all servers, or an operator's of one. */
export const addIncidentsList: AddCommands = (add) =>
  add<ListOptions>({
    usage: "list",
    summary: "List the servers that broke a protocol, as the others recorded it",
    options: [option("--directory <dir>", "as the operator of the server that runs over it")],
    examples: [
      "lockkeeper incidents list",
      "lockkeeper incidents list --directory ./server",
      "lockkeeper incidents list --json",
    ],
    run: (context, { directory }) =>
      directory === undefined ? listAsOwner(context) : listAsOperator(directory),
  })

async function listAsOperator(directory: string): Promise<Report> {
  const { askServer } = await import("@lockkeeper/server")
  const listed = await askServer(directory, { command: "incidents.list" }, "listed")
  const { server, quarantined, incidents } = listed
  const head = ["NUMBER", "SERVERS", "REASON", "RECORDED", "BY", "STATE"]
  const rows = incidents.map((one) => [String(one.number), ...recordText(one)])
  const text =
    incidents.length === 0 ? "This server has recorded no incident.\n" : table([head, ...rows])
  const left =
    quarantined.length === 0 ? "" : `It works no more with servers ${quarantined.join(", ")}.\n`
  return report(text + left, { server, quarantined, incidents })
}

function listAsOwner(context: Context): Promise<Report> {
  return withOwner(context, async (session) => {
    const work = () => session.recordedIncidents(context.signal)
    const { recorded, incidents } = await withProgress(
      context.terminal,
      "Asking the key servers",
      work,
    )
    context.terminal.err.write(incidentText(incidents))
    if (recorded.length === 0) {
      return report("No server that answered has recorded an incident.\n", { recorded, incidents })
    }
    const head = ["AT SERVER", "SERVERS", "REASON", "RECORDED", "BY", "STATE"]
    const text = table([head, ...recorded.map(ownerRow)])
    const note = "Each server speaks for itself alone, and one that lies may list anything.\n"
    const json = recorded.map((one) => ({ ...one, evidence: toHex(one.evidence) }))
    return report(text + note, { recorded: json, incidents })
  })
}

function ownerRow({ recordedBy, servers, names, reason, recordedAt, source, state }: RecordedView) {
  const who = servers.map((server, i) => `${server} "${names[i] ?? ""}"`).join(" or ")
  return [String(recordedBy), who, reason, moment(recordedAt), source, state]
}
