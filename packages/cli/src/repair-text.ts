import type { RepairProgress, RepairReport, SharingKind } from "@lockkeeper/client/operator"
import { toHex } from "@lockkeeper/encoding"
import { counted, durationText, MAX_NAMED } from "./refresh-text.ts"

// What a repair is going to do and came to, for people and for programs.

/** What servers of this version restore. */
export const REPAIRED: readonly SharingKind[] = ["accounts", "keys"]

export function lackingText(name: string, kind: SharingKind, report: RepairReport): string {
  const { lacking, unclear } = report
  const count = (reason: string) => lacking.filter((one) => one.reason === reason).length
  const reasons = [
    [count("missing"), "not there"],
    [count("behind"), "of an earlier generation"],
    [count("different"), "of other shares"],
  ] as const
  const said = reasons.filter(([many]) => many > 0).map(([many, what]) => `${many} ${what}`)
  const lines = [
    lacking.length === 0
      ? `"${name}" lacks no ${kind}`
      : `"${name}" lacks ${counted(kind, lacking.length)}: ${said.join(", ")}`,
  ]
  const helpers = new Map<string, number>()
  for (const { from } of lacking)
    helpers.set(`${from.join(", ")}`, (helpers.get(`${from.join(", ")}`) ?? 0) + 1)
  for (const [from, many] of helpers)
    lines.push(`${counted(kind, many)} held alike by servers ${from}`)
  if (unclear.length > 0) {
    lines.push(`${counted(kind, unclear.length)} left out: too few servers list the same shares`)
  }
  return `${lines.join("\n  ")}\n`
}

export function repairingText({
  kind,
  done,
  total,
  keysPerSecond,
  leftMs,
}: RepairProgress): string {
  const pace = keysPerSecond === 0 ? "" : `, ${keysPerSecond.toFixed(1)}/s`
  const left = leftMs === null ? "" : `, ${durationText(leftMs)} left`
  return `Repairing ${kind}: ${done} of ${total}${pace}${left};`
}

export function repairedText(kind: SharingKind, { done, lacking, skipped }: RepairReport): string {
  const lines = [`${done} of ${counted(kind, lacking.length)} repaired, ${skipped.length} left out`]
  for (const { id, reason } of skipped.slice(0, MAX_NAMED)) {
    lines.push(`left out: ${toHex(id)}: ${reason}`)
  }
  if (skipped.length > MAX_NAMED) lines.push(`left out: ${skipped.length - MAX_NAMED} more`)
  return `${lines.join("\n  ")}\n`
}

export function repairJson(kind: SharingKind, report: RepairReport) {
  const { lacking, unclear, done, skipped, incidents } = report
  return {
    ...{ kind, done },
    lacking: lacking.map(({ id, reason, from }) => ({ id: toHex(id), reason, from })),
    unclear: unclear.map(toHex),
    leftOut: skipped.map(({ id, reason }) => ({ id: toHex(id), reason })),
    incidents: incidents.map(({ server, message }) => ({ server, message })),
  }
}
