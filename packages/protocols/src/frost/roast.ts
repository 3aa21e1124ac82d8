import type { Identifier } from "@lockkeeper/crypto"

/**
 * Which signers to ask next, ROAST (Ruffing, Ronge, Jin, Schneider-Bensch, Schröder; eprint
 * 2022/550), as a pure state machine: the caller owns clock and network and reports what happened.
 *
 * A server is busy in at most one attempt at a time and comes back only by answering it. So each
 * attempt that never ends holds a server of its own that never answers, each that fails removes one
 * for good, and `minSigners` honest responsive servers finish within `maxAttempts` attempts,
 * whatever the others do and in whatever order answers arrive.
 *
 * Differences from the paper: a further attempt starts only after one has failed or a signer was
 * reported slow, so that in the ordinary case exactly one signature is made; and shares are checked
 * one by one only then, before their senders are asked again. Without that check a single server
 * could answer wrongly to several attempts that each wait for somebody else. And not every t servers may
 * sign together: the caller says which.
 */
export interface RoastState {
  readonly minSigners: number
  /** In order of preference, best first. */
  readonly servers: readonly Identifier[]
  /** Holders of additive shares: asked in every attempt. */
  readonly mandatory: readonly Identifier[]
  readonly allows: SignerRule
  readonly standing: ReadonlyMap<Identifier, Standing>
  /** Numbered from 1. */
  readonly attempts: readonly Attempt[]
}

/** Whether these servers may sign together. What it refuses it refuses with others beside them too. */
export type SignerRule = (servers: readonly Identifier[]) => boolean

/** What the coordinator knows of one participant. */
type Standing =
  | { readonly kind: "unknown" }
  /** Has an unused commitment and owes no answer. */
  | { readonly kind: "ready" }
  | { readonly kind: "busy"; readonly attempt: number; readonly slow: boolean }
  /** Proven at fault, or of no use to this operation: never asked again. */
  | { readonly kind: "excluded" }

/** One signing package and who has answered it. */
export interface Attempt {
  readonly signers: readonly Identifier[]
  readonly answered: readonly Identifier[]
  /** How many of `answered`, from the first, were found good one by one. */
  readonly checked: number
  readonly state: "open" | "complete" | "failed"
}

/** What the caller observed. */
export type RoastEvent =
  /** An unused commitment of this participant is at hand. */
  | { readonly kind: "commitment"; readonly identifier: Identifier }
  /** A share for an attempt arrived; `spare` if a further unused commitment is at hand. */
  | {
      readonly kind: "share"
      readonly identifier: Identifier
      readonly attempt: number
      readonly spare: boolean
    }
  /** A complete attempt did not aggregate; `unusable` are its culprits and unaccountable answers. */
  | { readonly kind: "failed"; readonly attempt: number; readonly unusable: readonly Identifier[] }
  /** Single shares of an incomplete attempt were verified; `unusable` are those found wrong. */
  | {
      readonly kind: "checked"
      readonly attempt: number
      readonly signers: readonly Identifier[]
      readonly unusable: readonly Identifier[]
    }
  /** No answer within the caller's patience; a late one is still welcome. */
  | { readonly kind: "slow"; readonly identifier: Identifier }
  /** Refused, unreachable, or proven at fault. */
  | { readonly kind: "excluded"; readonly identifier: Identifier }

/** What to do now. */
export type RoastStep =
  /** Ask these signers, with one commitment of each, under this attempt number. */
  | { readonly kind: "ask"; readonly attempt: number; readonly signers: readonly Identifier[] }
  /** All shares of this attempt are there: aggregate them, and report `failed` if that fails. */
  | { readonly kind: "aggregate"; readonly attempt: number }
  /** Verify the shares of these signers alone, and report `checked`. */
  | { readonly kind: "check"; readonly attempt: number; readonly signers: readonly Identifier[] }
  | { readonly kind: "wait" }
  /** Too few participants are left that could still answer, or the attempts are used up. */
  | { readonly kind: "give-up"; readonly excluded: readonly Identifier[] }

/** n - t + 1: one more than the servers that can each spoil one attempt. */
export function maxAttempts(state: RoastState): number {
  return state.servers.length - state.minSigners + 1
}

/** The start: nobody has been asked. @param servers - at least `minSigners`, in preference order. */
export function roastStart(
  minSigners: number,
  servers: readonly Identifier[],
  mandatory: readonly Identifier[] = [],
  allows: SignerRule = () => true,
): RoastState {
  const everyone = [...servers, ...mandatory]
  if (minSigners < 1 || servers.length < minSigners)
    throw new RangeError("fewer servers than signers")
  if (new Set(everyone).size !== everyone.length) throw new RangeError("participant listed twice")
  const standing = new Map<Identifier, Standing>(everyone.map((id) => [id, { kind: "unknown" }]))
  return { minSigners, servers, mandatory, allows, standing, attempts: [] }
}

function withStanding(state: RoastState, id: Identifier, standing: Standing): RoastState {
  // Exclusion is final, and strangers have no standing.
  const now = state.standing.get(id)
  if (now === undefined || now.kind === "excluded") return state
  return { ...state, standing: new Map(state.standing).set(id, standing) }
}

function withAttempt(state: RoastState, number: number, attempt: Attempt): RoastState {
  return { ...state, attempts: state.attempts.with(number - 1, attempt) }
}

/** An answer counts once, from a signer of the attempt that has not answered it. */
function onShare(
  state: RoastState,
  { identifier, attempt: number, spare }: Extract<RoastEvent, { kind: "share" }>,
): RoastState {
  const attempt = state.attempts[number - 1]
  const now = state.standing.get(identifier)
  if (!attempt || now?.kind !== "busy" || now.attempt !== number) return state
  const answered = [...attempt.answered, identifier]
  const complete = answered.length === attempt.signers.length
  const freed = withStanding(state, identifier, { kind: spare ? "ready" : "unknown" })
  if (attempt.state !== "open") return freed
  return withAttempt(freed, number, { ...attempt, answered, state: complete ? "complete" : "open" })
}

function exclude(state: RoastState, identifiers: readonly Identifier[]): RoastState {
  let next = state
  for (const id of identifiers) next = withStanding(next, id, { kind: "excluded" })
  return next
}

function onFailed(
  state: RoastState,
  { attempt: number, unusable }: Extract<RoastEvent, { kind: "failed" }>,
): RoastState {
  const attempt = state.attempts[number - 1]
  if (attempt?.state !== "complete") return state
  return exclude(withAttempt(state, number, { ...attempt, state: "failed" }), unusable)
}

/** Bad shares end an attempt for good, and their senders with it. */
function onChecked(
  state: RoastState,
  { attempt: number, signers, unusable }: Extract<RoastEvent, { kind: "checked" }>,
): RoastState {
  const attempt = state.attempts[number - 1]
  if (attempt?.state !== "open") return state
  const checked = attempt.checked + signers.length
  const after = unusable.length > 0 ? "failed" : "open"
  return exclude(withAttempt(state, number, { ...attempt, checked, state: after }), unusable)
}

/** The state after an event. Events out of place change nothing. */
export function roastObserve(state: RoastState, event: RoastEvent): RoastState {
  switch (event.kind) {
    case "commitment": {
      const now = state.standing.get(event.identifier)
      return now?.kind === "unknown"
        ? withStanding(state, event.identifier, { kind: "ready" })
        : state
    }
    case "share":
      return onShare(state, event)
    case "failed":
      return onFailed(state, event)
    case "checked":
      return onChecked(state, event)
    case "slow": {
      const now = state.standing.get(event.identifier)
      if (now?.kind !== "busy") return state
      return withStanding(state, event.identifier, { ...now, slow: true })
    }
    case "excluded":
      return withStanding(state, event.identifier, { kind: "excluded" })
  }
}

/** An open attempt still goes well while none of those it waits for is slow or excluded. */
function isPromising(state: RoastState, attempt: Attempt): boolean {
  if (attempt.state !== "open") return false
  return attempt.signers.every((id) => {
    if (attempt.answered.includes(id)) return true
    const standing = state.standing.get(id)
    return standing?.kind === "busy" && !standing.slow
  })
}

/** Most sets that are looked at for one that the rule allows. */
const MAX_SETS = 4096

/** The first of them, by preference, that may sign together; null where no t do. */
function signersOf(
  { minSigners, allows }: RoastState,
  among: readonly Identifier[],
): readonly Identifier[] | null {
  let looked = 0
  const extend = (chosen: readonly Identifier[], from: number): readonly Identifier[] | null => {
    if (chosen.length === minSigners) return chosen
    for (let i = from; among.length - i >= minSigners - chosen.length; i++) {
      const longer = [...chosen, among[i] as Identifier]
      if (++looked > MAX_SETS) return null
      const found = allows(longer) ? extend(longer, i + 1) : null
      if (found !== null) return found
    }
    return null
  }
  return extend([], 0)
}

/** What to do now, and the state in which it is being done. */
export function roastNext(state: RoastState): {
  readonly state: RoastState
  readonly step: RoastStep
} {
  const complete = state.attempts.findIndex((attempt) => attempt.state === "complete")
  if (complete >= 0) return { state, step: { kind: "aggregate", attempt: complete + 1 } }
  if (state.attempts.some((attempt) => isPromising(state, attempt))) {
    return { state, step: { kind: "wait" } }
  }
  const unchecked = state.attempts.findIndex(
    ({ state, answered, checked }) => state === "open" && answered.length > checked,
  )
  if (unchecked >= 0) {
    const { answered, checked } = state.attempts[unchecked] as Attempt
    const signers = answered.slice(checked)
    return { state, step: { kind: "check", attempt: unchecked + 1, signers } }
  }
  const is = (id: Identifier, kind: Standing["kind"]) => state.standing.get(id)?.kind === kind
  const excluded = [...state.standing.keys()].filter((id) => is(id, "excluded"))
  const usable = state.servers.filter((id) => !is(id, "excluded"))
  const lost = signersOf(state, usable) === null || state.mandatory.some((id) => is(id, "excluded"))
  if (lost) return { state, step: { kind: "give-up", excluded } }
  const ready = usable.filter((id) => is(id, "ready"))
  const chosen = state.mandatory.every((id) => is(id, "ready")) ? signersOf(state, ready) : null
  if (chosen === null) return { state, step: { kind: "wait" } }
  const attempt = state.attempts.length + 1
  if (attempt > maxAttempts(state)) return { state, step: { kind: "give-up", excluded } }
  const signers = [...chosen, ...state.mandatory].sort((a, b) => a - b)
  const standing = new Map(state.standing)
  for (const id of signers) standing.set(id, { kind: "busy", attempt, slow: false })
  const attempts = [
    ...state.attempts,
    { signers, answered: [], checked: 0, state: "open" as const },
  ]
  return {
    state: { ...state, standing, attempts },
    step: { kind: "ask", attempt, signers },
  }
}
