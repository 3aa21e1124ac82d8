import { isSameServer, LockKeeperError, type SharingShape } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { type Abort, type Message, reshare } from "@lockkeeper/protocols"
import { aboutWhom } from "../exclusions.ts"
import { askAll } from "../gather.ts"
import type { IncidentLog } from "../incidents.ts"
import { ATTEMPT_PAUSE_MS, MAX_LIFTS, MAX_RESHARE_ATTEMPTS } from "../limits.ts"
import { throwIfCancelled } from "../patience.ts"
import { rosterOf } from "../trust.ts"
import { leaveAt } from "./leaving.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import { type BatchKind, ReshareSteps, type UnfitEntry } from "./reshare-steps.ts"

/** An entry that was left out of a batch: the rest went on without it. */
export interface LeftOut {
  readonly id: Bytes
  /** An abort reason. */
  readonly reason: string
  /** Who could not go on with it: fewer than the threshold may lie, or have lost their share alone. */
  readonly by: readonly Identifier[]
}

/** What a batch came to. */
export interface BatchResult {
  /** The sharings that have new shares now. */
  readonly done: readonly Bytes[]
  readonly leftOut: readonly LeftOut[]
  /** Holders that have no new shares: they are to be repaired, or will have them at the next refresh. */
  readonly missing: readonly Identifier[]
  /**
   * Holders that have confirmed and not put all of it in force: they get the certificate from whoever
   * comes next.
   */
  readonly lingering: readonly Identifier[]
  /** Servers that are no holders any more and have not erased their shares yet. */
  readonly keeping: readonly Identifier[]
  /** Why nothing was done, where `done` is empty and not everything was left out. */
  readonly failure: LockKeeperError | null
}

export interface BatchOrder {
  readonly of: BatchKind
  /** Where they move to; null where they stay with their holders. */
  readonly target: SharingShape | null
  /** Of the same holders and threshold, at most `reshare.maxKeys`. */
  readonly keys: readonly reshare.ReshareKey[]
  /** Servers that hold all of them as they are: others cannot deal. */
  readonly heldBy: readonly Identifier[]
  /** Holders that are not asked. */
  readonly leaveOut?: readonly Identifier[]
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

interface Unfit extends UnfitEntry {
  readonly by: readonly Identifier[]
}

type Tried =
  | { readonly kind: "unfit"; readonly entries: readonly Unfit[] }
  | Exclude<reshare.ReshareTask, { readonly kind: "ask" }>

/**
 * Gives one batch of sharings new shares, at the same holders or at others. Whoever breaks the protocol is
 * named, with evidence that goes to the servers, and left out of the next try, as is whoever says nothing.
 */
export class ReshareBatch {
  readonly #principal: OperatorPrincipal
  readonly #order: BatchOrder
  readonly #leftOut: LeftOut[] = []
  readonly #failures = new Map<Identifier, LockKeeperError>()
  /** Who refused to work with whom: said twice, it is the refuser's own failure. */
  readonly #refusals = new Set<string>()
  readonly #excused = new Set<Identifier>()
  /** A server has opened a later attempt: another coordinator is at work. */
  #isBehind = false
  /** Dealers that are no holders and are asked no more. */
  readonly #out = new Set<Identifier>()
  /** Of this try, by sender: what others seal their records to. */
  readonly #openings = new Map<Identifier, Message>()
  /** How often generations were found too low by holders that list nothing. */
  #lifted = 0
  /** With which the verdicts were asked for: what the certificates of each sharing follow from. */
  #waiting: reshare.ReshareWaiting | null = null

  constructor(principal: OperatorPrincipal, order: BatchOrder) {
    this.#principal = principal
    this.#order = order
  }

  async run(): Promise<BatchResult> {
    const { outbox } = this.#principal.servers
    let attempt = this.#begin(this.#order.keys, this.#order.leaveOut ?? [])
    for (let tries = 1; attempt !== null; tries++) {
      throwIfCancelled(this.#order.signal)
      const tried = await this.#try(attempt)
      if (tried.kind === "confirmed") return this.#activate(attempt, tried)
      // Servers that know the evidence do not fall for the same one again.
      await outbox.settled()
      if (tries === MAX_RESHARE_ATTEMPTS) return this.#failed(attempt, tried)
      if (tried.kind === "unfit") {
        attempt = this.#without(attempt, tried.entries)
        if (attempt === null) return this.#failed(null, null)
        continue
      }
      const next = this.#next(attempt, tried)
      if (next === null) return this.#failed(attempt, tried)
      attempt = next
      if (this.#isBehind) {
        await this.#principal.servers.deps.clock.wait(ATTEMPT_PAUSE_MS, this.#order.signal)
      }
    }
    return this.#failed(null, null)
  }

  /** The first try with these, or null where nothing is left to try. */
  #begin(
    keys: readonly reshare.ReshareKey[],
    out: readonly Identifier[],
    after = 0,
  ): reshare.ReshareAttempt | null {
    const { servers } = this.#principal
    const { roster } = servers.trust
    const [first] = keys
    if (first === undefined) return null
    const { target, heldBy } = this.#order
    const { minSigners: needed } = first.sharing
    const holders = target?.holders ?? oldHolders(first)
    const old = oldHolders(first).filter((one) => servers.all.includes(one))
    const everyone = union(old, holders)
    const isAsked = (one: Identifier) => !out.includes(one) && !this.#out.has(one)
    const able = servers.exclusions.together(everyone.filter(isAsked))
    const leaveOut = everyone.filter((one) => !able.includes(one))
    const held = able.filter((one) => old.includes(one) && this.#mayDeal(keys, one))
    const upToDate = held.filter((one) => heldBy.includes(one))
    const dealing = upToDate.length >= needed ? upToDate : held
    const chosen = servers.inOrder(dealing, needed).slice(0, needed)
    const params: reshare.ReshareParams = {
      kind: target === null ? "refresh" : "reshare",
      ...{ dealers: [...chosen].sort((a, b) => a - b), holders },
      minSigners: target?.minSigners ?? needed,
      ...{ rosterEpoch: roster.rosterEpoch, attempt: this.#attemptAfter(after) },
      groups: keys.map(({ sharing }) => sharing.group),
      keys: reshare.keysRoot(keys),
    }
    return { params, keys, leaveOut }
  }

  /** At a threshold of before, none that came in another's place since: servers refuse its dealing. */
  #mayDeal(keys: readonly reshare.ReshareKey[], one: Identifier): boolean {
    const { trust } = this.#principal.servers
    return keys.every(({ sharing: { minSigners, rosterEpoch } }) => {
      const then = rosterOf(trust, rosterEpoch)
      if (minSigners === trust.roster.minSigners || then === null) return true
      return isSameServer(then, trust.roster, one)
    })
  }

  /** Attempts are seconds, so that they only grow, whoever counts them. */
  #attemptAfter(before: number): number {
    return Math.max(before + 1, Math.floor(this.#principal.servers.deps.clock.now() / 1000))
  }

  #without(
    { params, keys, leaveOut }: reshare.ReshareAttempt,
    unfit: readonly Unfit[],
  ): reshare.ReshareAttempt | null {
    const low = unfit.filter((one) => this.#isLow(params, one))
    if (low.length > 0 && this.#lifted < MAX_LIFTS) {
      const rise = 2 ** this.#lifted++
      const lift = new Set(low.map(({ index }) => index))
      const lifted = keys.map((key, index) =>
        lift.has(index) ? { ...key, toKeyEpoch: key.toKeyEpoch + rise } : key,
      )
      return this.#begin(lifted, leaveOut, params.attempt)
    }
    for (const { index, reason, by } of unfit) {
      this.#leftOut.push({ id: (keys[index] as reshare.ReshareKey).sharing.id, reason, by })
    }
    const out = new Set(unfit.map(({ index }) => index))
    const rest = keys.filter((_, index) => !out.has(index))
    return this.#begin(rest, leaveOut, params.attempt)
  }

  /** Who holds nothing yet lists nothing, so that nobody knows what it has confirmed before. */
  #isLow({ kind, dealers }: reshare.ReshareParams, { reason, by }: Unfit): boolean {
    const isNew = by.every((one) => !dealers.includes(one))
    return kind === "reshare" && reason === "wrong-key-epoch" && isNew
  }

  #next(
    attempt: reshare.ReshareAttempt,
    { abort, spent }: { readonly abort: Abort; readonly spent: boolean },
  ): reshare.ReshareAttempt | null {
    const { servers } = this.#principal
    const { exclusions } = servers
    const excused = (one: Identifier) => this.#excused.has(one)
    const silent = abort.silent.filter((one) => !excused(one))
    const { holders } = attempt.params
    for (const one of [...abort.culprits, ...silent]) if (!holders.includes(one)) this.#out.add(one)
    const old = oldHolders(attempt.keys[0] as reshare.ReshareKey)
    const everyone = union(old, holders)
    const listed = everyone.filter((one) => servers.all.includes(one) && !this.#out.has(one))
    const together = exclusions.together(listed)
    const apart = everyone.filter((one) => !together.includes(one))
    const leaveOut = union(attempt.leaveOut, apart)
    const next = reshare.nextAttempt(
      { ...attempt, leaveOut },
      { abort: { ...abort, silent }, spent },
    )
    if (next === null) return null
    const number = this.#attemptAfter(attempt.params.attempt)
    return { ...next, params: { ...next.params, attempt: number } }
  }

  async #try(attempt: reshare.ReshareAttempt): Promise<Tried> {
    const { of, signal, incidents } = this.#order
    const { params, keys, leaveOut } = attempt
    const { verifyKeys } = this.#principal.servers.trust
    const steps = new ReshareSteps(this.#principal, of, attempt, signal)
    this.#isBehind = false
    this.#excused.clear()
    this.#openings.clear()
    let task = reshare.reshareCoordinate(params, keys, verifyKeys, leaveOut)
    while (task.kind === "ask") {
      const { waiting } = task
      if (task.step === "verdict") this.#waiting = waiting
      const asked = await this.#askEach(steps, task, attempt)
      if ("entries" in asked) return { kind: "unfit", entries: asked.entries }
      task = reshare.reshareAdvance(waiting, asked.responses)
    }
    if (task.kind === "aborted") {
      const { abort } = task
      const silent = abort.silent.filter((one) => !this.#excused.has(one))
      incidents.aborted({ ...abort, silent })
    } else if (task.fault !== null) incidents.aborted(task.fault)
    return task
  }

  /** What everyone answers to one step, or what of the batch somebody cannot go on with. */
  async #askEach(
    steps: ReshareSteps,
    { step, deliveries }: Extract<reshare.ReshareTask, { kind: "ask" }>,
    attempt: reshare.ReshareAttempt,
  ): Promise<
    | { readonly responses: readonly reshare.ReshareResponse[] }
    | { readonly entries: readonly Unfit[] }
  > {
    const { servers } = this.#principal
    const { answers, failures } = await askAll(servers, [...deliveries.keys()], async (server) => {
      const delivery = deliveries.get(server) as reshare.Delivery
      if (step === "open") return steps.open(server)
      const message =
        step === "verdict" && this.#isJoining(server)
          ? await this.#verdict(steps, server, delivery, attempt)
          : await steps.step(server, step, delivery)
      return { kind: "message" as const, message }
    })
    for (const [server, error] of failures) this.#noteFailure(server, error, attempt)
    const entries = new Map<number, Unfit>()
    const responses: reshare.ReshareResponse[] = []
    for (const [from, answer] of answers) {
      if (answer.kind === "message") {
        responses.push({ from, message: answer.message })
        if (step === "open") this.#openings.set(from, answer.message)
      } else {
        for (const { index, reason } of answer.entries) {
          const by = [...(entries.get(index)?.by ?? []), from]
          entries.set(index, { index, reason, by })
        }
      }
    }
    if (entries.size === 0) return { responses }
    return { entries: [...entries.values()].sort((a, b) => a.index - b.index) }
  }

  /** Whether it is given shares of what it may have none of. */
  #isJoining(server: Identifier): boolean {
    const { target, heldBy } = this.#order
    return target?.holders.includes(server) === true && !heldBy.includes(server)
  }

  /**
   * The verdict of a holder that is told first what goes with its shares, by all that hold them: where just
   * the dealers tell, one that lies can have guesses given back, or a key be younger than it is.
   */
  async #verdict(
    steps: ReshareSteps,
    member: Identifier,
    delivery: reshare.Delivery,
    { params: { dealers } }: reshare.ReshareAttempt,
  ): Promise<Message> {
    const { heldBy, incidents } = this.#order
    const { servers } = this.#principal
    const opening = this.#openings.get(member) as Message
    const others = servers
      .usable(heldBy)
      .filter((one) => !dealers.includes(one) && !this.#out.has(one) && one !== member)
    const { answers, failures } = await askAll(servers, [...dealers, ...others], (server) =>
      steps.describe(server, member, opening),
    )
    for (const [server, error] of failures) incidents.failed(server, error)
    return steps.step(member, "verdict", delivery, [...answers.values()])
  }

  #noteFailure(
    server: Identifier,
    error: LockKeeperError,
    { params }: reshare.ReshareAttempt,
  ): void {
    const participants = reshare.participantsOf(params)
    this.#failures.set(server, error)
    // Nobody's fault: another run, maybe one's own, began in this very second.
    if (error.code === "conflict" && error.field === "body.params.attempt") this.#isBehind = true
    else this.#order.incidents.failed(server, error, participants)
    const about = aboutWhom(server, error, participants)
    const refusal = `${server}-${about}`
    if (this.#isBehind || (about !== null && !this.#refusals.has(refusal))) {
      this.#excused.add(server)
    }
    if (about !== null) this.#refusals.add(refusal)
  }

  /**
   * The new shares are in force already: everyone who confirmed is brought the proof. First those that
   * have none yet, and last those that only erase theirs: so as many as it takes can sign all the time.
   */
  async #activate(
    attempt: reshare.ReshareAttempt,
    { certificate, missing }: Extract<reshare.ReshareTask, { kind: "confirmed" }>,
  ): Promise<BatchResult> {
    const { of, signal, incidents } = this.#order
    const { servers } = this.#principal
    const steps = new ReshareSteps(this.#principal, of, attempt, signal)
    const confirmed = [...certificate.confirmations.keys()]
    const joining = confirmed.filter((server) => this.#isJoining(server))
    const lingering: Identifier[] = []
    for (const some of [joining, confirmed.filter((one) => !joining.includes(one))]) {
      const { answers, failures } = await askAll(servers, some, (server) =>
        steps.activate(server, certificate),
      )
      for (const [server, error] of failures) incidents.failed(server, error)
      const waiting = [...answers].filter(([, isInForce]) => !isInForce).map(([server]) => server)
      lingering.push(...failures.keys(), ...waiting)
    }
    const isUsable = confirmed.length - lingering.length >= attempt.params.minSigners
    const keeping = await this.#leave(attempt, certificate, isUsable)
    const done = attempt.keys.map(({ sharing }) => sharing.id)
    return { done, leftOut: this.#leftOut, missing, lingering, keeping, failure: null }
  }

  /** Has those erase their shares that are no holders any more. Returns who has not. */
  async #leave(
    { params, keys }: reshare.ReshareAttempt,
    certificate: reshare.BatchCertificate,
    isUsable: boolean,
  ): Promise<readonly Identifier[]> {
    const { of, signal, incidents } = this.#order
    const { servers } = this.#principal
    const old = oldHolders(keys[0] as reshare.ReshareKey)
    const leaving = old.filter((one) => servers.all.includes(one) && !params.holders.includes(one))
    if (leaving.length === 0 || !isUsable || this.#waiting === null) return leaving
    const certificates = reshare.certificatesFor(this.#waiting, certificate)
    if (!certificates.ok) {
      incidents.aborted(certificates.abort)
      return leaving
    }
    const run = reshare.openingDigest(params)
    const { failures } = await askAll(servers, leaving, (server) =>
      leaveAt(this.#principal, server, of, certificates.value, { run, signal }),
    )
    for (const [server, error] of failures) incidents.failed(server, error)
    return [...failures.keys()]
  }

  #failed(attempt: reshare.ReshareAttempt | null, tried: Tried | null): BatchResult {
    const none = { done: [], leftOut: this.#leftOut, missing: [], lingering: [], keeping: [] }
    if (attempt === null || tried === null) return { ...none, failure: null }
    const [refused] = this.#failures.values()
    const reason = tried.kind === "aborted" ? tried.abort.reason : "wrong-batch"
    const failure = new LockKeeperError("not-enough-servers", `The batch stopped: ${reason}.`, {
      remedy: "Look at the incidents and at `lockkeeper health`, and start it again.",
      ...(refused === undefined ? {} : { cause: refused }),
    })
    return { ...none, failure }
  }
}

function oldHolders({ sharing }: reshare.ReshareKey): readonly Identifier[] {
  return [...sharing.verifyingShares.keys()].sort((a, b) => a - b)
}

function union(a: readonly Identifier[], b: readonly Identifier[]): readonly Identifier[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y)
}
