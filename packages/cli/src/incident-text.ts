import type { IncidentRecord } from "@lockkeeper/server"
import { moment } from "./text.ts"

/** Whom an incident is about: the culprit, or the two of which one is. */
export function serversText({ servers }: IncidentRecord): string {
  return servers.map(({ server, name }) => `${server} "${name}"`).join(" or ")
}

/** The columns of a list after the number. */
export function recordText(incident: IncidentRecord): readonly string[] {
  const { reason, recordedAt, source, state } = incident
  return [serversText(incident), reason, moment(recordedAt), source, state]
}
