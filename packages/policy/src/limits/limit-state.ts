import type { Limit, PolicyDocument } from "../document/document.ts"
import type { Facts } from "../facts/facts.ts"
import { countedAt } from "./counter.ts"
import { amountOf, counterNeed } from "./counters.ts"

/** How a request stands to one limit. */
export interface LimitState {
  readonly limit: string
  /** `outside` where the limit does not speak of what is asked. */
  readonly status: "outside" | "within" | "beyond"
  /** Counted before this request, and with what is asked now compared with `most`. */
  readonly used: bigint
  readonly adds: bigint
  readonly most: bigint
}

/** The counter that a limit needs and that the facts do not have. */
export interface MissingCounter {
  readonly missing: string
}

/** Exact, whatever the amounts: nothing here is a JavaScript number. */
export function limitState(
  document: PolicyDocument,
  limit: Limit,
  facts: Facts,
): LimitState | MissingCounter {
  const { intent } = facts
  const most = limit.kind === "velocity" ? BigInt(limit.requests) : limit.most
  const state = (adds: bigint | null, used: bigint): LimitState => {
    const unknown = intent?.complete === false && limit.kind !== "velocity"
    const beyond = unknown || (adds !== null && used + adds > most)
    const status = beyond ? "beyond" : adds === null ? "outside" : "within"
    return { limit: limit.name, status, used, adds: adds ?? 0n, most }
  }
  switch (limit.kind) {
    case "transaction":
      return state(amountOf(intent, limit.asset), 0n)
    case "fee":
      return state(intent?.fee?.asset === limit.asset ? intent.fee.amount : null, 0n)
    case "window":
    case "velocity": {
      const need = counterNeed(document, limit, facts)
      if (need === null) return state(null, 0n)
      const counter = facts.counters.get(need.id)
      if (!counter) return { missing: limit.name }
      const adds = facts.isCounted === true ? 0n : need.adds
      return state(adds, countedAt(counter, limit.overMs, facts.timeMs))
    }
  }
}
