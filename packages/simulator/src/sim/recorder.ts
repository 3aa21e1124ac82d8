import type { Logged } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { Observations } from "../world/observations.ts"
import type {
  AcknowledgedChild,
  AcknowledgedKey,
  Commit,
  Evaluation,
  Failure,
  GrantedSignature,
  Observed,
  ProcessStart,
  ReleasedShare,
  ReportedIncident,
  RosterStep,
  ToldPosition,
  ToldRefresh,
} from "./observed.ts"

/** Without what the recorder adds by itself. */
type Unstamped<T> = Omit<T, "order" | "time" | "log">

/** What the actors of a run were told and did: the part of `Observed` that no server can see. */
type Told = Pick<
  Observed,
  | "keys"
  | "children"
  | "accounts"
  | "signatures"
  | "shares"
  | "evaluations"
  | "refreshes"
  | "rosterSteps"
  | "retired"
  | "incidents"
  | "failures"
  | "unfinished"
>

type Growing<T> = { readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

/** Takes down what the actors of one run are told, beside what the world observes by itself. */
export class Recorder {
  readonly #observations: Observations
  readonly #now: () => number
  readonly #told: Growing<Told> = {
    keys: [],
    children: [],
    accounts: [],
    signatures: [],
    shares: [],
    evaluations: [],
    refreshes: [],
    rosterSteps: [],
    retired: [],
    incidents: [],
    failures: [],
    unfinished: [],
  }

  constructor(observations: Observations, now: () => number) {
    this.#observations = observations
    this.#now = now
  }

  get told(): Told {
    return this.#told
  }

  key(key: Unstamped<AcknowledgedKey>, log: readonly Logged[]): void {
    this.#told.keys.push({ ...key, ...this.#stamp(), log: toldPositions(log) })
  }

  child(child: Unstamped<AcknowledgedChild>, log: readonly Logged[]): void {
    this.#told.children.push({ ...child, ...this.#stamp(), log: toldPositions(log) })
  }

  account(account: Unstamped<Observed["accounts"][number]>): void {
    this.#told.accounts.push({ ...account, ...this.#stamp(), log: [] })
  }

  signature(signature: Unstamped<GrantedSignature>, log: readonly Logged[]): void {
    this.#told.signatures.push({ ...signature, ...this.#stamp(), log: toldPositions(log) })
  }

  share(share: Unstamped<ReleasedShare>): void {
    this.#told.shares.push({ ...share, ...this.#stamp() })
  }

  evaluation(evaluation: Omit<Evaluation, "time">): void {
    this.#told.evaluations.push({ ...evaluation, time: this.#now() })
  }

  refresh(refresh: Omit<ToldRefresh, "time">): void {
    this.#told.refreshes.push({ ...refresh, time: this.#now() })
  }

  change(step: Omit<RosterStep, "time">): void {
    this.#told.rosterSteps.push({ ...step, time: this.#now() })
  }

  retired(server: Identifier): void {
    this.#told.retired.push(server)
  }

  incident(actor: string, incident: ReportedIncident["incident"]): void {
    this.#told.incidents.push({ time: this.#now(), actor, incident })
  }

  failure(failure: Omit<Failure, "time">): void {
    this.#told.failures.push({ ...failure, time: this.#now() })
  }

  unfinished(what: string): void {
    this.#told.unfinished.push(what)
  }

  #stamp(): { readonly order: number; readonly time: number } {
    return { order: this.#observations.commits.length, time: this.#now() }
  }
}

function toldPositions(log: readonly Logged[]): readonly ToldPosition[] {
  return log.map(({ server, log: { index, head } }) => ({ server, index, head: toHex(head) }))
}

/** Everything that became durable, in order. */
export function commitsOf({ commits }: Observations): readonly Commit[] {
  return commits.map(({ time, server, process, history, changes, entries }, order) => ({
    ...{ order, time, server, process, history, changes },
    events: entries.map(({ event, index, head }) => ({ ...event, index, head: toHex(head) })),
  }))
}

/** Every process that lived to write something, and how it found its store in truth. */
export function startsOf({ commits }: Observations): readonly ProcessStart[] {
  const starts: ProcessStart[] = []
  const last = new Map<number, Observations["commits"][number]>()
  for (const [order, commit] of commits.entries()) {
    const { server, process, history, entries, changes } = commit
    const before = last.get(server)
    last.set(server, commit)
    if (before?.process === process) continue
    const left = before?.entries.some(({ event }) => event.operation === "server.stop")
    // What went on to another roster before it started has nobody vouch for what was left.
    const stopped = left && !changes.some(({ table, id }) => table === "meta" && id === "roster")
    const unchanged = before?.history === history
    const how =
      before === undefined ? "first" : !unchanged ? "restored" : stopped ? "orderly" : "unclean"
    starts.push({ order, server, process, how, logSize: entries[0]?.index ?? 0 })
  }
  return starts
}
