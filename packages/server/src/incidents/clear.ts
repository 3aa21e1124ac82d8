import type { Dependencies } from "../ports/dependencies.ts"
import { commitChanges } from "../request/commit.ts"
import { sessionEvent } from "../request/events.ts"
import type { Incidents } from "./incidents.ts"
import { loggedIncidents } from "./own.ts"

/** Ends an incident, with its note in the log. False when there is nothing to end. */
export async function clearIncident(
  deps: Dependencies,
  incidents: Incidents,
  number: number,
  note: string,
): Promise<boolean> {
  const recording = await incidents.clear(number, note)
  if (recording === null) return false
  try {
    const [first] = recording.incidents
    const reason = first?.reason ?? ""
    const logged = loggedIncidents(recording)
    const event = sessionEvent("incidents.clear", null, { reason, note, incidents: logged })
    await commitChanges(deps, recording.changes, event)
    recording.committed()
    return true
  } finally {
    recording.release()
  }
}
