import {
  LockKeeperError,
  placementViolation,
  requestDigest,
  type SignedRequest,
  signBody,
  signStepInput,
  signStepOutput,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import { frost } from "@lockkeeper/protocols"
import { type CommitmentPool, fetchCommitment, keepCommitments } from "./commitments.ts"
import { aboutWhom } from "./exclusions.ts"
import { notEnough } from "./gather.ts"
import { isElsewhere, isOtherGeneration, sharesOf } from "./generations.ts"
import { cancelled, throwIfCancelled } from "./patience.ts"
import type { Principal } from "./principal.ts"
import { type Signed, SigningAttempt, type SignOrder } from "./signing-attempt.ts"

/** Most times the whole is begun again because servers had restarted and lost their nonces. */
const MAX_RESTARTS = 2

/**
 * Signs with t of the key's holders. One round trip when commitments are at hand; a signer that is
 * slow, refuses or cheats costs another attempt with another signer set under the same request. The
 * signature was verified under the key when it is returned.
 */
export async function sign(
  principal: Principal,
  pool: CommitmentPool,
  order: SignOrder,
): Promise<Signed> {
  const run = new SignRun(principal, pool, order)
  try {
    return await run.finish()
  } finally {
    run.release()
  }
}

class SignRun {
  readonly #principal: Principal
  readonly #pool: CommitmentPool
  readonly #order: SignOrder
  /** What the pool keeps commitments under. */
  readonly #shares: Bytes
  readonly #request: SignedRequest
  readonly #digest: Bytes
  #state: frost.RoastState
  /** Attempts made before the last restart: their numbers are used up. */
  #attemptBase = 0
  #restarts = 0
  /** How many of the restarts were for lost nonces. */
  #lost = 0
  #mustRestart = false
  #over = false
  readonly #held = new Map<Identifier, frost.OpenedCommitment>()
  readonly #preparing = new Map<Identifier, { slow: boolean }>()
  #asked = new Map<number, SigningAttempt>()
  readonly #failures = new Map<Identifier, LockKeeperError>()
  /** Who refused to sign with whom in this run. */
  readonly #refusals = new Set<string>()
  /** Will not be asked again, however often this run begins again. */
  readonly #gone = new Set<Identifier>()
  #wake = Promise.withResolvers<void>()

  constructor(principal: Principal, pool: CommitmentPool, order: SignOrder) {
    this.#principal = principal
    this.#pool = pool
    this.#order = order
    this.#shares = sharesOf(order.key)
    const { keyId, holders, minSigners } = order.key
    const { path, content, merkleRoot } = order
    const body = encode(signBody, { keyId, path, content, merkleRoot })
    this.#request = principal.request("sign", holders, body)
    this.#digest = requestDigest(this.#request)
    const { servers } = principal
    const among = servers.together(holders, minSigners)
    this.#state = this.#begin(servers.inOrder(among, minSigners))
  }

  async finish(): Promise<Signed> {
    const { signal } = this.#order
    throwIfCancelled(signal)
    const onCancel = (): void => this.#wake.reject(cancelled())
    signal.addEventListener("abort", onCancel, { once: true })
    try {
      for (;;) {
        if (this.#mustRestart) this.#restart()
        this.#topUp()
        const { state, step } = frost.roastNext(this.#state)
        this.#state = state
        if (step.kind === "give-up") this.#regroupOrFail()
        else if (step.kind === "ask") this.#ask(step.attempt, step.signers)
        else if (step.kind === "check") this.#check(step.attempt, step.signers)
        else if (step.kind === "aggregate") {
          const signed = this.#aggregate(step.attempt)
          if (signed !== null) return signed
        } else await this.#wait()
      }
    } finally {
      signal.removeEventListener("abort", onCancel)
    }
  }

  /** Gives unused commitments back. Calls still open end by themselves and only fill the pool. */
  release(): void {
    this.#over = true
    this.#burnOwn()
    for (const [server, commitment] of this.#held) this.#pool.put(this.#shares, server, commitment)
    this.#held.clear()
  }

  async #wait(): Promise<void> {
    const busy = [...this.#state.standing.values()].some(({ kind }) => kind === "busy")
    if (this.#preparing.size === 0 && !busy) return this.#regroupOrFail()
    await this.#wake.promise
    this.#wake = Promise.withResolvers<void>()
    throwIfCancelled(this.#order.signal)
  }

  #observe(event: frost.RoastEvent): void {
    this.#state = frost.roastObserve(this.#state, event)
    this.#wake.resolve()
  }

  /** Whether an open attempt only waits for signers that are not slow. */
  #isPromising(): boolean {
    return this.#state.attempts.some(
      ({ state, signers, answered }) =>
        state === "open" &&
        signers.every((id) => answered.includes(id) || this.#isActive(id, "busy")),
    )
  }

  #isActive(id: Identifier, kind: "ready" | "busy"): boolean {
    const standing = this.#state.standing.get(id)
    if (standing?.kind !== kind) return false
    return standing.kind !== "busy" || !standing.slow
  }

  /** Sees to it that t servers have a commitment ready, are at work, or are being asked for one. */
  #topUp(): void {
    if (this.#isPromising()) return
    const { device } = this.#order
    if (device !== null && this.#state.standing.get(device.identifier)?.kind === "unknown") {
      this.#hold(device.identifier, device.commit())
    }
    const { servers, minSigners, standing } = this.#state
    const isComing = (id: Identifier) =>
      this.#isActive(id, "ready") ||
      this.#isActive(id, "busy") ||
      this.#preparing.get(id)?.slow === false
    let coming = servers.filter(isComing).length
    for (const id of servers) {
      if (coming >= minSigners) return
      if (standing.get(id)?.kind !== "unknown" || this.#preparing.has(id)) continue
      this.#obtainCommitment(id)
      coming++
    }
  }

  #obtainCommitment(server: Identifier): void {
    const pooled = this.#pool.take(this.#shares, server)
    if (pooled === null) void this.#prepare(server)
    else this.#hold(server, pooled)
  }

  async #prepare(server: Identifier): Promise<void> {
    const waiting = { slow: false }
    this.#preparing.set(server, waiting)
    const stop = this.#afterPatience(server, () => {
      waiting.slow = true
      this.#wake.resolve()
    })
    try {
      await fetchCommitment(this.#principal, this.#pool, this.#order, server)
      this.#preparing.delete(server)
      if (!this.#over) this.#useCommitment(server)
    } catch (error) {
      this.#preparing.delete(server)
      this.#exclude(server, error)
    } finally {
      stop()
    }
  }

  #useCommitment(server: Identifier): void {
    const commitment = this.#pool.take(this.#shares, server)
    if (commitment === null) this.#exclude(server, noCommitment(server))
    else this.#hold(server, commitment)
  }

  #hold(server: Identifier, commitment: frost.OpenedCommitment): void {
    this.#held.set(server, commitment)
    this.#observe({ kind: "commitment", identifier: server })
  }

  #ask(attempt: number, signers: readonly Identifier[]): void {
    const commitments = signers.map((id) => this.#held.get(id) as frost.OpenedCommitment)
    for (const id of signers) this.#held.delete(id)
    const { trust } = this.#principal.servers
    const number = this.#attemptBase + attempt + 1
    const asked = new SigningAttempt(trust, this.#order, this.#digest, number, commitments)
    this.#asked.set(attempt, asked)
    const { signingPackage } = asked
    const { device } = this.#order
    for (const id of signers) {
      if (id !== device?.identifier) void this.#askOne(id, attempt, asked, signingPackage)
    }
    if (device === null) return
    asked.signOwn(device, this.#digest)
    const { identifier } = device
    this.#observe({ kind: "share", identifier, attempt, spare: false })
  }

  /** The device's nonces are for this run, and no other ever has them. */
  #burnOwn(): void {
    const { device } = this.#order
    device?.burn()
    if (device !== null) this.#held.delete(device.identifier)
  }

  async #askOne(
    server: Identifier,
    attempt: number,
    asked: SigningAttempt,
    signingPackage: Bytes,
  ): Promise<void> {
    const generation = this.#restarts
    const isCurrent = (): boolean => !this.#over && generation === this.#restarts
    const stop = this.#afterPatience(server, () => {
      if (isCurrent()) this.#observe({ kind: "slow", identifier: server })
    })
    try {
      // Each signature brings the commitment for the next one along.
      const prepare = Math.min(1, this.#pool.room(this.#shares, server))
      const input = encode(signStepInput, { signingPackage, prepare })
      const { signal } = this.#order
      const done = await this.#principal.act(server, this.#request, asked.number, input, signal)
      const { share, commitments } = decode(signStepOutput, done.output)
      keepCommitments(this.#principal, this.#pool, this.#order, server, commitments)
      if (!isCurrent()) return
      asked.add(server, share, done.log)
      this.#principal.servers.report(server, null)
      this.#observe({ kind: "share", identifier: server, attempt, spare: false })
    } catch (error) {
      if (!isCurrent()) return
      if (isLost(error) && this.#lost < MAX_RESTARTS) this.#onLostNonces(server)
      else if (!this.#refusesAnother(server, error, asked)) this.#exclude(server, error)
    } finally {
      stop()
    }
  }

  /** A restarted server is no worse than before: begin again with fresh commitments of it. */
  #onLostNonces(server: Identifier): void {
    this.#pool.drop(this.#shares, server)
    this.#lost++
    this.#mustRestart = true
    this.#wake.resolve()
  }

  /**
   * Whether it will not sign with another signer of the attempt. Neither is at fault by that alone: it
   * begins again with signers that work with each other. Said twice it is the refuser's own failure.
   */
  #refusesAnother(server: Identifier, error: unknown, { signers }: SigningAttempt): boolean {
    if (!(error instanceof LockKeeperError)) return false
    const about = aboutWhom(server, error, signers)
    const refusal = `${server}-${about}`
    if (about === null || this.#refusals.has(refusal)) return false
    this.#refusals.add(refusal)
    this.#order.incidents.failed(server, error, signers)
    this.#mustRestart = true
    this.#wake.resolve()
    return true
  }

  #begin(among: readonly Identifier[]): frost.RoastState {
    const { roster } = this.#principal.servers.trust
    const { key, device } = this.#order
    const mandatory = device === null ? [] : [device.identifier]
    const allows = (some: readonly Identifier[]) => placementViolation(roster, some) === null
    return frost.roastStart(key.minSigners, among, mandatory, allows)
  }

  /** Those that may still be asked, as far as they work with each other. */
  #left(): readonly Identifier[] {
    const { exclusions } = this.#principal.servers
    const { standing } = this.#state
    for (const [id, { kind }] of standing) if (kind === "excluded") this.#gone.add(id)
    return exclusions.together(this.#order.key.holders.filter((id) => !this.#gone.has(id)))
  }

  /** Begins again where others are left that were kept apart from those who have failed since. */
  #regroupOrFail(): void {
    const { minSigners, servers } = this.#state
    const left = this.#left()
    const isOther = left.some((id) => !servers.includes(id))
    if (left.length < minSigners || !isOther) throw this.#failure()
    this.#mustRestart = true
  }

  #restart(): void {
    const { minSigners, attempts } = this.#state
    const left = this.#left()
    if (left.length < minSigners) throw this.#failure()
    this.#mustRestart = false
    this.#restarts++
    this.#attemptBase += attempts.length
    this.#burnOwn()
    for (const [server, held] of this.#held) this.#pool.put(this.#shares, server, held)
    this.#held.clear()
    this.#asked = new Map()
    this.#state = this.#begin(left)
  }

  #exclude(server: Identifier, error: unknown): void {
    if (this.#over) return
    if (error instanceof DecodeError) this.#order.incidents.suspected(server, "malformed-payload")
    else if (error instanceof LockKeeperError) {
      if (error.code === "cancelled" && this.#order.signal.aborted) return
      this.#failures.set(server, error)
      if (!isElsewhere(this.#principal, this.#order.key, error)) {
        this.#order.incidents.failed(server, error)
        this.#principal.servers.report(server, error)
      }
    } else {
      this.#wake.reject(error)
      return
    }
    this.#observe({ kind: "excluded", identifier: server })
  }

  #aggregate(attempt: number): Signed | null {
    const result = (this.#asked.get(attempt) as SigningAttempt).conclude()
    if ("signed" in result) return result.signed
    this.#observe({ kind: "failed", attempt, unusable: result.unusable })
    return null
  }

  #check(attempt: number, signers: readonly Identifier[]): void {
    const unusable = (this.#asked.get(attempt) as SigningAttempt).judge(signers)
    this.#observe({ kind: "checked", attempt, signers, unusable })
  }

  /** Runs `onSlow` unless the returned function is called before. */
  #afterPatience(server: Identifier, onSlow: () => void): () => void {
    const { deps, patience } = this.#principal.servers
    const timer = new AbortController()
    void deps.clock.wait(patience.hedgeMs, timer.signal).then(() => {
      if (timer.signal.aborted || this.#over) return
      this.#principal.servers.reportSlow(server)
      this.#order.incidents.silent(server)
      onSlow()
    })
    return () => timer.abort()
  }

  #failure(): LockKeeperError {
    const { servers } = this.#principal
    const { minSigners, holders } = this.#order.key
    const together = servers.exclusions.together(holders)
    if (together.length < minSigners) return servers.leftOut(minSigners, holders, together)
    const left = this.#left().length
    const others = [...this.#failures.values()].filter((error) =>
      isElsewhere(this.#principal, this.#order.key, error),
    )
    // With those of another generation there are enough: it is for the caller to ask which is in force.
    if (others[0] !== undefined && left + others.length >= minSigners) return others[0]
    return notEnough(minSigners, Math.min(left, minSigners - 1), this.#failures)
  }
}

/** Whether a server has lost the nonces that it was to use. */
function isLost(error: unknown): boolean {
  return error instanceof LockKeeperError && error.code === "conflict" && !isOtherGeneration(error)
}

function noCommitment(server: Identifier): LockKeeperError {
  return new LockKeeperError("untrusted-server", "The server gave no usable commitment.", {
    server,
  })
}
