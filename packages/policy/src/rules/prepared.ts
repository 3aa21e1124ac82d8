import { type Cedar, type CedarRequest, callCedar } from "./cedar-port.ts"
import type { Rule } from "./compile.ts"

/** What Cedar makes of a request. */
export type Verdict =
  | { readonly kind: "allow" | "deny" | "rule-error"; readonly rules: readonly string[] }
  | { readonly kind: "failed"; readonly why: string }

type Answer = ReturnType<Cedar["isAuthorized"]>

/** Rules under their ids, parsed by Cedar once and kept in it. */
export class PreparedRules {
  readonly #cedar: Cedar
  readonly #key: string
  readonly #rules: ReadonlyMap<string, Rule>
  readonly #compiled: Readonly<Record<string, string>>

  /** @param key - names the content: the policy's digest. */
  constructor(cedar: Cedar, key: string, rules: readonly Rule[]) {
    this.#cedar = cedar
    this.#key = key
    this.#rules = new Map(rules.map((rule) => [rule.id, rule]))
    this.#compiled = Object.fromEntries(rules.map(({ id, compiled }) => [id, compiled]))
  }

  /** The decision over all rules. Everything but a clean answer is no decision. */
  decide(request: CedarRequest): Verdict {
    const slot = slotsOf(this.#cedar).take(this.#key)
    if (!slot.isFilled) {
      const policies = { staticPolicies: this.#compiled }
      const parsed = callCedar(this.#cedar, (port) => port.preparsePolicySet(slot.name, policies))
      if ("failed" in parsed) return { kind: "failed", why: parsed.failed }
      if (parsed.answer?.type !== "success") return { kind: "failed", why: "rules do not parse" }
      slot.fill()
    }
    const call = { ...request, preparsedPolicySetId: slot.name, validateRequest: false }
    const called = callCedar(this.#cedar, (port) => port.statefulIsAuthorized(call))
    return "failed" in called
      ? { kind: "failed", why: called.failed }
      : verdictOf(called.answer, this.#rules)
  }

  /** The rules of one effect whose own conditions hold, whatever their limits and quorums. */
  matching(effect: Rule["effect"], request: CedarRequest): Verdict {
    const rules = [...this.#rules.values()].filter((rule) => rule.effect === effect)
    const staticPolicies = Object.fromEntries(rules.map(({ id, text }) => [id, text]))
    const call = { ...request, policies: { staticPolicies }, validateRequest: false }
    const called = callCedar(this.#cedar, (port) => port.isAuthorized(call))
    return "failed" in called
      ? { kind: "failed", why: called.failed }
      : verdictOf(called.answer, this.#rules)
  }
}

/**
 * Reads an answer as if it came from a stranger. Cedar passes over a rule with an error, a forbid as
 * well, and may allow: here an error is a denial.
 */
export function verdictOf(answer: Answer, rules: ReadonlyMap<string, Rule>): Verdict {
  if (answer?.type !== "success") {
    const said = answer?.errors?.map(({ message }) => message).join("; ")
    return { kind: "failed", why: said || "Cedar gave no answer" }
  }
  const { decision, diagnostics } = answer.response ?? {}
  if (!diagnostics || (decision !== "allow" && decision !== "deny")) {
    return { kind: "failed", why: "Cedar gave no decision" }
  }
  const { errors, reason } = diagnostics
  if (errors.length > 0) {
    return { kind: "rule-error", rules: errors.map(({ policyId }) => policyId).sort() }
  }
  const effect = decision === "allow" ? "permit" : "forbid"
  if (reason.some((id) => rules.get(id)?.effect !== effect)) {
    return { kind: "failed", why: `Cedar gave rules as the reason that are no ${effect}` }
  }
  if (decision === "allow" && reason.length === 0) {
    return { kind: "failed", why: "Cedar allowed for no reason" }
  }
  return { kind: decision, rules: [...reason].sort() }
}

interface Slot {
  readonly name: string
  readonly isFilled: boolean
  fill(): void
}

/** How many policies stay parsed. Cedar forgets none, but one can take the place of another. */
const MAX_SLOTS = 64

class Slots {
  /** By key, the least recently used first; null where Cedar does not hold it yet. */
  readonly #used = new Map<string, { readonly name: string; filled: boolean }>()

  take(key: string): Slot {
    const slot = this.#used.get(key) ?? { name: this.#freeName(), filled: false }
    this.#used.delete(key)
    this.#used.set(key, slot)
    return {
      name: slot.name,
      isFilled: slot.filled,
      fill() {
        slot.filled = true
      },
    }
  }

  #freeName(): string {
    if (this.#used.size < MAX_SLOTS) return `lockkeeper-${this.#used.size}`
    const [oldest, slot] = this.#used.entries().next().value as [string, { name: string }]
    this.#used.delete(oldest)
    return slot.name
  }
}

const slots = new WeakMap<Cedar, Slots>()

function slotsOf(cedar: Cedar): Slots {
  const known = slots.get(cedar) ?? new Slots()
  slots.set(cedar, known)
  return known
}
