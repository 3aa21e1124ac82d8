import type {
  RefreshPlan,
  RefreshProgress,
  RefreshReport,
  SharingKind,
} from "@lockkeeper/client/operator"
import { toHex } from "@lockkeeper/encoding"

// What a refresh is going to do and came to, for people and for programs.

/** Most of those that were left out which are named one by one. */
export const MAX_NAMED = 16

const NOUNS: Readonly<Record<SharingKind, readonly [one: string, many: string]>> = {
  keys: ["key", "keys"],
  accounts: ["account", "accounts"],
}

export function counted(kind: SharingKind, count: number): string {
  return `${count} ${NOUNS[kind][count === 1 ? 0 : 1]}`
}

/** How a plan and its progress are told: of a refresh here, of a reshare in its own file. */
export interface Wording {
  /** What becomes of those that are taken on. */
  readonly done: string
  readonly fresh: string
  /** At work, as a line begins. */
  readonly work: string
}

const REFRESH: Wording = {
  done: "get new shares",
  fresh: "got them already",
  work: "Refreshing",
}

export function planText(plan: RefreshPlan, wording: Wording = REFRESH): string {
  const { kind, total, due, batches, skipped, generations, behind, failures } = plan
  const fresh = total - due
  const each = [...generations].map(([epoch, count]) => `${count} of generation ${epoch}`)
  const taken = batches.reduce((sum, { keys }) => sum + keys.length, 0)
  const of = each.length === 0 ? "" : ` (${each.join(", ")})`
  const runs = batches.length === 1 ? "1 batch" : `${batches.length} batches`
  const lines = [`${counted(kind, taken)}${of} ${wording.done}, in ${runs}`]
  if (fresh > 0) lines.push(`${counted(kind, fresh)} ${wording.fresh}`)
  const moving = skipped.filter(({ reason }) => reason === "on-its-way").length
  if (moving > 0) lines.push(`${counted(kind, moving)} left out: to be moved first, by reshare`)
  if (skipped.length > moving) {
    const few = counted(kind, skipped.length - moving)
    lines.push(`${few} left out: too few servers list the same shares`)
  }
  if (behind.length > 0) lines.push(`servers behind the others, brought up first: ${behind}`)
  for (const [server, { message }] of failures) lines.push(`server ${server}: ${message}`)
  return `${lines.join("\n  ")}\n`
}

export function planJson({ kind, total, due, batches, skipped, ...rest }: RefreshPlan) {
  const { generations, behind, failures } = rest
  return {
    ...{ kind, total, due, batches: batches.length, behind },
    generations: Object.fromEntries(generations),
    leftOut: skipped.map(({ id, reason }) => ({ id: toHex(id), reason })),
    unanswered: unansweredJson({ unanswered: failures }),
  }
}

function unansweredJson({ unanswered }: Pick<RefreshReport, "unanswered">) {
  return [...unanswered].map(([server, { code, message }]) => ({ server, code, message }))
}

export function progressText(
  { kind, done, total, keysPerSecond, leftMs }: RefreshProgress,
  { work }: Wording = REFRESH,
): string {
  const pace = keysPerSecond === 0 ? "" : `, ${keysPerSecond.toFixed(1)}/s`
  const left = leftMs === null ? "" : `, ${durationText(leftMs)} left`
  return `${work} ${kind}: ${done} of ${total}${pace}${left};`
}

export function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
}

/** Whether every holder has the new shares of everything that was due. */
export function isComplete({ skipped, missing, lingering }: RefreshReport): boolean {
  return skipped.length === 0 && missing.size === 0 && lingering.size === 0
}

export function outcomeText(kind: SharingKind, outcome: RefreshReport): string {
  const { done, skipped, missing, lingering, finished } = outcome
  const lines = [`${counted(kind, done)} refreshed`]
  if (finished > 0) lines.push(`runs that were left half way: finished at ${finished} servers`)
  for (const [server, count] of missing) {
    const old = `server ${server} has no new shares of ${counted(kind, count)}`
    lines.push(`${old}: repair it, or refresh again when it is back`)
  }
  for (const [server, count] of lingering) {
    lines.push(`server ${server} still keeps the old shares of ${counted(kind, count)}: run again`)
  }
  for (const { id, reason } of skipped.slice(0, MAX_NAMED)) {
    lines.push(`left out: ${toHex(id)}: ${reason}`)
  }
  if (skipped.length > MAX_NAMED) lines.push(`left out: ${skipped.length - MAX_NAMED} more`)
  return `${lines.join("\n  ")}\n`
}

export function outcomeJson(kind: SharingKind, outcome: RefreshReport) {
  const { done, fresh, skipped, missing, lingering, finished, incidents } = outcome
  return {
    ...{ kind, done, fresh, finished, unanswered: unansweredJson(outcome) },
    leftOut: skipped.map(({ id, reason }) => ({ id: toHex(id), reason })),
    missing: Object.fromEntries(missing),
    lingering: Object.fromEntries(lingering),
    incidents: incidents.map(({ server, message }) => ({ server, message })),
  }
}
