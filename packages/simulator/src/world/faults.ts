import type { Identifier } from "@lockkeeper/crypto"

/** Which way a message goes. */
export type Direction = "requests" | "answers"

/** What the network does to messages of one direction between one actor and one server. */
export interface LinkFaults {
  /** Probability that a message is lost. */
  drop: number
  /** Probability that a request comes a second time; whatever is answered then, nobody hears. */
  duplicate: number
  /** Probability that a message is held back for up to `REORDER_FACTOR` times the longest delay. */
  reorder: number
  /** Longest a message is under way otherwise, milliseconds of virtual time. */
  maxDelayMs: number
}

/** How much longer a message that others overtake is under way at most. */
export const REORDER_FACTOR = 16

export const CALM: Readonly<LinkFaults> = { drop: 0, duplicate: 0, reorder: 0, maxDelayMs: 40 }

/** Where faults are meant; what is not given means everywhere. */
export interface LinkPlace {
  readonly actor?: string
  readonly server?: Identifier
  readonly direction?: Direction
}

interface Partition {
  readonly actor: string
  readonly server: Identifier | "*"
  readonly directions: Direction | "both"
}

/** The state of every link, as the test wants it. */
export class NetworkFaults implements LinkFaults {
  drop = CALM.drop
  duplicate = CALM.duplicate
  reorder = CALM.reorder
  maxDelayMs = CALM.maxDelayMs
  /** The later rules win, field by field. */
  #rules: { readonly place: LinkPlace; readonly faults: Partial<LinkFaults> }[] = []
  #partitions: Partition[] = []

  /** For some links only, over what holds for all. */
  set(place: LinkPlace, faults: Partial<LinkFaults>): void {
    this.#rules.push({ place, faults })
  }

  of(actor: string, server: Identifier, direction: Direction): LinkFaults {
    const { drop, duplicate, reorder, maxDelayMs } = this
    const found = { drop, duplicate, reorder, maxDelayMs }
    for (const { place, faults } of this.#rules) {
      const applies =
        (place.actor ?? actor) === actor &&
        (place.server ?? server) === server &&
        (place.direction ?? direction) === direction
      if (applies) Object.assign(found, faults)
    }
    return found
  }

  partition(actor: string, server: Identifier | "*", directions: Direction | "both"): void {
    this.#partitions.push({ actor, server, directions })
  }

  isCut(actor: string, server: Identifier, direction: Direction): boolean {
    return this.#partitions.some(
      (cut) =>
        (cut.actor === "*" || cut.actor === actor) &&
        (cut.server === "*" || cut.server === server) &&
        (cut.directions === "both" || cut.directions === direction),
    )
  }

  /** Every link is as it should be. */
  heal(): void {
    Object.assign(this, CALM)
    this.#rules = []
    this.#partitions = []
  }
}
