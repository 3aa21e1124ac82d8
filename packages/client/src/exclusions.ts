import { type LockKeeperError, quarantinedIn } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Clock } from "./dependencies.ts"
import { largestSet } from "./largest-set.ts"
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

  /**
   * The most of them who can all work with each other, in the same order: never fewer than there are
   * honest ones, whatever others say, since no honest server lies about another one.
   */
  together(among: readonly Identifier[]): readonly Identifier[] {
    const left = among.filter((id) => !this.isOut(id))
    const maskOf = (is: (id: Identifier) => boolean): number =>
      left.reduce((mask, id, place) => (is(id) ? mask | (1 << place) : mask), 0)
    const conflicts = left.map((a) => maskOf((b) => this.areApart(a, b)))
    // Of two alike the refused one goes: it would be refused by others too, while a liar that goes on
    // shows by its second refusal.
    const refused = maskOf((id) => left.some((other) => this.#refuses(other, id)))
    const chosen = largestSet(
      conflicts,
      maskOf(() => true),
      refused,
    )
    return left.filter((_, place) => (chosen & (1 << place)) !== 0)
  }

  /**
   * Those of them who refuse to work with nobody else: for what lasts, such as who holds a key. Fewer
   * than t who lie could otherwise keep honest servers out of it for good, and bring themselves in.
   */
  withoutRefusers(among: readonly Identifier[]): readonly Identifier[] {
    const left = among.filter((id) => !this.isOut(id))
    return left.filter((id) => !left.some((other) => this.#refuses(id, other)))
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
