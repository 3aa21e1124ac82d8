import { LockKeeperError, type SharingKind } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { type Abort, type Message, repair, type sharing } from "@lockkeeper/protocols"
import { aboutWhom } from "../exclusions.ts"
import { askAll } from "../gather.ts"
import type { IncidentLog } from "../incidents.ts"
import { MAX_REPAIR_ATTEMPTS } from "../limits.ts"
import { throwIfCancelled } from "../patience.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import { RepairSteps } from "./repair-steps.ts"
import { isOfRecords } from "./told-records.ts"

/** An entry that nothing was done about, and why: an abort reason, or the code of an error. */
export interface NotRepaired {
  readonly id: Bytes
  readonly reason: string
}

export interface RepairResult {
  /** What the member holds again. */
  readonly done: readonly Bytes[]
  readonly skipped: readonly NotRepaired[]
  /** The member itself does not go on: nothing else can be repaired there. */
  readonly memberFailure: LockKeeperError | null
}

export interface RepairOrder {
  readonly kind: SharingKind
  readonly member: Identifier
  /** Of one threshold, held alike by all of `from`. */
  readonly sharings: readonly sharing.Sharing[]
  readonly from: readonly Identifier[]
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

type Tried =
  /** The member cannot go on with these. */
  | { readonly kind: "unfit"; readonly entries: ReadonlyMap<number, string> }
  | Exclude<repair.RepairTask, { readonly kind: "ask" }>

/**
 * Restores one batch of shares at one member. Helpers that break the protocol are named, with evidence
 * that goes to the servers, and others take their place, as with those who say nothing.
 */
export class RepairBatch {
  readonly #principal: OperatorPrincipal
  readonly #order: RepairOrder
  readonly #skipped: NotRepaired[] = []
  readonly #failures = new Map<Identifier, LockKeeperError>()
  /** Helpers that are asked no more. */
  readonly #out = new Set<Identifier>()
  /** Who refused to work with whom: said twice, it is the refuser's own failure. */
  readonly #refusals = new Set<string>()
  readonly #excused = new Set<Identifier>()

  constructor(principal: OperatorPrincipal, order: RepairOrder) {
    this.#principal = principal
    this.#order = order
  }

  async run(): Promise<RepairResult> {
    const { sharings, signal } = this.#order
    let attempt = this.#begin(sharings)
    let failure: Abort | null = null
    for (let tries = 1; attempt !== null && tries <= MAX_REPAIR_ATTEMPTS; tries++) {
      throwIfCancelled(signal)
      const tried = await this.#try(attempt)
      if (tried.kind === "repaired") return this.#ended(attempt.sharings, [])
      // Servers that know the evidence do not fall for the same one again.
      await this.#principal.servers.outbox.settled()
      if (tried.kind === "unfit") {
        attempt = this.#without(attempt, tried.entries)
        if (attempt === null) return this.#ended([], [])
        continue
      }
      failure = tried.abort
      const next = this.#next(attempt, tried.abort)
      if (next === null) return this.#ended([], attempt.sharings, tried.abort)
      attempt = next
    }
    return this.#ended([], attempt?.sharings ?? sharings, failure)
  }

  /** Holders that may help: each works with the member, and with the others. */
  #able(): readonly Identifier[] {
    const { from, member } = this.#order
    const { exclusions } = this.#principal.servers
    const willing = from.filter((one) => !this.#out.has(one) && !exclusions.areApart(one, member))
    return exclusions.together(willing)
  }

  /** A try with these, or null where there are too few helpers or nothing to repair. */
  #begin(sharings: readonly sharing.Sharing[]): repair.RepairAttempt | null {
    const { servers } = this.#principal
    const [first] = sharings
    if (first === undefined) return null
    const { minSigners } = first
    const chosen = servers.inOrder(this.#able(), minSigners).slice(0, minSigners)
    if (chosen.length < minSigners) return null
    const params: repair.RepairParams = {
      ...{ helpers: [...chosen].sort((a, b) => a - b), member: this.#order.member },
      ...{ rosterEpoch: servers.trust.roster.rosterEpoch, attempt: this.#freshAttempt() },
      groups: sharings.map(({ group }) => group),
      keys: repair.sharingsRoot(sharings),
    }
    return { params, sharings }
  }

  /** Whoever begins again begins another run: nobody guesses the number of one that was. */
  #freshAttempt(): number {
    const raw = this.#principal.servers.deps.randomness.bytes(4)
    return new DataView(raw.buffer, raw.byteOffset, 4).getUint32(0)
  }

  #without(
    { sharings }: repair.RepairAttempt,
    unfit: ReadonlyMap<number, string>,
  ): repair.RepairAttempt | null {
    for (const [index, reason] of unfit) {
      this.#skipped.push({ id: (sharings[index] as sharing.Sharing).id, reason })
    }
    const rest = sharings.filter((_, index) => !unfit.has(index))
    return this.#begin(rest)
  }

  #next(attempt: repair.RepairAttempt, abort: Abort): repair.RepairAttempt | null {
    for (const one of abort.silent) if (!this.#excused.has(one)) this.#out.add(one)
    for (const one of abort.culprits) this.#out.add(one)
    const able = this.#able()
    const others = attempt.sharings.flatMap((one) => [...one.verifyingShares.keys()])
    const { member } = attempt.params
    const unable = [...new Set(others)].filter((one) => one !== member && !able.includes(one))
    const isMembers = this.#out.has(member)
    const silent = isMembers ? [member, ...unable] : unable
    const next = repair.nextAttempt(attempt, { ...abort, silent })
    if (next === null) return null
    return { ...next, params: { ...next.params, attempt: this.#freshAttempt() } }
  }

  async #try(attempt: repair.RepairAttempt): Promise<Tried> {
    const { kind, from, member, signal, incidents } = this.#order
    const { params, sharings } = attempt
    const among = [...new Set([...from, member])].sort((a, b) => a - b)
    const steps = new RepairSteps(this.#principal, kind, attempt, among, signal)
    this.#excused.clear()
    let opening: Message | null = null
    let task = repair.repairCoordinate(params, sharings, this.#principal.servers.trust.verifyKeys)
    while (task.kind === "ask") {
      const { waiting } = task
      if (task.step === "open") {
        const opened = await this.#openAll(steps, attempt)
        if ("entries" in opened) return { kind: "unfit", entries: opened.entries }
        opening = opened.responses.find(({ from: one }) => one === member)?.message ?? null
        task = repair.repairAdvance(waiting, opened.responses)
      } else {
        task = repair.repairAdvance(waiting, await this.#askEach(steps, attempt, task, opening))
      }
    }
    if (task.kind === "aborted") {
      const silent = task.abort.silent.filter((one) => !this.#excused.has(one))
      incidents.aborted({ ...task.abort, silent })
    } else if (task.kind === "repaired") await this.#finish(steps, params.helpers, task.verdict)
    return task
  }

  /** What everyone answers to the first step, or what of the batch the member cannot go on with. */
  async #openAll(
    steps: RepairSteps,
    { params }: repair.RepairAttempt,
  ): Promise<
    | { readonly responses: readonly repair.RepairResponse[] }
    | { readonly entries: ReadonlyMap<number, string> }
  > {
    const { member, helpers } = params
    const { servers } = this.#principal
    const { answers, failures } = await askAll(servers, [...helpers, member], (server) =>
      steps.open(server),
    )
    for (const [server, error] of failures) this.#noteFailure(server, error, params)
    const responses: repair.RepairResponse[] = []
    for (const [from, answer] of answers) {
      if (answer.kind === "message") responses.push({ from, message: answer.message })
      else if (from === member) {
        return { entries: new Map(answer.entries.map(({ index, reason }) => [index, reason])) }
      }
      // A helper that listed what it does not go on with now is silent: another one takes its place.
    }
    return { responses }
  }

  async #askEach(
    steps: RepairSteps,
    { params }: repair.RepairAttempt,
    { step, about, deliveries }: Extract<repair.RepairTask, { kind: "ask" }>,
    opening: Message | null,
  ): Promise<readonly repair.RepairResponse[]> {
    const { servers } = this.#principal
    const { answers, failures } = await askAll(servers, [...deliveries.keys()], (server) => {
      const delivery = deliveries.get(server) as repair.RepairDelivery
      if (step === "open") throw new Error("everybody has opened")
      if (step === "verdict" && opening !== null)
        return this.#verdict(steps, server, delivery, opening)
      return steps.step(server, step, delivery, { about, records: [] })
    })
    for (const [server, error] of failures) this.#noteFailure(server, error, params)
    return [...answers].map(([from, message]) => ({ from, message }))
  }

  /** With what all that hold them tell: where just the helpers do, one that lies has more of a say. */
  async #verdict(
    steps: RepairSteps,
    member: Identifier,
    delivery: repair.RepairDelivery,
    opening: Message,
  ): Promise<Message> {
    const { servers } = this.#principal
    const { from, incidents } = this.#order
    const { answers, failures } = await askAll(servers, from, (server) =>
      steps.describe(server, opening),
    )
    for (const [server, error] of failures) incidents.failed(server, error)
    const records = [...answers.values()]
    return steps.step(member, "verdict", delivery, { about: null, records })
  }

  /** What helpers still keep is erased by themselves within the hour. */
  async #finish(
    steps: RepairSteps,
    helpers: readonly Identifier[],
    verdict: Message,
  ): Promise<void> {
    const { servers } = this.#principal
    const { failures } = await askAll(servers, helpers, (server) => steps.finish(server, verdict))
    for (const [server, error] of failures) this.#order.incidents.failed(server, error)
  }

  #noteFailure(server: Identifier, error: LockKeeperError, params: repair.RepairParams): void {
    const participants = repair.participantsOf(params)
    this.#order.incidents.failed(server, error, participants)
    this.#failures.set(server, error)
    const about = aboutWhom(server, error, participants)
    const refusal = `${server}-${about}`
    if (about !== null && !this.#refusals.has(refusal)) this.#excused.add(server)
    if (about !== null) this.#refusals.add(refusal)
  }

  /** Where nobody was at fault, what the last one refused with who did not take part. */
  #reasonOf(abort: Abort | null): string {
    if (abort !== null && abort.reason !== "missing-messages") return abort.reason
    const last = [...this.#failures.values()].at(-1)
    return last?.code ?? abort?.reason ?? "too-few-helpers"
  }

  #ended(
    done: readonly sharing.Sharing[],
    failed: readonly sharing.Sharing[],
    abort: Abort | null = null,
  ): RepairResult {
    const { member } = this.#order
    const named = abort !== null && [...abort.culprits, ...abort.silent].includes(member)
    const refused = this.#failures.get(member) ?? null
    const reason = this.#reasonOf(abort)
    const skipped = failed.map(({ id }) => ({ id, reason: refusedWith(refused) ?? reason }))
    return {
      done: done.map(({ id }) => id),
      skipped: [...this.#skipped, ...skipped],
      memberFailure: named && !isOfBatch(refused) ? (refused ?? stopped(member, reason)) : null,
    }
  }
}

function refusedWith(error: LockKeeperError | null): string | null {
  return isOfRecords(error) ? "records-differ" : (error?.code ?? null)
}

/** Another batch may well go on. */
function isOfBatch(error: LockKeeperError | null): boolean {
  return error?.code === "conflict" || error?.code === "aborted"
}

function stopped(server: Identifier, reason: string): LockKeeperError {
  return new LockKeeperError("untrusted-server", `The member stopped its repair: ${reason}.`, {
    server,
    remedy: "Look at its incidents, and at its log.",
  })
}
