import {
  LockKeeperError,
  MAX_ATTEMPTS,
  requestDigest,
  type SignedRequest,
  signEcdsaBody,
  signEcdsaOutput,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { orMalformed, readAnswer } from "./answers.ts"
import { EcdsaAttempt, type EcdsaSigned, type EcdsaSigningOrder } from "./ecdsa-attempt.ts"
import type { Material } from "./ecdsa-material.ts"
import { EcdsaSets } from "./ecdsa-sets.ts"
import { aboutWhom } from "./exclusions.ts"
import { notEnough } from "./gather.ts"
import { isOtherGeneration, sharesOf } from "./generations.ts"
import { MAX_SETS_TRIED, MAX_SIGN_REQUESTS, MAX_SPOT_BATCHES, MAX_STALE } from "./limits.ts"
import { cancelled, throwIfCancelled } from "./patience.ts"
import { presignFailure } from "./presign.ts"
import type { Principal } from "./principal.ts"
import { nameOfSet, type SignerSet } from "./signer-sets.ts"
import type { Supply } from "./supply.ts"
import { watchCall } from "./watch.ts"

/**
 * Signs with threshold ECDSA. One round trip when a presignature is on offer; where the pool is
 * empty, one is made first. A signer that is slow, refuses or cheats costs another attempt with
 * another signer set under the same request. The signature was verified under the child key when it
 * is returned.
 */
export async function signEcdsa(
  principal: Principal,
  supply: Supply,
  order: EcdsaSigningOrder,
): Promise<EcdsaSigned> {
  const run = new EcdsaRun(principal, supply, order)
  return await run.finish()
}

/** What became of one presignature with one signer set. */
type Tried = "signed" | "stale" | "presignature-gone" | "failed"

class EcdsaRun {
  readonly #principal: Principal
  readonly #supply: Supply
  readonly #order: EcdsaSigningOrder
  /** What the supply keeps nonces and offers under. */
  readonly #shares: Bytes
  readonly #sets: EcdsaSets
  readonly #failures = new Map<Identifier, LockKeeperError>()
  /** Who refused to work with whom in this run: said twice, it is the refuser's own failure. */
  readonly #refusals = new Set<string>()
  /** Signer sets at work, with what they are. */
  readonly #tracks = new Map<string, SignerSet>()
  #tried = 0
  #request: { readonly signed: SignedRequest; readonly digest: Bytes } | null = null
  #requests = 0
  #attempts = 0
  #signed: EcdsaSigned | null = null
  #fatal: { readonly error: unknown } | null = null
  #over = false
  /** Ends the calls that nobody waits for any more. */
  readonly #calls = new AbortController()
  #wake = Promise.withResolvers<void>()

  constructor(principal: Principal, supply: Supply, order: EcdsaSigningOrder) {
    this.#principal = principal
    this.#supply = supply
    this.#order = order
    this.#shares = sharesOf(order.key)
    this.#sets = new EcdsaSets(principal, supply, order)
  }

  async finish(): Promise<EcdsaSigned> {
    const { signal } = this.#order
    throwIfCancelled(signal)
    const onCancel = (): void => this.#fail(cancelled())
    signal.addEventListener("abort", onCancel, { once: true })
    try {
      for (;;) {
        if (this.#signed !== null) return this.#signed
        if (this.#fatal !== null) throw this.#fatal.error
        this.#startTrack()
        await this.#wake.promise
        this.#wake = Promise.withResolvers<void>()
      }
    } finally {
      this.#over = true
      this.#calls.abort()
      signal.removeEventListener("abort", onCancel)
    }
  }

  /** Has another signer set begin unless one is at work of which nobody is slow. */
  #startTrack(): void {
    const isPromising = (set: SignerSet) => !set.some((id) => this.#sets.slow.has(id))
    if ([...this.#tracks.values()].some(isPromising)) return
    const set = this.#tried < MAX_SETS_TRIED ? this.#sets.choose(this.#tracks) : null
    if (set === null) {
      if (this.#tracks.size === 0) throw this.#failure()
      return
    }
    this.#tried++
    const name = nameOfSet(set)
    this.#tracks.set(name, set)
    void this.#track(set).then(
      () => {
        this.#tracks.delete(name)
        this.#wake.resolve()
      },
      (error) => this.#fail(error),
    )
  }

  /** Ends the whole: what is no server's doing, or the caller's wish. */
  #fail(error: unknown): void {
    this.#fatal ??= { error }
    this.#wake.resolve()
  }

  /** Signs with one signer set, or finds out why it cannot. */
  async #track(set: SignerSet): Promise<void> {
    for (let stale = 0; stale < MAX_STALE && !this.#over; stale++) {
      const material = await this.#obtain(set)
      if (material === null) return
      if (this.#over) return this.#supply.giveBack(this.#shares, set, material)
      const tried = await this.#try(set, material)
      if (tried === "signed" || tried === "failed") return
      if (tried === "presignature-gone" && (await this.#sets.hasBetter(set))) return
    }
    // Its presignatures may be lost at some signer, or one of them lies about what it has.
    this.#sets.defer(set)
  }

  /** A presignature and nonces; null when this set should not go on, which is noted. */
  async #obtain(set: SignerSet): Promise<Material | null> {
    const { key, incidents } = this.#order
    for (let batches = 0; !this.#over; batches++) {
      const atHand = this.#supply.take(this.#shares, set)
      if (atHand !== null) return atHand
      const fetched = await this.#supply.fetch(key, set, this.#onSlow)
      if (this.#over) return null
      this.#heardFrom(set)
      incidents.adopt(fetched.incidents)
      for (const [server, error] of fetched.value) this.#exclude(server, error, set)
      if (fetched.value.size > 0) return null
      const prepared = this.#supply.take(this.#shares, set)
      if (prepared !== null) return prepared
      if (await this.#sets.hasBetter(set)) return null
      if (batches === MAX_SPOT_BATCHES) break
      if (!(await this.#makeOnTheSpot(set))) return null
    }
    this.#sets.bar(set)
    return null
  }

  async #makeOnTheSpot(set: SignerSet): Promise<boolean> {
    const made = await this.#supply.makeOnTheSpot(this.#order.key, set, this.#onSlow)
    if (this.#over) return false
    this.#heardFrom(set)
    this.#order.incidents.adopt(made.incidents)
    const { value } = made
    if (value.kind === "complete") return true
    for (const server of value.culprits) this.#exclude(server, presignFailure(value), set)
    for (const [server, error] of value.lost) {
      // A full pool of this set does not keep the server from signing with another.
      if (error.code === "rate-limited") this.#failures.set(server, error)
      else this.#exclude(server, error, set)
    }
    this.#sets.bar(set)
    return false
  }

  async #try(set: SignerSet, material: Material): Promise<Tried> {
    const { signed, digest, number } = this.#nextAttempt()
    const place = { requestDigest: digest, number, set }
    const { trust } = this.#principal.servers
    const attempt = new EcdsaAttempt(trust, this.#order, place, material)
    const tried = await firstUnless(
      "signed",
      set.map((id) => this.#ask(id, signed, attempt)),
    )
    return tried === "signed" ? this.#conclude(attempt) : tried
  }

  /**
   * A nonce that is not its signer's is refused by the others, who are right to: no server is named,
   * but the one whose nonce it is has no excuse.
   */
  #refusedNonce(server: Identifier, attempt: EcdsaAttempt, error: LockKeeperError): void {
    const liar = attempt.whoseNonceIsWrong()
    if (liar === null) {
      this.#exclude(server, error, attempt.set)
      return
    }
    this.#supply.dropNonces(this.#shares, liar)
    this.#order.incidents.suspected(liar, "wrong-nonces")
    this.#exclude(liar, unusable(liar, "nonce"), attempt.set)
  }

  #conclude(attempt: EcdsaAttempt): Tried {
    const result = attempt.conclude()
    if (result.kind === "signed") {
      this.#signed = result.signed
      return "signed"
    }
    for (const server of result.unusable)
      this.#exclude(server, unusable(server, "share"), attempt.set)
    this.#sets.bar(attempt.set)
    return "failed"
  }

  async #ask(server: Identifier, request: SignedRequest, attempt: EcdsaAttempt): Promise<Tried> {
    const { servers } = this.#principal
    const shares = this.#shares
    const { signal } = this.#calls
    const done = watchCall(servers, server, servers.patience.hedgeMs, this.#onSlow)
    try {
      const input = attempt.input(this.#supply.wanted(shares, server))
      const answer = await this.#principal.act(server, request, attempt.number, input, signal)
      const output = readAnswer(server, signEcdsaOutput, answer.output)
      this.#supply.keep(shares, attempt.set, server, output.prepared)
      orMalformed(server, () => attempt.add(server, output, answer.log))
      servers.report(server, null)
      return "signed"
    } catch (error) {
      if (isOtherGeneration(error)) this.#exclude(server, error, attempt.set)
      else if (error instanceof LockKeeperError && error.code === "conflict") {
        // Neither is a fault: others were faster, or the server has restarted.
        if (error.field === "input.nonces") this.#supply.dropNonces(shares, server)
        return error.field === "input.presignature" ? "presignature-gone" : "stale"
      }
      if (isAboutNonces(error)) this.#refusedNonce(server, attempt, error)
      else this.#exclude(server, error, attempt.set)
      return "failed"
    } finally {
      done()
      this.#sets.slow.delete(server)
    }
  }

  /** The place of the next attempt, under a further request when one has used up its own. */
  #nextAttempt(): { signed: SignedRequest; digest: Bytes; number: number } {
    if (this.#request === null || this.#attempts === MAX_ATTEMPTS) {
      if (this.#requests++ === MAX_SIGN_REQUESTS) throw this.#failure()
      const { key, path, content } = this.#order
      const body = encode(signEcdsaBody, { keyId: key.keyId, path, content })
      const signed = this.#principal.request("ecdsa.sign", key.holders, body)
      this.#request = { signed, digest: requestDigest(signed) }
      this.#attempts = 0
    }
    this.#attempts++
    return { ...this.#request, number: this.#attempts }
  }

  readonly #onSlow = (server: Identifier): void => {
    if (this.#over) return
    this.#principal.servers.reportSlow(server)
    this.#order.incidents.silent(server)
    this.#sets.slow.add(server)
    this.#wake.resolve()
  }

  /** Work that a set was slow with has ended, whoever was slow. */
  #heardFrom(set: SignerSet): void {
    for (const id of set) this.#sets.slow.delete(id)
  }

  #exclude(server: Identifier, error: unknown, set: SignerSet): void {
    if (this.#over) return
    if (!(error instanceof LockKeeperError)) throw error
    const { incidents } = this.#order
    const { servers } = this.#principal
    if (isOtherGeneration(error)) {
      this.#failures.set(server, error)
      this.#sets.excluded.add(server)
      return
    }
    incidents.failed(server, error, set)
    const about = aboutWhom(server, error, set)
    const refusal = `${server}-${about}`
    const isApart = about !== null && !this.#refusals.has(refusal)
    this.#refusals.add(refusal)
    // No set has both any more; neither is at fault by that alone.
    if (isApart) return
    this.#failures.set(server, error)
    servers.report(server, error)
    this.#sets.excluded.add(server)
  }

  #failure(): LockKeeperError {
    const { minSigners, holders } = this.#order.key
    const { servers } = this.#principal
    const together = servers.exclusions.together(holders)
    if (together.length < minSigners) return servers.leftOut(minSigners, holders, together)
    if (this.#failures.size === 0) return noSetLeft()
    const left = holders.filter((id) => !this.#sets.excluded.has(id)).length
    const others = [...this.#failures.values()].filter(isOtherGeneration)
    // With those of another generation there are enough: it is for the caller to ask which is in force.
    if (others[0] !== undefined && left + others.length >= minSigners) return others[0]
    return notEnough(minSigners, Math.min(left, minSigners - 1), this.#failures)
  }
}

/** `good` when all are; else the first that is not, without waiting for the others. */
async function firstUnless<T>(good: T, all: readonly Promise<T>[]): Promise<T> {
  const bad = all.map(async (one) => {
    const value = await one
    return value === good ? new Promise<never>(() => undefined) : value
  })
  return await Promise.race([...bad, Promise.all(all).then(() => good)])
}

function noSetLeft(): LockKeeperError {
  return new LockKeeperError("not-enough-servers", "No signer set that may sign is left.", {
    remedy: "Look at the incidents; `lockkeeper pool status` shows pairs of servers at odds.",
  })
}

function isAboutNonces(error: unknown): error is LockKeeperError {
  return (
    error instanceof LockKeeperError &&
    error.code === "invalid-request" &&
    error.field.startsWith("input.nonces")
  )
}

function unusable(server: Identifier, what: string): LockKeeperError {
  const message = `The server's ${what} cannot be used.`
  return new LockKeeperError("untrusted-server", message, { server })
}
