import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import { equivocationOf } from "../evidence/equivocation.ts"
import type { Message, Received } from "../messages/message.ts"
import { areForOnePlace, openInRound, type Round } from "../messages/round.ts"
import { type Abort, type AbortReason, abort, done, type Outcome } from "../outcome.ts"

/** One answer to what was asked; `from` is the participant at the other end of the channel. */
export interface DkgResponse {
  readonly from: Identifier
  readonly message: Message
}

/** The usable answers of a step, and whose are missing. */
export interface Answers {
  readonly received: ReadonlyMap<Identifier, Received>
  /** Gave no answer, or one that only the coordinator itself knows to be wrong. */
  readonly silent: readonly Identifier[]
  /** Why the first unusable answer was refused. */
  readonly refused: AbortReason
}

function refusal(round: Round, { from, message }: DkgResponse): AbortReason | Received {
  const opened = openInRound(round, message)
  if (!opened.ok) return opened.abort.reason
  return opened.value.header.sender === from ? opened.value : "unknown-sender"
}

function echoes({ previousDigest }: Round, { header }: Received): boolean {
  return previousDigest === null || equalBytes(header.previousDigest, previousDigest)
}

/**
 * Collects the answers of a step. What the coordinator cannot prove to others counts as silence:
 * it knows that the participant answered wrongly, but its word is nobody's evidence. Equivocation
 * names its author.
 */
export function gather(round: Round, responses: readonly DkgResponse[]): Outcome<Answers> {
  const opened = new Map<Identifier, Received>()
  let refused: AbortReason | null = null
  for (const response of responses) {
    const message = refusal(round, response)
    if (typeof message === "string") {
      refused ??= message
      continue
    }
    const { sender } = message.header
    const earlier = opened.get(sender)
    if (earlier && areForOnePlace(earlier, message)) {
      const evidence = [equivocationOf(earlier.signed, message.signed)]
      return abort("equivocation", { culprits: [sender], evidence })
    }
    opened.set(sender, message)
  }
  // Only now: two headers prove their author whatever they echo.
  const received = new Map([...opened].filter(([, message]) => echoes(round, message)))
  if (received.size < opened.size) refused ??= "echo-mismatch"
  const silent = round.senders.filter((sender) => !received.has(sender))
  return done({ received, silent, refused: refused ?? "missing-messages" })
}

/** Everyone's answers, checked; culprits come before silence, and both are reported. */
export function complete<T>({ silent, refused }: Answers, checked: Outcome<T>): Outcome<T> {
  if (!checked.ok) return { ok: false, abort: withSilent(checked.abort, silent) }
  return silent.length > 0 ? abort(refused, { silent }) : checked
}

export function withSilent(found: Abort, silent: readonly Identifier[]): Abort {
  return { ...found, silent: [...new Set([...found.silent, ...silent])].sort((a, b) => a - b) }
}
