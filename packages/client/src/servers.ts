import {
  holderIds,
  isOnItsWay,
  LockKeeperError,
  type Member,
  memberOf,
  placementViolation,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Dependencies, ServerLink } from "./dependencies.ts"
import { EvidenceOutbox } from "./evidence-outbox.ts"
import { Exclusions } from "./exclusions.ts"
import type { Incident } from "./incidents.ts"
import { DEMOTION_MS, type Patience } from "./limits.ts"
import type { Trust } from "./trust.ts"

/** The key servers of one roster: the links to them, and whom to ask first. */
export class Servers {
  readonly trust: Trust
  readonly deps: Dependencies
  readonly patience: Patience
  /** Told of each incident when it is noticed, so that proofs survive a failed operation. */
  readonly onIncident: (incident: Incident) => void
  /** Who is left out of signer sets. */
  readonly exclusions: Exclusions
  /** Evidence on its way to the servers. */
  readonly outbox = new EvidenceOutbox()
  readonly #links = new Map<Identifier, ServerLink>()
  readonly #failedAt = new Map<Identifier, number>()
  readonly #elsewhere = new Set<Identifier>()
  #turn: number

  constructor(
    trust: Trust,
    deps: Dependencies,
    patience: Patience,
    onIncident: (incident: Incident) => void,
  ) {
    this.trust = trust
    this.deps = deps
    this.patience = patience
    this.onIncident = onIncident
    this.exclusions = new Exclusions(this, deps.clock)
    // Clients that start at the same time do not all begin with the same servers.
    this.#turn = deps.randomness.bytes(1)[0] as number
  }

  get minSigners(): number {
    return this.trust.roster.minSigners
  }

  get all(): readonly Identifier[] {
    return this.trust.roster.members.map(({ identifier }) => identifier)
  }

  /** Those that new keys and accounts are dealt to: all but members that leave. */
  get holders(): readonly Identifier[] {
    return holderIds(this.trust.roster)
  }

  member(identifier: Identifier): Member {
    return memberOf(this.trust.roster, identifier)
  }

  /** As the roster has it; empty for servers it does not list. */
  nameOf(identifier: Identifier): string {
    const { members } = this.trust.roster
    return members.find((member) => member.identifier === identifier)?.name ?? ""
  }

  /** Those that no evidence and no t servers speak against. */
  usable(among: readonly Identifier[] = this.all): readonly Identifier[] {
    return among.filter((id) => !this.exclusions.isOut(id))
  }

  /**
   * Those of them that work with each other.
   *
   * @throws LockKeeperError `not-enough-servers` naming who is left out, when fewer than needed are left.
   */
  together(among: readonly Identifier[], need: number): readonly Identifier[] {
    const left = this.exclusions.together(among)
    if (left.length >= need || left.length === among.length) return left
    throw this.leftOut(need, among, left)
  }

  /**
   * Those of them that are to hold something together for long: whoever refuses others keeps itself
   * out, as long as enough are left.
   *
   * @throws LockKeeperError `not-enough-servers` as `together` does.
   */
  holding(among: readonly Identifier[], need: number): readonly Identifier[] {
    const left = this.exclusions.withoutRefusers(among)
    return left.length >= need ? left : this.together(among, need)
  }

  /** That too few are left without those that broke a protocol. */
  leftOut(
    need: number,
    among: readonly Identifier[],
    left: readonly Identifier[],
  ): LockKeeperError {
    const out = among.filter((id) => !left.includes(id))
    const names = out.map((id) => `${id} "${this.nameOf(id)}"`).join(", ")
    return new LockKeeperError(
      "not-enough-servers",
      `It takes ${need} key servers that work together; left out for breaking a protocol: ${names}.`,
      {
        server: out[0] ?? 0,
        remedy: "See `lockkeeper incidents list`, and ask their operators to repair or clear them.",
      },
    )
  }

  link(identifier: Identifier): ServerLink {
    const open = this.#links.get(identifier)
    if (open !== undefined) return open
    const link = this.deps.network.connect(this.member(identifier))
    this.#links.set(identifier, link)
    return link
  }

  /** Records how a call ended, so that servers which fail stand last in line for a while. */
  report(identifier: Identifier, error: LockKeeperError | null): void {
    if (error === null) this.#failedAt.delete(identifier)
    else if (error.code === "unavailable" && !isOnItsWay(error))
      this.#failedAt.set(identifier, this.deps.clock.now())
  }

  /** Says that it follows another roster. */
  reportElsewhere(identifier: Identifier): void {
    this.#elsewhere.add(identifier)
  }

  /** Whether any server said that it follows another roster. */
  get someAreElsewhere(): boolean {
    return this.#elsewhere.size > 0
  }

  /** Whether it failed or was slow lately. */
  isDemoted(identifier: Identifier): boolean {
    const at = this.#failedAt.get(identifier)
    return at !== undefined && this.deps.clock.now() - at < DEMOTION_MS
  }

  /** Somebody else had to be asked beside it. */
  reportSlow(identifier: Identifier): void {
    this.#failedAt.set(identifier, this.deps.clock.now())
  }

  /**
   * These servers in the order to ask them: rotated from call to call so that work is spread, those
   * that failed lately last, those that broke a protocol not at all, and the first `size` of them a
   * signer set the roster's placement rules allow, where there is one.
   */
  inOrder(among: readonly Identifier[], size: number): readonly Identifier[] {
    const usable = this.usable(among)
    const turn = this.#turn++ % Math.max(1, usable.length)
    const rotated = [...usable.slice(turn), ...usable.slice(0, turn)]
    const isDemoted = (id: Identifier): boolean => this.isDemoted(id)
    const ordered = [...rotated.filter((id) => !isDemoted(id)), ...rotated.filter(isDemoted)]
    return this.#placed(ordered, size)
  }

  #placed(ordered: readonly Identifier[], size: number): readonly Identifier[] {
    const chosen: Identifier[] = []
    for (const id of ordered) {
      if (chosen.length === size) break
      if (placementViolation(this.trust.roster, [...chosen, id]) === null) chosen.push(id)
    }
    if (chosen.length < size) return ordered
    return [...chosen, ...ordered.filter((id) => !chosen.includes(id))]
  }

  close(): void {
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }
}
