import type { ChildProcess } from "node:child_process"
import { once } from "node:events"

/** A step of a run that a coordinator asks one server to take. */
export interface Place {
  readonly kind: "keys" | "accounts"
  readonly step: string
  readonly server: number
}

export type Moment = "before" | "after"

interface Halted extends Place {
  readonly id: number
  readonly moment: Moment
}

/** What is done at a place before the coordinator goes on there; false keeps it waiting for ever. */
export type AtPlace = (place: Place, moment: Moment) => Promise<boolean>

/** Lets a coordinator go from place to place, and resolves when it has ended, however it did. */
export async function follow(coordinator: ChildProcess, atPlace: AtPlace): Promise<void> {
  const failures: unknown[] = []
  const answer = async ({ id, moment, kind, step, server }: Halted): Promise<void> => {
    try {
      const goesOn = await atPlace({ kind, step, server }, moment)
      if (goesOn && coordinator.connected) coordinator.send(id)
    } catch (error) {
      failures.push(error)
      coordinator.kill("SIGKILL")
    }
  }
  const answers: Promise<void>[] = []
  coordinator.on("message", (halted: Halted) => answers.push(answer(halted)))
  coordinator.on("error", () => undefined)
  await once(coordinator, "exit")
  await Promise.all(answers)
  if (failures.length > 0) throw failures[0]
}

/** The places that a coordinator comes to, in order. */
export async function placesOf(coordinator: ChildProcess): Promise<readonly Place[]> {
  const places = new Map<string, Place>()
  await follow(coordinator, async (place) => {
    places.set(nameOf(place), place)
    return true
  })
  return [...places.values()]
}

export function nameOf({ kind, step, server }: Place): string {
  return `${kind} ${step} ${server}`
}

/** Who ends at a place, and when: a server, or the coordinator with what no other server was asked yet. */
export interface Kill extends Place {
  readonly victim: "server" | "coordinator"
  readonly moment: Moment
}

/** Every kill at these places: the coordinator's before a step is one, whoever is asked first. */
export function killsAt(places: readonly Place[]): readonly Kill[] {
  const moments = ["before", "after"] as const
  const ofServers = places.flatMap((place) =>
    moments.map((moment) => ({ ...place, victim: "server", moment }) as const),
  )
  const first = places.filter(
    ({ kind, step }, i) => places.findIndex((p) => p.kind === kind && p.step === step) === i,
  )
  const before = first.map(
    (place) => ({ ...place, victim: "coordinator", moment: "before" }) as const,
  )
  const after = places.map(
    (place) => ({ ...place, victim: "coordinator", moment: "after" }) as const,
  )
  return [...ofServers, ...before, ...after]
}

export function nameOfKill(kill: Kill): string {
  const { victim, moment, kind, step, server } = kill
  const where = victim === "coordinator" && moment === "before" ? "anyone" : `server ${server}`
  const who = victim === "coordinator" ? "the coordinator" : "it"
  return `${who} ends ${moment} ${step} of ${kind} at ${where}`
}

/** Whether a kill is due. */
export function isDue(kill: Kill, place: Place, moment: Moment): boolean {
  const isStep = kill.kind === place.kind && kill.step === place.step && kill.moment === moment
  const isAnyone = kill.victim === "coordinator" && kill.moment === "before"
  return isStep && (isAnyone || kill.server === place.server)
}

/**
 * Whether another server's turn waits for ever, so that the coordinator ends when one has answered
 * alone. Members that join activate before the others are asked.
 */
export function isKeptBack(kill: Kill, place: Place, joining: readonly number[]): boolean {
  if (kill.victim !== "coordinator" || kill.moment !== "after") return false
  const isSameStep = kill.kind === place.kind && kill.step === place.step
  const isFirst = place.step === "activate" && joining.includes(place.server)
  return isSameStep && kill.server !== place.server && !isFirst
}
