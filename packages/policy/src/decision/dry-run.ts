import { BOUNDS } from "../bounds.ts"
import type { RequestFacts } from "../facts/facts.ts"
import { type Counter, emptyCounter } from "../limits/counter.ts"
import { countersAfter, countersNeeded } from "../limits/counters.ts"
import type { Policy } from "../policy.ts"
import { type Decision, decide } from "./decide.ts"

/** A request of the past, with what was decided then; null where nothing was. */
export interface PastRequest {
  readonly facts: RequestFacts
  readonly allowed: boolean | null
}

export interface DryRun {
  /** One for each request, in the same order. */
  readonly decisions: readonly Decision[]
  readonly allowed: number
  /** Indices of what this policy decides otherwise than was decided. */
  readonly changed: readonly number[]
}

/**
 * What a policy would have made of requests in the order given. Windows and velocities count what it
 * allows itself, from nothing on.
 *
 * @throws RangeError for more than 10 000 requests.
 */
export function dryRun(policy: Policy, history: readonly PastRequest[]): DryRun {
  if (history.length > BOUNDS.history) {
    throw new RangeError(`a dry run takes ${BOUNDS.history} requests at the most`)
  }
  const kept = new Map<string, Counter>()
  const changed: number[] = []
  const decisions = history.map(({ facts, allowed }, index) => {
    const needed = countersNeeded(policy, facts)
    const counters = new Map(needed.map(({ id }) => [id, kept.get(id) ?? emptyCounter]))
    const decision = decide(policy, { ...facts, counters })
    if (decision.allow) {
      for (const [id, counter] of countersAfter(policy, { ...facts, counters })) {
        kept.set(id, counter)
      }
    }
    if (allowed !== null && allowed !== decision.allow) changed.push(index)
    return decision
  })
  return { decisions, allowed: decisions.filter(({ allow }) => allow).length, changed }
}
