import { type LockKeeperError, quarantinedIn } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Clock } from "./dependencies.ts"
import { EXCLUSION_MS } from "./limits.ts"

/** What is known of a roster's servers that do not work with each other. */
export interface Membership {
  readonly all: readonly Identifier[]
  readonly minSigners: number
}

/**
 * Who is left out of signer sets for a while. Two things count: evidence that this client holds, and
 * what servers say of each other. A server that refuses to work with another one is believed for
 * itself alone, so that a liar keeps itself out of sets and no honest server; where t of them say it,
 * one of them is honest.
 */
export class Exclusions {
  readonly #membership: Membership
  readonly #clock: Clock
  readonly #proven = new Map<Identifier, number>()
  /** Since when a server refuses to work with another: by both, as `refuser-about`. */
  readonly #refusals = new Map<string, number>()

  constructor(membership: Membership, clock: Clock) {
    this.#membership = membership
    this.#clock = clock
  }

  /** This client has evidence against it. */
  prove(server: Identifier): void {
    this.#proven.set(server, this.#clock.now())
  }

  /**
   * Takes note of a refusal to work with another participant.
   *
   * @param among - who was to take part: what is said of anybody else is no reason to refuse.
   * @returns the other participant; null where the refusal says nothing of the kind.
   */
  heard(
    refuser: Identifier,
    error: LockKeeperError,
    among: readonly Identifier[],
  ): Identifier | null {
    const about = aboutWhom(refuser, error, among)
    if (about !== null) this.#refusals.set(nameOf(refuser, about), this.#clock.now())
    return about
  }

  /** Whether it is asked for nothing that others have a part in. */
  isOut(server: Identifier): boolean {
    if (this.#isRecent(this.#proven.get(server))) return true
    const { all, minSigners } = this.#membership
    return all.filter((id) => this.#refuses(id, server)).length >= minSigners
  }

  /** Whether one of the two refuses to work with the other. */
  areApart(a: Identifier, b: Identifier): boolean {
    return this.#refuses(a, b) || this.#refuses(b, a)
  }

  /** Those of them who can all work with each other, in the same order. */
  together(among: readonly Identifier[]): readonly Identifier[] {
    let left = among.filter((id) => !this.isOut(id))
    for (;;) {
      const apart = (id: Identifier) => left.filter((other) => this.areApart(id, other)).length
      const most = Math.max(0, ...left.map(apart))
      if (most === 0) return left
      // Who is at odds with most is the likelier culprit, or liar. Of two alike the refused one goes: it
      // would be refused by others too, while a liar that goes on shows by its second refusal.
      const likely = left.filter((id) => apart(id) === most)
      const isRefused = (id: Identifier) => left.some((other) => this.#refuses(other, id))
      const leaving = likely.findLast(isRefused) ?? likely.at(-1)
      left = left.filter((id) => id !== leaving)
    }
  }

  #refuses(refuser: Identifier, about: Identifier): boolean {
    return this.#isRecent(this.#refusals.get(nameOf(refuser, about)))
  }

  /** An operator may have decided otherwise since. */
  #isRecent(at: number | undefined): boolean {
    return at !== undefined && this.#clock.now() - at < EXCLUSION_MS
  }
}

/** With which other participant a refusal says its sender does not work. */
export function aboutWhom(
  refuser: Identifier,
  error: LockKeeperError,
  among: readonly Identifier[],
): Identifier | null {
  const about = quarantinedIn(error)
  return about !== null && about !== refuser && among.includes(about) ? about : null
}

function nameOf(refuser: Identifier, about: Identifier): string {
  return `${refuser}-${about}`
}
