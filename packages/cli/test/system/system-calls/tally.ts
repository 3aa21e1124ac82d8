import { basename } from "node:path"
import type { TestContext } from "node:test"
import type { Case, Ending, Result } from "./cases.ts"

/** How the cases ended, told one by one and in one line. */
export class Tally {
  readonly violations: string[] = []
  enumerated = 0
  readonly #endings = new Map<Ending, number>()
  #replays = 0

  of(ending: Ending): number {
    return this.#endings.get(ending) ?? 0
  }

  add(t: TestContext, { workload, name, ordinal, fault }: Case, result: Result): void {
    const { ending, path, violations, replays } = result
    this.#endings.set(ending, this.of(ending) + 1)
    this.#replays += replays
    const file = path === "" ? "" : ` of ${basename(path)}`
    const what = `${workload.name}: ${fault} at ${name} ${ordinal}${file}`
    t.diagnostic(`${what}: ${ending}${violations.length > 0 ? `, ${violations.join("; ")}` : ""}`)
    this.violations.push(...violations.map((violation) => `${what}: ${violation}`))
  }

  get line(): string {
    const cases = [...this.#endings.values()].reduce((sum, count) => sum + count, 0)
    const endings = [...this.#endings].map(([ending, count]) => `${count} ${ending}`)
    const counted = `${this.enumerated} calls, ${cases} cases (${endings.join(", ")})`
    return `${counted}, ${this.#replays} second shares refused, ${this.violations.length} violations`
  }
}
