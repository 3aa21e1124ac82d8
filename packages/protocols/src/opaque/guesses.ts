/**
 * How many guesses a server answers for one account. The server keeps one counter per account, real
 * or not, and moves it by these functions inside its own transactions.
 */
import { type Codec, mapped, struct, u32 } from "@lockkeeper/encoding"
import { abort, done, type Outcome } from "../outcome.ts"

/** Evaluations that a server gives one account without a right KE3. */
export const DEFAULT_GUESS_LIMIT = 10

/** Survives refresh, restore, restart and password changes. */
export interface GuessCounter {
  /** Evaluations given and not given back, those still waiting for their KE3 included. */
  readonly taken: number
  readonly limit: number
}

export const guessCounterCodec: Codec<GuessCounter> = mapped(
  struct<GuessCounter>({ taken: u32, limit: u32 }),
  (counter: GuessCounter) => counter,
  (counter, fail) =>
    counter.taken > counter.limit ? fail("more guesses taken than the limit") : counter,
)

export function newGuessCounter(limit: number = DEFAULT_GUESS_LIMIT): GuessCounter {
  return { taken: 0, limit }
}

/** How many more evaluations this server will give, if none is given back. */
export function guessesRemaining(counter: GuessCounter): number {
  return counter.limit - counter.taken
}

/** Takes a guess. The result must be durable before anything is evaluated: a crash burns it. */
export function takeGuess(counter: GuessCounter): Outcome<GuessCounter> {
  if (counter.taken >= counter.limit) return abort("no-guesses-left")
  return done({ ...counter, taken: counter.taken + 1 })
}

/**
 * Gives one guess back after a right KE3, in the transaction that takes that login's state: once
 * for each login. Other logins' guesses stay taken; they may be a stranger's.
 */
export function giveGuessBack(counter: GuessCounter): GuessCounter {
  if (counter.taken === 0) throw new RangeError("no guess was taken")
  return { ...counter, taken: counter.taken - 1 }
}

/**
 * Forgets up to `seen` taken guesses because the owner, in a session of their own, has said that
 * those failures were theirs. Each call gives strangers as many guesses again: never automatic.
 */
export function forgiveGuesses(counter: GuessCounter, seen: number): GuessCounter {
  return { ...counter, taken: Math.max(0, counter.taken - seen) }
}

/**
 * The most guesses anyone gets at one password: floor((n - c) * G / (t - c)) with c corrupt servers
 * of n, which count nothing, while each guess still needs t - c honest evaluations.
 */
export function guessBound(input: {
  readonly servers: number
  readonly minSigners: number
  readonly corrupt: number
  readonly limit: number
}): number {
  const { servers, minSigners, corrupt, limit } = input
  if (corrupt >= minSigners) return Number.POSITIVE_INFINITY
  return Math.floor(((servers - corrupt) * limit) / (minSigners - corrupt))
}

/**
 * How many whole guesses the servers' remaining counts allow: the greatest m with
 * sum of min(r_i, m) >= t * m. What a client shows as guesses remaining.
 */
export function guessesPossible(remaining: readonly number[], minSigners: number): number {
  if (minSigners < 1) throw new RangeError("minSigners below 1")
  const enough = (m: number) =>
    remaining.reduce((sum, r) => sum + Math.min(r, m), 0) >= minSigners * m
  let possible = 0
  // Every m below a possible one is possible too, so the first failure ends the search.
  while (enough(possible + 1)) possible++
  return possible
}
