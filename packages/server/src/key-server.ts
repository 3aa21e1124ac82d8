import type { SignedCredential } from "@lockkeeper/api"
import { edwards25519, ristretto255, secp256k1 } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { certifyOperator } from "./control/certify-operator.ts"
import { Counters } from "./counters.ts"
import { renewDecoy, storeDecoy } from "./decoy-account.ts"
import { Guesses } from "./guesses.ts"
import { clearIncident } from "./incidents/clear.ts"
import { Incidents } from "./incidents/incidents.ts"
import { OperatorRates } from "./limits/operator-rates.ts"
import { adoptRoster } from "./names-under-roster.ts"
import { OneTimeLedger } from "./one-time.ts"
import { burnExpired, burnUnfinished } from "./operations/key-generation.ts"
import { PolicyRoom } from "./policies/room.ts"
import type { Dependencies } from "./ports/dependencies.ts"
import { DEFAULT_MAX_AGE_MS, PresigningRoom } from "./presigning/room.ts"
import { dropExpiredAnswers } from "./request/answers.ts"
import { handleCall } from "./request/handle-call.ts"
import { openSession } from "./request/open-session.ts"
import { SeenHellos } from "./request/seen-hellos.ts"
import { Sessions } from "./request/sessions.ts"
import { ShareCensus } from "./resharing/census.ts"
import { heldAccounts } from "./resharing/held-accounts.ts"
import { heldKeys } from "./resharing/held-keys.ts"
import { type ReshareRuns, ResharingRoom } from "./resharing/room.ts"
import type { ServerSelf } from "./self.ts"

/** Most unused commitments of one key, and most unfinished key generations of one account. */
const MAX_OUTSTANDING = 64

/** Longest a commitment or an unfinished run of this process may wait to be used, milliseconds. */
export const ONE_TIME_LIFETIME_MS = 10 * 60_000

/**
 * What is known of the store at start: exactly what the last orderly stop left, what a crash or a
 * first start left, or what some earlier stop left, put back since.
 */
export type StoreCondition = "orderly" | "unclean" | "restored"

/**
 * One key server without a transport: bytes in, bytes out. The HTTP adapter and the simulator call
 * the same four methods.
 */
export class KeyServer {
  readonly self: ServerSelf
  readonly counters: Counters
  readonly #deps: Dependencies
  readonly #guesses: Guesses
  readonly #sessions = new Sessions()
  readonly #seen = new SeenHellos()
  #storeCondition: StoreCondition = "unclean"
  readonly #oneTime = new OneTimeLedger(MAX_OUTSTANDING)
  readonly #presigning: PresigningRoom
  readonly #resharing: ResharingRoom
  readonly #census: ShareCensus
  readonly incidents: Incidents
  readonly #operatorRates = new OperatorRates()
  readonly #policies = new PolicyRoom()

  /**
   * @param maxAgeMs - longest a presignature is kept.
   * @param counters - those of the server that this one follows in the same process.
   */
  constructor(
    self: ServerSelf,
    deps: Dependencies,
    maxAgeMs = DEFAULT_MAX_AGE_MS,
    counters = new Counters(),
  ) {
    this.self = self
    this.counters = counters
    this.#deps = deps
    this.#presigning = new PresigningRoom(self, deps, this.counters, maxAgeMs)
    this.#guesses = new Guesses(self, deps.store)
    const sources = [
      heldKeys(self, this.#presigning, deps.clock),
      heldAccounts(self, this.#guesses),
    ]
    this.#resharing = new ResharingRoom(self, deps, sources)
    this.#census = new ShareCensus(deps.store)
    this.incidents = new Incidents(self, deps, this.counters)
  }

  /** @throws LockKeeperError for refusals that no session can carry. */
  open(hello: Bytes): Promise<Bytes> {
    const [self, deps, guesses, counters] = [this.self, this.#deps, this.#guesses, this.counters]
    const [incidents, operatorRates] = [this.incidents, this.#operatorRates]
    const context = { self, deps, guesses, counters, incidents, operatorRates }
    return openSession(context, this.#sessions, this.#seen, hello)
  }

  /** @throws LockKeeperError for refusals that no session can carry. */
  call(frame: { sessionId: Bytes; counter: number; sealed: Bytes }): Promise<Bytes> {
    const [self, deps, guesses] = [this.self, this.#deps, this.#guesses]
    const [sessions, oneTime, counters] = [this.#sessions, this.#oneTime, this.counters]
    const [presigning, incidents, resharing] = [this.#presigning, this.incidents, this.#resharing]
    const memory = { sessions, oneTime, counters, presigning, incidents, resharing }
    const [operatorRates, policies] = [this.#operatorRates, this.#policies]
    return handleCall({ self, deps, guesses, operatorRates, policies, ...memory }, frame)
  }

  /**
   * To be called once, before the first request: burns what an earlier process left unfinished.
   *
   * @param pool - `poolDigest` of that process when it stopped; null when nobody vouches for one.
   */
  async start(store: StoreCondition, pool: Bytes | null = null): Promise<void> {
    this.#storeCondition = store
    await adoptRoster(this.self, this.#deps)
    await storeDecoy(this.self, this.#deps)
    const burnt = await burnUnfinished(this.#deps.store)
    if (burnt > 0) this.#deps.events.event("burnt-unfinished", { count: burnt })
    await this.incidents.start()
    await this.#presigning.start(store, pool)
    await this.#resharing.start(store)
  }

  /**
   * Ends an incident by an operator's decision, and lifts the quarantine that rests on it.
   *
   * @param note - the operator's reason, kept in the log.
   * @returns false when there is no such incident, or it was cleared before.
   */
  clearIncident(number: number, note: string): Promise<boolean> {
    return clearIncident(this.#deps, this.incidents, number, note)
  }

  /** This server's word, for an hour, that a key is its operator's. @param operatorKey - Ed25519. */
  certifyOperator(operatorKey: Bytes): Promise<SignedCredential> {
    return certifyOperator(this.self, this.#deps, operatorKey)
  }

  now(): number {
    return this.#deps.clock.now()
  }

  /** What the store was at start. */
  get storeCondition(): StoreCondition {
    return this.#storeCondition
  }

  /** 32 bytes over the presignatures that an orderly stop leaves to the next process. */
  poolDigest(): Bytes {
    return this.#presigning.pool.digest()
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  get operatorSessionCount(): number {
    return this.#sessions.operators
  }

  /** Age of the oldest shares of a key, milliseconds, as last looked up; null before, and for none. */
  get oldestShareMs(): number | null {
    const { oldest } = this.#census
    return oldest === null ? null : Math.max(0, this.now() - oldest)
  }

  /** How many runs of resharing are kept, by how far they have come. */
  get reshareRuns(): ReshareRuns {
    return this.#resharing.counts()
  }

  backends(): string[] {
    return [secp256k1, edwards25519, ristretto255].map((g) => `${g.name}: ${g.backend}`)
  }

  /** Housekeeping, to be called about once a minute. */
  async tidy(): Promise<void> {
    const { store, clock } = this.#deps
    const now = clock.now()
    this.#sessions.endExpired(now)
    await dropExpiredAnswers(store, now)
    await burnExpired(store, this.#oneTime, now - ONE_TIME_LIFETIME_MS)
    await this.#presigning.tidy(now)
    await this.#resharing.tidy(now)
    await this.#census.goOn()
    await renewDecoy(this.self, this.#deps)
  }

  /**
   * Ends every session and wipes what is secret in memory.
   *
   * @param next - the server that goes on in its place, with secrets that are the same in memory.
   */
  stop(next: KeyServer | null = null): void {
    this.#sessions.endAll()
    this.#presigning.stop()
    const kept = next === null ? [] : secretsOf(next.self)
    for (const secret of secretsOf(this.self)) if (!kept.includes(secret)) secret.wipe()
  }
}

function secretsOf({ channelSecret, loginServer }: ServerSelf): readonly { wipe(): void }[] {
  return [channelSecret, loginServer.fakes.seed, loginServer.ake.privateKey]
}
