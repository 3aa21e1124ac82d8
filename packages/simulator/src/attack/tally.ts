import { BY_COMPARISON, type CaseResult, idOf } from "./harness.ts"

interface Counted {
  readonly why: string
  cases: number
}

/** What the suite prints: one number for each way a case can end. */
export interface Report {
  readonly cases: number
  readonly culpritNamed: number
  /** Of these, the ones that take a comparison of what several participants were shown. */
  readonly byComparison: number
  readonly pairNamed: number
  readonly honestBlamed: number
  readonly wrongAccepted: number
  readonly harmless: readonly Counted[]
  readonly unattributable: readonly Counted[]
  readonly failures: readonly { readonly id: string; readonly why: string }[]
}

/** Counts results. */
export class Tally {
  readonly #ended = {
    culprit: 0,
    pair: 0,
    byComparison: 0,
    honestBlamed: 0,
    wrongAccepted: 0,
    cases: 0,
  }
  readonly #kinds = {
    harmless: new Map<string, Counted>(),
    unattributable: new Map<string, Counted>(),
  }
  readonly #failures: { id: string; why: string }[] = []

  add(result: CaseResult): void {
    const { outcome, why } = result
    this.#ended.cases++
    if (result.honestBlamed) this.#ended.honestBlamed++
    if (result.wrongAccepted) this.#ended.wrongAccepted++
    if (why === BY_COMPARISON) this.#ended.byComparison++
    if (outcome === "failure") this.#failures.push({ id: idOf(result), why })
    else if (outcome === "culprit" || outcome === "pair") this.#ended[outcome]++
    else {
      const kinds = this.#kinds[outcome]
      const kind = kinds.get(why) ?? { why, cases: 0 }
      kinds.set(why, kind)
      kind.cases++
    }
  }

  report(): Report {
    const { cases, culprit, byComparison, pair, honestBlamed, wrongAccepted } = this.#ended
    return {
      cases,
      culpritNamed: culprit,
      byComparison,
      pairNamed: pair,
      honestBlamed,
      wrongAccepted,
      harmless: [...this.#kinds.harmless.values()],
      unattributable: [...this.#kinds.unattributable.values()],
      failures: this.#failures,
    }
  }
}
