import type { AbortReason } from "@lockkeeper/protocols"
import type { Case, Ended, Kind, Verdicts } from "../harness.ts"

/** Whether everyone who stopped had one of these reasons; at least one has to have stopped. */
export function stoppedFor({ aborts }: Verdicts, reasons: readonly AbortReason[]): boolean {
  return aborts.length > 0 && aborts.every(({ reason }) => reasons.includes(reason))
}

/** Whether a field is, or lies in, one of these. */
export function isIn(field: string, places: readonly string[]): boolean {
  const path = field.replaceAll(/#\d+/g, "")
  return places.some((place) => path === place || path.startsWith(`${place}.`))
}

/** Whether a case is about what its author computes, and not directly about what it signs. */
export function isComputed({ by, field }: Case): boolean {
  return by === "sender" && /^(task|result)\b/.test(field)
}

const isSilence = ({ reason, silent }: Ended, { sender }: Case): boolean =>
  reason === "missing-messages" && silent?.length === 1 && silent[0] === sender

/** What becomes of many who compute from what they should not. */
export const COMPUTED_UNATTRIBUTABLE: readonly Kind[] = [
  {
    why: "fell silent, since it could not go on from what it had made up: silence is not guilt",
    covers: (about, { aborts }) =>
      isComputed(about) && aborts.length > 0 && aborts.every((abort) => isSilence(abort, about)),
  },
  {
    why: "went on from a state of its own of another run, so that it signed for another place",
    covers: (about, verdicts) =>
      isComputed(about) && stoppedFor(verdicts, ["wrong-session", "wrong-step", "echo-mismatch"]),
  },
]

export const COMPUTED_HARMLESS: readonly Kind[] = [
  {
    why: "another valid choice of a value that is its author's own, or what nothing is computed from",
    covers: isComputed,
  },
]
