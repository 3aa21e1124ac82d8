import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import fc from "fast-check"
import {
  DEFAULT_GUESS_LIMIT,
  forgiveGuesses,
  type GuessCounter,
  giveGuessBack,
  guessBound,
  guessCounterCodec,
  guessesPossible,
  guessesRemaining,
  newGuessCounter,
  takeGuess,
} from "../src/opaque/index.ts"
import { abortOf, must } from "./opaque-fixture.ts"

test("ten guesses by default; the eleventh is refused and changes nothing", () => {
  assert.equal(DEFAULT_GUESS_LIMIT, 10)
  let counter = newGuessCounter()
  for (let left = 9; left >= 0; left--) {
    counter = must(takeGuess(counter))
    assert.equal(guessesRemaining(counter), left)
  }
  const aborted = abortOf(takeGuess(counter))
  assert.deepEqual([aborted.reason, aborted.culprits], ["no-guesses-left", []])
  assert.equal(guessesRemaining(counter), 0)
})

test("a right KE3 gives back its own guess and no other", () => {
  let counter = newGuessCounter()
  for (let i = 0; i < 4; i++) counter = must(takeGuess(counter))
  assert.equal(giveGuessBack(counter).taken, 3)
  assert.throws(() => giveGuessBack(newGuessCounter()), /no guess was taken/)
})

test("forgiving takes off what the owner has seen, never below zero", () => {
  const counter = { taken: 4, limit: 10 }
  assert.equal(forgiveGuesses(counter, 3).taken, 1)
  assert.equal(forgiveGuesses(counter, 9).taken, 0)
})

test("whatever happens, guesses given but not given back never exceed the limit", () => {
  const step = fc.constantFrom("take", "back")
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (steps, g) => {
      let counter: GuessCounter = newGuessCounter(g)
      let outstanding = 0
      for (const what of steps) {
        if (what === "take") {
          const taken = takeGuess(counter)
          assert.equal(taken.ok, outstanding < g)
          if (taken.ok) {
            counter = taken.value
            outstanding++
          }
        } else if (outstanding > 0) {
          counter = giveGuessBack(counter)
          outstanding--
        }
        assert.equal(counter.taken, outstanding)
        assert.equal(guessesRemaining(counter), g - outstanding)
        assert.deepEqual(decode(guessCounterCodec, encode(guessCounterCodec, counter)), counter)
      }
    }),
  )
})

/** An adversary with c corrupt servers, choosing honest servers by `choose`; counts its guesses. */
function attack(
  { n, t, c, limit }: { n: number; t: number; c: number; limit: number },
  choose: (open: number[]) => number[],
): number {
  const counters = Array.from({ length: n - c }, () => newGuessCounter(limit))
  for (let guesses = 0; ; guesses++) {
    const open = counters.flatMap((counter, i) => (guessesRemaining(counter) > 0 ? [i] : []))
    if (open.length < t - c) return guesses
    for (const i of choose(open).slice(0, t - c)) {
      counters[i] = must(takeGuess(counters[i] as GuessCounter))
    }
  }
}

const shapes = fc
  .record({
    n: fc.integer({ min: 1, max: 7 }),
    t: fc.integer({ min: 1, max: 7 }),
    c: fc.integer({ min: 0, max: 6 }),
    limit: fc.integer({ min: 1, max: 12 }),
  })
  .filter(({ n, t, c }) => t <= n && c < t)

test("no choice of servers gets more guesses than floor((n - c) * G / (t - c))", () => {
  fc.assert(
    fc.property(shapes, fc.infiniteStream(fc.nat()), (shape, numbers) => {
      const shuffled = (open: number[]) =>
        open
          .map((i) => ({ i, key: numbers.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ i }) => i)
      const { n: servers, t: minSigners, c: corrupt, limit } = shape
      const bound = guessBound({ servers, minSigners, corrupt, limit })
      assert.ok(attack(shape, shuffled) <= bound)
    }),
  )
})

test("an adversary that spreads its guesses evenly reaches the bound: it is not loose", () => {
  for (const n of [1, 2, 3, 5, 7]) {
    for (let t = 1; t <= n; t++) {
      for (let c = 0; c < t; c++) {
        const counts = Array.from({ length: n - c }, () => 0)
        const evenly = (open: number[]) => {
          const least = open.sort((a, b) => (counts[a] as number) - (counts[b] as number))
          for (const i of least.slice(0, t - c)) counts[i] = (counts[i] as number) + 1
          return least
        }
        const bound = guessBound({ servers: n, minSigners: t, corrupt: c, limit: 10 })
        assert.equal(attack({ n, t, c, limit: 10 }, evenly), bound, `n ${n}, t ${t}, c ${c}`)
      }
    }
  }
  assert.equal(guessBound({ servers: 3, minSigners: 2, corrupt: 0, limit: 10 }), 15)
  assert.equal(guessBound({ servers: 3, minSigners: 2, corrupt: 1, limit: 10 }), 20)
  assert.equal(guessBound({ servers: 3, minSigners: 2, corrupt: 2, limit: 10 }), Infinity)
  assert.equal(guessBound({ servers: 3, minSigners: 2, corrupt: 3, limit: 10 }), Infinity)
})

test("guesses possible: what t servers together still allow", () => {
  assert.equal(guessesPossible([10, 10, 10], 2), 15)
  assert.equal(guessesPossible([10, 0, 0], 2), 0)
  assert.equal(guessesPossible([10, 1, 0], 2), 1)
  assert.equal(guessesPossible([0, 0, 0], 2), 0)
  assert.equal(guessesPossible([3], 1), 3)
  assert.throws(() => guessesPossible([3], 0), /minSigners below 1/)
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 6 }), (remaining) => {
      for (let t = 1; t <= remaining.length; t++) {
        const possible = guessesPossible(remaining, t)
        // Each guess takes from the t fullest: an optimal play reaches exactly what is promised.
        const left = [...remaining]
        let played = 0
        for (;;) {
          left.sort((a, b) => b - a)
          if ((left[t - 1] as number) === 0) break
          for (let i = 0; i < t; i++) left[i] = (left[i] as number) - 1
          played++
        }
        assert.equal(possible, played)
      }
    }),
  )
})

test("a stored counter above its limit does not decode", () => {
  const bytes = encode(guessCounterCodec, { taken: 3, limit: 3 })
  bytes[7] = 2
  assert.throws(() => decode(guessCounterCodec, bytes), DecodeError)
})
