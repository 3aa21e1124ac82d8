import {
  fewestSigners,
  type LockKeeperError,
  lastSettled,
  thresholdsAt,
  thresholdsOf,
} from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { type Outcome, opaque } from "@lockkeeper/protocols"
import { askAll, gather, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { type Finished, proveAt, versionIn } from "./login-proof.ts"
import { throwIfCancelled, within } from "./patience.ts"
import { type LoginResult, wipeKeys } from "./principal.ts"
import { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"
import { othersCouldDiffer, wrongPassword } from "./wrong-password.ts"

/** One server's answer to KE1, and the session it came in. */
interface Answered {
  readonly session: ServerSession
  readonly response: Bytes
  readonly guessesRemaining: number
}

export interface LoginOutcome {
  readonly login: LoginResult
  /** Most guesses that any server of this login counts as used up, this login's own not included. */
  readonly failedGuesses: number
  /** Answered with another registration: they lie, or missed the end of a password change. */
  readonly stale: readonly Identifier[]
  /** By how much the latest version that any server showed exceeds the login's own. */
  readonly versionsAhead: number
  /** Every server's signature over the registration in force: what a stale server is brought up with. */
  readonly confirmations: Bytes
}

/**
 * Logs in by threshold OPAQUE at a signer set; servers that fail, lie or are slow are replaced by
 * others. Which servers are combined follows from their signed answers alone: subsets are never
 * tried, so that no server can test the client's password against a key of its own choosing.
 *
 * @param password - as `spellPassword` gives it; stays the caller's.
 * @throws LockKeeperError `wrong-password` with `guessesRemaining`, `locked`, `not-enough-servers`.
 */
export async function loginTo(
  servers: Servers,
  name: string,
  password: Secret,
  signal: AbortSignal,
  incidents: IncidentLog,
): Promise<LoginOutcome> {
  const { trust, deps, minSigners } = servers
  const accountId = opaque.accountIdOf(name)
  const plan: opaque.LoginPlan = {
    accountId,
    binding: opaque.accountBinding(trust.digest, accountId),
    rosterEpoch: trust.roster.rosterEpoch,
    minSigners,
    thresholds: thresholdsAt(
      trust.roster,
      lastSettled(trust.chain.before.map(({ roster }) => roster)),
    ),
    verifyKeys: trust.verifyKeys,
    serverKeys: trust.opaqueKeys,
    stretchingBounds: opaque.STRETCHING_BOUNDS,
  }
  const randomness = deps.randomness.bytes(opaque.loginRandomnessLength(plan.verifyKeys.size))
  const { state, ke1 } = opaque.startLogin(plan, password, randomness)
  randomness.fill(0)
  const run = new LoginRun(servers, { name, accountId, state, ke1, signal, incidents })
  try {
    return await run.finish()
  } finally {
    opaque.wipeLogin(state)
    run.endUnused()
  }
}

interface LoginTask {
  readonly name: string
  readonly accountId: Bytes
  readonly state: opaque.LoginState
  readonly ke1: ReadonlyMap<Identifier, Bytes>
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

class LoginRun {
  readonly #servers: Servers
  readonly #task: LoginTask
  readonly #answered = new Map<Identifier, Answered>()
  readonly #failures = new Map<Identifier, LockKeeperError>()
  readonly #finished = new Map<Identifier, Finished>()
  /** Answered with another registration than the others agree on. */
  #stale: readonly Identifier[] = []
  /** What servers are asked for: 0 for the version in force. */
  #shownVersion = 0
  /** The version in force at each server, as it showed it. */
  readonly #shown = new Map<Identifier, number>()
  /** Agreed on a version under which the password is wrong; the latest such version. */
  readonly #wrongAt = new Set<Identifier>()
  #wrongVersion = 0
  /** Versions to ask for that are left to try, latest first; null before the first is tried. */
  #olderVersions: readonly number[] | null = null
  #kept = false
  /** How many servers a login takes at least: before and after shares have moved. */
  readonly #fewest: number
  /** How many it takes at this account, as those say who agree. */
  #minSigners: number

  constructor(servers: Servers, task: LoginTask) {
    this.#servers = servers
    this.#task = task
    this.#fewest = fewestSigners(servers.trust.roster)
    this.#minSigners = servers.minSigners
  }

  async finish(): Promise<LoginOutcome> {
    const { minSigners, all, patience } = this.#servers
    const among = this.#servers.usable(all)
    if (among.length < this.#fewest) throw this.#servers.leftOut(this.#fewest, all, among)
    const order = this.#servers.inOrder(among, minSigners)
    await this.#ask(order, minSigners)
    for (;;) {
      const result = await this.#attempt()
      if (result !== null) return result
      const agreed = this.#wrongAt
      const isWrong = agreed.size > 0
      if (isWrong && !othersCouldDiffer(this.#servers, { agreed, among })) {
        throw this.#wrongPassword(among)
      }
      // Fewer than t of those asked are of use: now everyone is asked, once.
      const unasked = among.filter((id) => !this.#answered.has(id) && !this.#failures.has(id))
      if (unasked.length > 0) {
        await this.#ask(unasked, unasked.length, isWrong ? patience.hedgeMs : patience.callMs)
      } else if (isWrong) throw this.#wrongPassword(among)
      else if (!(await this.#askForOlder())) throw this.#failure()
    }
  }

  /**
   * Where a password change stopped half way, no t servers may show one version. Those that are
   * ahead can still answer for the version before, if asked for it. A liar may show any version, so
   * each older one that was shown is tried, as many as there may be liars and one more; whichever it
   * is counts only when t servers sign it.
   */
  async #askForOlder(): Promise<boolean> {
    const responses = new Map([...this.#answered].map(([id, { response }]) => [id, response]))
    this.#olderVersions ??= opaque
      .olderVersions(this.#task.state, responses)
      .slice(0, Math.max(...thresholdsOf(this.#servers.trust.roster)))
    const [older, ...rest] = this.#olderVersions
    if (older === undefined) return false
    this.#olderVersions = rest
    this.#shownVersion = older
    const others = [...responses].filter(([, response]) => versionIn(response) !== older)
    for (const [id] of others) {
      this.#answered.get(id)?.session.end()
      this.#answered.delete(id)
    }
    const ids = others.map(([id]) => id)
    await this.#ask(ids, ids.length)
    return true
  }

  /** Ends the sessions that did not become part of the login, and forgets keys nobody got. */
  endUnused(): void {
    if (!this.#kept) for (const { keys } of this.#finished.values()) wipeKeys(keys)
    for (const [id, { session }] of this.#answered) {
      if (!this.#kept || !this.#finished.has(id)) session.end()
    }
  }

  async #ask(
    order: readonly Identifier[],
    need: number,
    callMs: number = this.#servers.patience.callMs,
  ): Promise<void> {
    const { signal, incidents } = this.#task
    const { clock } = this.#servers.deps
    const ask = (server: Identifier, stop: AbortSignal) =>
      within(clock, callMs, stop, (limited) => this.#open(server, limited))
    const got = await gather(this.#servers, { order, need, signal, ask })
    for (const [server, answer] of got.answers) {
      this.#answered.set(server, answer)
      if (this.#shownVersion === 0) this.#shown.set(server, versionIn(answer.response))
    }
    for (const [server, error] of got.failures) {
      this.#failures.set(server, error)
      incidents.failed(server, error)
    }
    for (const server of got.pending) incidents.silent(server)
  }

  async #open(server: Identifier, signal: AbortSignal): Promise<Answered> {
    const { name, ke1 } = this.#task
    const message = ke1.get(server) as Bytes
    const issuedAt = this.#servers.deps.clock.now()
    const payload = () =>
      ({ kind: "login", issuedAt, name, shownVersion: this.#shownVersion, ke1: message }) as const
    const { session, answer } = await ServerSession.open(this.#servers, server, payload, signal)
    const { response, guessesRemaining } = answer
    return { session, response, guessesRemaining }
  }

  /** Null when the servers asked so far cannot finish the login, but others might. */
  async #attempt(): Promise<LoginOutcome | null> {
    const { state, signal, incidents } = this.#task
    const untried = [...this.#answered].filter(([id]) => !this.#wrongAt.has(id))
    if (untried.length < this.#fewest) return null
    const responses = new Map(untried.map(([id, { response }]) => [id, response]))
    const outcome = opaque.combineLogin(state, responses)
    if (!outcome.ok) {
      // Whom to suspect shows when others have answered too; proofs stand by themselves.
      for (const piece of outcome.abort.evidence) incidents.proven(piece)
      return null
    }
    const { combined, toStretch, stretching } = outcome.value
    this.#minSigners = combined.minSigners
    for (const { identifier, reason, evidence } of combined.faults) {
      if (evidence !== null) incidents.proven(evidence)
      // It has gone on to the next generation of shares, or not yet: nothing is wrong with it.
      else if (reason !== "other-generation") incidents.suspected(identifier, reason)
    }
    this.#stale = combined.faults
      .filter(({ reason }) => reason === "stale-or-lying")
      .map(({ identifier }) => identifier)
    throwIfCancelled(signal)
    const stretched = await this.#servers.deps.compute.stretch(toStretch, stretching)
    toStretch.wipe()
    throwIfCancelled(signal)
    const agreed = [...combined.answers.keys()]
    return this.#prove(opaque.finishLogin(combined, stretched), agreed)
  }

  async #prove(
    outcome: Outcome<opaque.FinishedLogin>,
    agreed: readonly Identifier[],
  ): Promise<LoginOutcome | null> {
    const { incidents } = this.#task
    if (!outcome.ok) {
      if (outcome.abort.reason === "wrong-password-or-envelope") {
        for (const id of agreed) this.#wrongUnder(id)
        return null
      }
      for (const server of outcome.abort.silent) incidents.suspected(server, outcome.abort.reason)
      return null
    }
    const { exportKey, sessions, refused } = outcome.value
    try {
      for (const [server, reason] of refused) incidents.suspected(server, reason)
      for (const server of this.#wrongAt) incidents.suspected(server, "stale-or-lying")
      this.#stale = [...this.#stale, ...this.#wrongAt]
      await this.#finishAt(sessions, exportKey)
      return this.#result()
    } finally {
      exportKey.wipe()
      for (const { sessionKey } of sessions.values()) sessionKey.wipe()
    }
  }

  /** Sends KE3 to those that have not seen it: each takes it once. */
  async #finishAt(
    sessions: ReadonlyMap<Identifier, opaque.LoginSession>,
    exportKey: Secret,
  ): Promise<void> {
    const { accountId, signal, incidents } = this.#task
    const { clock } = this.#servers.deps
    const { callMs } = this.#servers.patience
    const waiting = [...sessions.keys()].filter((id) => !this.#finished.has(id))
    const { answers, failures } = await askAll(this.#servers, waiting, (server) =>
      within(clock, callMs, signal, (limited) =>
        proveAt(this.#servers, accountId, {
          session: (this.#answered.get(server) as Answered).session,
          proof: sessions.get(server) as opaque.LoginSession,
          exportKey,
          signal: limited,
        }),
      ),
    )
    for (const [server, finished] of answers) this.#finished.set(server, finished)
    for (const [server, error] of failures) {
      incidents.failed(server, error)
      this.#failures.set(server, error)
      this.#answered.get(server)?.session.end()
      this.#answered.delete(server)
    }
  }

  /** The login, once enough servers have taken part in it to the end; else null. */
  #result(): LoginOutcome | null {
    const finished = [...this.#finished]
    const [first] = finished
    if (first === undefined || finished.length < this.#minSigners) return null
    this.#kept = true
    // All copies are the same, since each opened; one is enough.
    const [server, { keys, opaqueVersion, confirmations }] = first
    for (const [, spare] of finished.slice(1)) wipeKeys(spare.keys)
    const login: LoginResult = {
      name: this.#task.name,
      accountId: this.#task.accountId,
      opaqueVersion,
      keys,
      sessions: new Map(finished.map(([id, { session }]) => [id, session])),
      statements: new Map(finished.map(([id, { statement }]) => [id, statement])),
      confirmations: distinct(finished.map(([, { confirmations: said }]) => said)),
      expiresAt: Math.min(...finished.map(([, { expiresAt }]) => expiresAt)),
    }
    const { response } = this.#answered.get(server) as Answered
    return {
      login,
      failedGuesses: this.#failedGuesses(),
      stale: this.#stale,
      versionsAhead: Math.max(0, ...this.#shown.values()) - versionIn(response),
      confirmations,
    }
  }

  /** The login's own guess is back by now. */
  #failedGuesses(): number {
    const used = [...this.#answered.values()].map(
      ({ guessesRemaining }) => opaque.DEFAULT_GUESS_LIMIT - 1 - guessesRemaining,
    )
    return Math.max(0, ...used)
  }

  #wrongUnder(server: Identifier): void {
    const { response } = this.#answered.get(server) as Answered
    this.#wrongAt.add(server)
    this.#wrongVersion = Math.max(this.#wrongVersion, versionIn(response))
  }

  #wrongPassword(among: readonly Identifier[]): LockKeeperError {
    const left = [...this.#answered.values()].map(({ guessesRemaining }) => guessesRemaining)
    return wrongPassword(this.#servers, {
      agreed: this.#wrongAt,
      version: this.#wrongVersion,
      shown: this.#shown,
      among,
      guessesRemaining: Math.min(...left),
    })
  }

  #failure(): LockKeeperError {
    const locked = [...this.#failures.values()].find(({ code }) => code === "locked")
    if (locked !== undefined) return locked
    return notEnough(this.#minSigners, this.#finished.size, this.#failures)
  }
}

function distinct(all: readonly Bytes[]): readonly Bytes[] {
  return all.filter((one, i) => all.findIndex((other) => equalBytes(one, other)) === i)
}
