import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import fc from "fast-check"
import {
  maxAttempts,
  type RoastEvent,
  type RoastState,
  type RoastStep,
  roastNext,
  roastObserve,
  roastStart,
  type SignerRule,
} from "../src/frost/roast.ts"

/** A coordinator around the state machine, with the history of its steps. */
class Driver {
  state: RoastState

  constructor(
    minSigners: number,
    servers: readonly Identifier[],
    mandatory: readonly Identifier[] = [],
    allows?: SignerRule,
  ) {
    this.state = roastStart(minSigners, servers, mandatory, allows)
  }

  observe(...events: readonly RoastEvent[]): this {
    for (const event of events) this.state = roastObserve(this.state, event)
    return this
  }

  ready(...identifiers: readonly Identifier[]): this {
    return this.observe(
      ...identifiers.map((identifier) => ({ kind: "commitment", identifier }) as const),
    )
  }

  share(attempt: number, ...identifiers: readonly Identifier[]): this {
    return this.observe(
      ...identifiers.map(
        (identifier) => ({ kind: "share", identifier, attempt, spare: true }) as const,
      ),
    )
  }

  next(): RoastStep {
    const { state, step } = roastNext(this.state)
    this.state = state
    return step
  }
}

test("the preferred servers are asked first, and their shares are aggregated", () => {
  const driver = new Driver(2, [3, 1, 2]).ready(1, 2, 3)
  assert.deepEqual(driver.next(), { kind: "ask", attempt: 1, signers: [1, 3] })
  assert.deepEqual(driver.next(), { kind: "wait" })
  assert.deepEqual(driver.share(1, 1).next(), { kind: "wait" })
  assert.deepEqual(driver.share(1, 3).next(), { kind: "aggregate", attempt: 1 })
})

test("nothing is asked before enough commitments are there", () => {
  const driver = new Driver(2, [1, 2, 3])
  assert.deepEqual(driver.ready(2).next(), { kind: "wait" })
  assert.deepEqual(driver.ready(3).next(), { kind: "ask", attempt: 1, signers: [2, 3] })
})

test("a slow signer is replaced once the others' shares were checked, and may still finish", () => {
  const driver = new Driver(2, [1, 2, 3]).ready(1, 2, 3)
  driver.next()
  assert.deepEqual(driver.share(1, 1).next(), { kind: "wait" })
  driver.observe({ kind: "slow", identifier: 2 })
  assert.deepEqual(driver.next(), { kind: "check", attempt: 1, signers: [1] })
  driver.observe({ kind: "checked", attempt: 1, signers: [1], unusable: [] })
  assert.deepEqual(driver.next(), { kind: "ask", attempt: 2, signers: [1, 3] })
  assert.deepEqual(driver.share(1, 2).next(), { kind: "aggregate", attempt: 1 })
})

test("a culprit is not asked again, and the honest ones finish without it", () => {
  const driver = new Driver(2, [1, 2, 3]).ready(1, 2, 3)
  driver.next()
  assert.deepEqual(driver.share(1, 1, 2).next(), { kind: "aggregate", attempt: 1 })
  driver.observe({ kind: "failed", attempt: 1, unusable: [1] })
  assert.deepEqual(driver.next(), { kind: "ask", attempt: 2, signers: [2, 3] })
  assert.deepEqual(driver.share(2, 2, 3).next(), { kind: "aggregate", attempt: 2 })
})

test("a share found wrong ends its attempt before the slow signer answers", () => {
  const driver = new Driver(2, [1, 2, 3]).ready(1, 2, 3)
  driver.next()
  driver.share(1, 1).observe({ kind: "slow", identifier: 2 }).next()
  driver.observe({ kind: "checked", attempt: 1, signers: [1], unusable: [1] })
  assert.deepEqual(driver.next(), { kind: "wait" })
  assert.deepEqual(driver.share(1, 2).next(), { kind: "ask", attempt: 2, signers: [2, 3] })
})

test("it gives up when too few servers, or not all mandatory participants, are left", () => {
  const lost = new Driver(2, [1, 2, 3]).ready(1, 2, 3)
  lost.observe({ kind: "excluded", identifier: 1 }, { kind: "excluded", identifier: 3 })
  assert.deepEqual(lost.next(), { kind: "give-up", excluded: [1, 3] })
  const owner = new Driver(1, [1, 2], [100]).ready(1, 2)
  assert.deepEqual(owner.next(), { kind: "wait" })
  assert.deepEqual(owner.ready(100).next(), { kind: "ask", attempt: 1, signers: [1, 100] })
  owner.observe({ kind: "excluded", identifier: 100 })
  assert.deepEqual(owner.next(), { kind: "give-up", excluded: [100] })
})

test("a server without a spare commitment is asked again only when it has one", () => {
  const driver = new Driver(1, [1, 2]).ready(1)
  driver.next()
  driver.observe({ kind: "share", identifier: 1, attempt: 1, spare: false })
  driver.observe({ kind: "failed", attempt: 1, unusable: [] })
  assert.deepEqual(driver.next(), { kind: "wait" })
  assert.deepEqual(driver.ready(1).next(), { kind: "ask", attempt: 2, signers: [1] })
})

test("attempts are bounded even when failures exclude nobody", () => {
  const driver = new Driver(2, [1, 2, 3]).ready(1, 2, 3)
  for (const attempt of [1, 2]) {
    assert.deepEqual(driver.next(), { kind: "ask", attempt, signers: [1, 2] })
    driver.share(attempt, 1, 2).observe({ kind: "failed", attempt, unusable: [] })
  }
  assert.deepEqual(driver.next(), { kind: "give-up", excluded: [] })
})

test("events out of place change nothing", () => {
  const driver = new Driver(2, [1, 2, 3]).ready(1, 2, 3)
  driver.next()
  const before = driver.state
  driver.share(1, 3).share(2, 1).share(0, 1).ready(1, 9)
  driver.observe(
    { kind: "slow", identifier: 3 },
    { kind: "failed", attempt: 1, unusable: [1] },
    { kind: "failed", attempt: 7, unusable: [1] },
    { kind: "checked", attempt: 7, signers: [1], unusable: [1] },
    { kind: "excluded", identifier: 9 },
  )
  assert.deepEqual(driver.state, before)
  driver.share(1, 1)
  const once = driver.state
  driver.share(1, 1)
  assert.deepEqual(driver.state, once, "an answer counts once")
})

test("impossible starts are refused", () => {
  assert.throws(() => roastStart(3, [1, 2]), RangeError)
  assert.throws(() => roastStart(0, [1, 2]), RangeError)
  assert.throws(() => roastStart(1, [1, 1]), RangeError)
  assert.throws(() => roastStart(1, [1, 2], [2]), RangeError)
})

type Behaviour = "good" | "bad" | "silent" | "random"

interface Run {
  readonly minSigners: number
  /** By server, 1 to n. */
  readonly behaviours: readonly Behaviour[]
  readonly choices: readonly number[]
}

const runs: fc.Arbitrary<Run> = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 4 }))
  .chain(([minSigners, faulty]) =>
    fc.record({
      minSigners: fc.constant(minSigners),
      behaviours: fc
        .array(fc.constantFrom<Behaviour>("bad", "silent", "random"), {
          minLength: faulty,
          maxLength: faulty,
        })
        .chain((bad) =>
          fc.shuffledSubarray([...bad, ...Array<Behaviour>(minSigners).fill("good")], {
            minLength: faulty + minSigners,
            maxLength: faulty + minSigners,
          }),
        ),
      choices: fc.array(fc.nat(1_000_000), { minLength: 400, maxLength: 400 }),
    }),
  )

/**
 * Answers in random order, random reports of slowness even of honest servers, wrong shares whenever
 * a server likes. Returns the number of attempts, or throws when the honest ones do not finish.
 */
function simulate({ minSigners, behaviours, choices }: Run): number {
  const servers = behaviours.map((_, i) => i + 1)
  const driver = new Driver(minSigners, servers).ready(...servers)
  const wrong = new Set<string>()
  let pending: { identifier: Identifier; attempt: number }[] = []
  let at = 0
  const choose = (below: number) => (choices[at++ % choices.length] as number) % below
  const isWrong = (attempt: number) => (id: Identifier) => wrong.has(`${attempt}/${id}`)
  for (let turn = 0; turn < 2000; turn++) {
    const step = driver.next()
    if (step.kind === "give-up") throw new Error("gave up")
    if (step.kind === "ask") {
      assert.equal(step.signers.length, minSigners)
      for (const identifier of step.signers) {
        assert.ok(!pending.some((p) => p.identifier === identifier), "busy in one attempt only")
        pending.push({ identifier, attempt: step.attempt })
      }
    } else if (step.kind === "aggregate") {
      const { signers } = driver.state.attempts[step.attempt - 1] ?? { signers: [] }
      const unusable = signers.filter(isWrong(step.attempt))
      if (unusable.length === 0) return driver.state.attempts.length
      driver.observe({ kind: "failed", attempt: step.attempt, unusable })
    } else if (step.kind === "check") {
      const unusable = step.signers.filter(isWrong(step.attempt))
      driver.observe({ kind: "checked", attempt: step.attempt, signers: step.signers, unusable })
    } else {
      const able = pending.filter((p) => behaviours[p.identifier - 1] !== "silent")
      const slow = pending[choose(Math.max(1, pending.length))]
      if (able.length === 0 || choose(3) === 0) {
        if (slow) driver.observe({ kind: "slow", identifier: slow.identifier })
        continue
      }
      const answer = able[choose(able.length)] as { identifier: Identifier; attempt: number }
      const behaviour = behaviours[answer.identifier - 1]
      // A random server also stalls for as long as anybody else still has something to say.
      if (behaviour === "random" && able.length > 1 && choose(2) === 0) continue
      if (behaviour === "bad" || (behaviour === "random" && choose(2) === 0)) {
        wrong.add(`${answer.attempt}/${answer.identifier}`)
      }
      pending = pending.filter((p) => p !== answer)
      driver.share(answer.attempt, answer.identifier)
    }
  }
  throw new Error("did not finish")
}

test("minSigners honest responsive servers always finish within n - t + 1 attempts", () => {
  let most = 0
  fc.assert(
    fc.property(runs, (run) => {
      const attempts = simulate(run)
      const servers = run.behaviours.map((_, i) => i + 1)
      assert.ok(attempts <= maxAttempts(roastStart(run.minSigners, servers)))
      most = Math.max(most, attempts)
    }),
    { numRuns: 3000 },
  )
  assert.ok(most >= 4, "the runs include ones that need several attempts")
})

/** Servers of one parity do not sign together. */
const apart: SignerRule = (servers) => new Set(servers.map((id) => id % 2)).size === servers.length

test("only servers that may sign together are asked, in the order of preference", () => {
  const driver = new Driver(2, [3, 1, 2, 4], [], apart).ready(1, 2, 3, 4)
  assert.deepEqual(driver.next(), { kind: "ask", attempt: 1, signers: [2, 3] })
})

test("one that is slow is waited for, where those that are left may not sign together", () => {
  const driver = new Driver(2, [1, 2, 3], [], apart).ready(1, 2, 3)
  assert.deepEqual(driver.next(), { kind: "ask", attempt: 1, signers: [1, 2] })
  driver.observe({ kind: "slow", identifier: 2 }).share(1, 1)
  assert.deepEqual(driver.next(), { kind: "check", attempt: 1, signers: [1] })
  driver.observe({ kind: "checked", attempt: 1, signers: [1], unusable: [] })
  assert.deepEqual(driver.next(), { kind: "wait" })
  assert.deepEqual(driver.share(1, 2).next(), { kind: "aggregate", attempt: 1 })
})

test("it is over when those that are left may not sign together, however many they are", () => {
  const driver = new Driver(2, [1, 2, 3], [], apart).ready(1, 2, 3)
  driver.observe({ kind: "excluded", identifier: 2 })
  assert.deepEqual(driver.next(), { kind: "give-up", excluded: [2] })
})

test("the search for a set ends after some thousands, whether the rule allows a later one or none", () => {
  const servers = Array.from({ length: 24 }, (_, i) => i + 1)
  let asked = 0
  const few: SignerRule = (some) => {
    asked++
    return some.length < 12
  }
  const driver = new Driver(12, servers, [], few).ready(...servers)
  assert.deepEqual(driver.next(), { kind: "give-up", excluded: [] })
  assert.equal(asked, 4096)
  // Without the best one of them it would be found at once.
  const late: SignerRule = (some) => some.length < 12 || !some.includes(1)
  const lost = new Driver(12, servers, [], late).ready(...servers)
  assert.deepEqual(lost.next(), { kind: "give-up", excluded: [] })
  lost.observe({ kind: "excluded", identifier: 1 })
  const signers = servers.slice(1, 13)
  assert.deepEqual(lost.next(), { kind: "ask", attempt: 1, signers })
})
