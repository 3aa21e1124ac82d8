import assert from "node:assert/strict"
import type { Identifier } from "@lockkeeper/crypto"
import {
  type Evidence,
  encodeEvidence,
  type Message,
  type Statement,
  verifyEvidence,
} from "../src/index.ts"

// Evidence that was put together wrongly, by whoever passes it on, names nobody: neither the honest
// nor, with other statements than its own, the guilty.

export const statement = ({ header, broadcast }: Message): Statement => ({ header, broadcast })

/** Pieces of evidence that are to be worth nothing, and why each of them is. */
export class Spliced {
  readonly #roster: ReadonlyMap<Identifier, Uint8Array>
  #whys: Record<string, string> = {}

  constructor(roster: ReadonlyMap<Identifier, Uint8Array>) {
    this.#roster = roster
  }

  isWorthless(evidence: Evidence, what: string): void {
    const verdict = verifyEvidence(encodeEvidence(evidence), this.#roster)
    assert.ok(!verdict.valid, what)
    assert.ok(!(what in this.#whys), `${what} stands twice`)
    this.#whys[what] = verdict.why
  }

  /** Why each piece since the last time was worth nothing. */
  because(expected: Readonly<Record<string, string>>): void {
    assert.deepEqual(this.#whys, expected)
    this.#whys = {}
  }
}
