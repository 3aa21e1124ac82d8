/**
 * A login, the client's first half: start with the password, then combine the servers'
 * evaluations into the bytes to stretch. `finish.ts` is the second half.
 */
import { type Element, type Identifier, type Scalar, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import type { Evidence } from "../evidence/evidence.ts"
import { type Abort, abort, done, type Outcome } from "../outcome.ts"
import type { Binding } from "./account.ts"
import { keyExchangePair } from "./envelope.ts"
import { combineEvaluations, type EvaluationStatement, evaluationFault } from "./evaluation.ts"
import { agreeing, type Examined, evidenceOf, examine } from "./examine.ts"
import { type Ke2, ke1Codec } from "./key-exchange.ts"
import { NONCE_LENGTH, SEED_LENGTH } from "./labels.ts"
import { blind, finalize, randomScalar, scalarOf } from "./oprf.ts"
import { assertPassword } from "./register.ts"
import {
  type Stretching,
  type StretchingBounds,
  stretchingCodec,
  withinBounds,
} from "./stretching.ts"

/** What a client knows before it logs in. */
export interface LoginPlan {
  readonly accountId: Bytes
  readonly binding: Binding
  readonly rosterEpoch: number
  readonly minSigners: number
  /**
   * While shares are on their way: how many servers the shares of each may take, where that is not
   * `minSigners` alone. Whoever is not in it takes part in nothing.
   */
  readonly thresholds?: ReadonlyMap<Identifier, readonly number[]>
  /** Identity keys of all servers of the pinned roster. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  /** The same servers' AKE public keys, from the same roster. */
  readonly serverKeys: ReadonlyMap<Identifier, Element>
  readonly stretchingBounds: StretchingBounds
}

/** The client's secrets towards one server. */
export interface Opening {
  readonly ke1: Bytes
  readonly keyshareSecret: Secret
}

/** Secret. Stays usable until `wipeLogin`, so that more servers can be asked. */
export interface LoginState {
  readonly plan: LoginPlan
  readonly password: Secret
  readonly blind: Secret
  readonly openings: ReadonlyMap<Identifier, Opening>
}

/** Randomness for the blind, and for a nonce and a key share with each server. */
export function loginRandomnessLength(servers: number): number {
  return 64 + servers * (NONCE_LENGTH + SEED_LENGTH)
}

/**
 * Makes one KE1 for every server of the roster: the same blinded password, its own nonce and key
 * share. Send at least minSigners of them; the rest cost nothing until they are needed.
 *
 * @param password - UTF-8 after RFC 8265 OpaqueString, 1 to 4096 bytes; normalising is the caller's.
 * @param randomness - `loginRandomnessLength(verifyKeys.size)` fresh bytes.
 */
export function startLogin(
  plan: LoginPlan,
  password: Secret,
  randomness: Bytes,
): { readonly state: LoginState; readonly ke1: ReadonlyMap<Identifier, Bytes> } {
  assertPassword(password)
  if (randomness.length !== loginRandomnessLength(plan.verifyKeys.size)) {
    throw new RangeError("randomness does not fit the number of servers")
  }
  const fresh = new Map<Identifier, ServerRandomness>()
  let offset = 64
  const take = (length: number) => {
    offset += length
    return randomness.slice(offset - length, offset)
  }
  for (const identifier of plan.verifyKeys.keys()) {
    fresh.set(identifier, { clientNonce: take(NONCE_LENGTH), keyshareSeed: take(SEED_LENGTH) })
  }
  return startWithBlind(plan, password, randomScalar(randomness.subarray(0, 64)), fresh)
}

/** What the client draws for one server. */
export interface ServerRandomness {
  readonly clientNonce: Bytes
  readonly keyshareSeed: Bytes
}

/** The same with blind, nonces and seeds given: for known-answer tests. Takes them over. */
export function startWithBlind(
  plan: LoginPlan,
  password: Secret,
  blindScalar: Scalar,
  fresh: ReadonlyMap<Identifier, ServerRandomness>,
): { readonly state: LoginState; readonly ke1: ReadonlyMap<Identifier, Bytes> } {
  for (const identifier of plan.verifyKeys.keys()) {
    if (!plan.serverKeys.has(identifier)) throw new RangeError("a server without an AKE key")
  }
  const blinded = blind(password.expose(), blindScalar)
  const openings = new Map<Identifier, Opening>()
  const ke1 = new Map<Identifier, Bytes>()
  for (const [identifier, { clientNonce, keyshareSeed }] of fresh) {
    const keyshare = keyExchangePair(keyshareSeed)
    keyshareSeed.fill(0)
    const message = { blindedElement: blinded, clientNonce, clientKeyshare: keyshare.publicKey }
    const encoded = encode(ke1Codec, message)
    openings.set(identifier, { ke1: encoded, keyshareSecret: keyshare.privateKey })
    ke1.set(identifier, encoded)
  }
  const own = Secret.copyOf(password.expose())
  return { state: { plan, password: own, blind: new Secret(blindScalar), openings }, ke1 }
}

/** Overwrites everything secret of a login that is over, whichever way it ended. */
export function wipeLogin(state: LoginState): void {
  state.password.wipe()
  state.blind.wipe()
  for (const { keyshareSecret } of state.openings.values()) keyshareSecret.wipe()
}

/** A response that was not used. With evidence its author is proven to be at fault. */
export interface LoginFault {
  readonly identifier: Identifier
  readonly reason: Abort["reason"]
  readonly evidence: Evidence | null
}

/** A login whose evaluations agree: stretch, then `finishLogin`. */
export interface CombinedLogin {
  readonly state: LoginState
  readonly oprfOutput: Secret
  /** Responses whose evaluation was proven right; all of them may become sessions. */
  readonly answers: ReadonlyMap<Identifier, Ke2>
  /** How many of them the shares take that were combined. */
  readonly minSigners: number
  readonly faults: readonly LoginFault[]
}

export interface Combined {
  readonly combined: CombinedLogin
  readonly toStretch: Secret
  readonly stretching: Stretching
}

/**
 * Combines the evaluations of everyone who answered so far. One commitment vector counts if at
 * least as many servers signed it as it is long, and of those whose proofs are right as many are
 * combined; which ones makes no difference to the result, so no subset is ever tried.
 *
 * `too-few-agree` means: ask every server not asked yet, with its KE1 of the same start, and combine
 * all responses once more; if all were asked, the login has failed. Its `silent` are those whose
 * answer was unusable, stale or a lie: it cannot be told which, so nobody is blamed.
 * `wrong-evaluation` means the same, and names who provably lied.
 *
 * @param responses - what came back, by the server it was asked of.
 */
export function combineLogin(
  state: LoginState,
  responses: ReadonlyMap<Identifier, Bytes>,
): Outcome<Combined> {
  const faults: LoginFault[] = []
  const examined = new Map<Identifier, Examined>()
  for (const [identifier, response] of responses) {
    const outcome = examine(state, identifier, response)
    if (outcome.ok) examined.set(identifier, outcome.value)
    else {
      const { reason, evidence } = outcome.abort
      faults.push({ identifier, reason, evidence: evidence[0] ?? null })
    }
  }
  const { group, others } = agreeing(examined)
  const [agreed] = group.values()
  for (const identifier of others) {
    faults.push(unlike(identifier, examined.get(identifier)!, agreed ?? null))
  }
  const proven = new Map<Identifier, Examined>()
  for (const [identifier, answer] of group) {
    const fault = evaluationFault(answer.statement)
    if (fault === null) proven.set(identifier, answer)
    else faults.push({ identifier, reason: "wrong-evaluation", evidence: evidenceOf(answer) })
  }
  const minSigners = agreed?.statement.vector.length ?? 0
  if (agreed === undefined || proven.size < minSigners) return tooFew(faults)
  return combineProven(state, minSigners, proven, faults)
}

/**
 * Versions, as shown, that servers signed for this login and that are older than another one of
 * theirs, latest first. Where a password change stopped half way, the servers that took it still
 * answer for the version before when they are asked for it, and so all can agree on it. A liar may
 * show any version; an answer for it counts only when enough sign it, like any other.
 */
export function olderVersions(
  state: LoginState,
  responses: ReadonlyMap<Identifier, Bytes>,
): readonly number[] {
  const shown = new Set<number>()
  for (const [identifier, response] of responses) {
    const examined = examine(state, identifier, response)
    if (examined.ok) shown.add(examined.value.statement.shownVersion)
  }
  return [...shown].sort((a, b) => b - a).slice(1)
}

/**
 * Another vector may be an old one, whose proof holds; a proof that fails for it is a lie. One with the
 * constant term that was agreed on evaluates under the same key: another generation of shares.
 */
function unlike(identifier: Identifier, answer: Examined, agreed: Examined | null): LoginFault {
  const { statement } = answer
  if (evaluationFault(statement) !== null) {
    return { identifier, reason: "wrong-evaluation", evidence: evidenceOf(answer) }
  }
  const isSameKey = agreed !== null && isOfSameKey(agreed.statement, statement)
  return { identifier, reason: isSameKey ? "other-generation" : "stale-or-lying", evidence: null }
}

function isOfSameKey(a: EvaluationStatement, b: EvaluationStatement): boolean {
  const [first, second] = [a, b].map(({ stretching }) => encode(stretchingCodec, stretching))
  return (
    a.shownVersion === b.shownVersion &&
    equalBytes(first!, second!) &&
    equalBytes(a.vector[0]!, b.vector[0]!)
  )
}

function tooFew(faults: readonly LoginFault[]): Outcome<never> {
  const culprits: Identifier[] = []
  const silent: Identifier[] = []
  const evidence: Evidence[] = []
  for (const fault of faults) {
    if (fault.evidence === null) silent.push(fault.identifier)
    else {
      culprits.push(fault.identifier)
      evidence.push(fault.evidence)
    }
  }
  const reason = culprits.length > 0 ? "wrong-evaluation" : "too-few-agree"
  return abort(reason, { culprits, silent, evidence })
}

function combineProven(
  state: LoginState,
  minSigners: number,
  proven: ReadonlyMap<Identifier, Examined>,
  faults: readonly LoginFault[],
): Outcome<Combined> {
  const { stretchingBounds } = state.plan
  const [any] = proven.values()
  const { stretching } = (any as Examined).statement
  if (!withinBounds(stretching, stretchingBounds)) return abort("wrong-stretching")
  const chosen = [...proven].sort(([a], [b]) => a - b).slice(0, minSigners)
  const evaluated = combineEvaluations(
    new Map(chosen.map(([identifier, { statement }]) => [identifier, statement.evaluation])),
  )
  const scalar = scalarOf(state.blind)
  const oprfOutput = finalize(state.password.expose(), scalar, evaluated)
  scalar.fill(0)
  const answers = new Map([...proven].map(([identifier, { ke2 }]) => [identifier, ke2]))
  const combined = { state, oprfOutput, answers, minSigners, faults }
  return done({ combined, toStretch: Secret.copyOf(oprfOutput.expose()), stretching })
}
