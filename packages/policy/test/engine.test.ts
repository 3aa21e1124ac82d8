import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { cedar } from "../src/cedar.ts"
import { type Cedar, decide, PolicyError, parsePolicy } from "../src/index.ts"
import { factsOf, plain, sourceOf } from "./treasury.ts"

const PERMIT = '@id("all") permit (principal, action, resource);'
const OVERFLOW = "context.time.at * 9223372036854775807 > 0"
const file = sourceOf({ limits: {}, quorums: {} }, PERMIT)

/** Cedar with one function that answers otherwise. */
const changed = (functions: Partial<Record<keyof Cedar, () => unknown>>): Cedar =>
  ({ ...cedar, ...functions }) as Cedar

describe("whatever Cedar cannot compute is denied", () => {
  it("a forbid with an overflow is not passed over", () => {
    const policy = plain(
      `${PERMIT} @id("f") forbid (principal, action, resource) when { ${OVERFLOW} };`,
    )
    const { allow, reason, rules } = decide(policy, factsOf(policy))
    assert.deepEqual([allow, reason, rules], [false, "rule-error", ["f"]])
  })

  it("nor a permit with one beside another permit", () => {
    const policy = plain(
      `${PERMIT} @id("p") permit (principal, action, resource) when { ${OVERFLOW} };`,
    )
    const { allow, reason, rules } = decide(policy, factsOf(policy))
    assert.deepEqual([allow, reason, rules], [false, "rule-error", ["p"]])
  })

  const answer = (response: unknown) => ({ type: "success", warnings: [], response })
  const clean = (decision: unknown, ...reason: string[]) =>
    answer({ decision, diagnostics: { reason, errors: [] } })
  const cases: readonly (readonly [what: string, answered: unknown, why: string])[] = [
    ["no answer", undefined, "Cedar gave no answer"],
    ["null", null, "Cedar gave no answer"],
    ["a failure", { type: "failure", errors: [{ message: "bad" }], warnings: [] }, "bad"],
    ["no response", { type: "success" }, "Cedar gave no decision"],
    ["a null decision", clean(null, "all"), "Cedar gave no decision"],
    ["another decision", clean("Allow", "all"), "Cedar gave no decision"],
    ["no diagnostics", answer({ decision: "allow" }), "Cedar gave no decision"],
    ["no reason", clean("allow"), "Cedar allowed for no reason"],
    [
      "a rule that there is not",
      clean("allow", "al"),
      "Cedar gave rules as the reason that are no permit",
    ],
    [
      "a denial by a permit",
      clean("deny", "all"),
      "Cedar gave rules as the reason that are no forbid",
    ],
  ]
  for (const [what, answered, why] of cases) {
    it(what, () => {
      const policy = parsePolicy(changed({ statefulIsAuthorized: () => answered }), file)
      const { allow, reason, rules, detail } = decide(policy, factsOf(policy))
      assert.deepEqual([allow, reason, rules, detail], [false, "engine-failed", [], why])
    })
  }

  it("rules that cannot be kept", () => {
    const policy = parsePolicy(changed({ preparsePolicySet: () => ({ type: "failure" }) }), file)
    const { allow, reason, detail } = decide(policy, factsOf(policy))
    assert.deepEqual([allow, reason, detail], [false, "engine-failed", "rules do not parse"])
  })

  it("an error that is thrown, that one time", () => {
    let calls = 0
    const throwing = changed({
      statefulIsAuthorized() {
        calls += 1
        if (calls === 1) throw new Error("no such field")
        return clean("allow", "all")
      },
    })
    const policy = parsePolicy(throwing, file)
    const { allow, reason, detail } = decide(policy, factsOf(policy))
    assert.deepEqual([allow, reason, detail], [false, "engine-failed", "Cedar: no such field"])
    assert.equal(decide(policy, factsOf(policy)).allow, true)
  })
})

it("an instance that trapped decides nothing any more, and says so", () => {
  let calls = 0
  const trapping = changed({
    statefulIsAuthorized() {
      calls += 1
      throw new WebAssembly.RuntimeError("memory access out of bounds")
    },
  })
  const policy = parsePolicy(trapping, file)
  const first = decide(policy, factsOf(policy))
  assert.deepEqual([first.allow, first.reason], [false, "engine-failed"])
  assert.equal(first.detail, "Cedar stopped: memory access out of bounds")
  const second = decide(policy, factsOf(policy))
  assert.equal(second.detail, "Cedar stopped earlier: memory access out of bounds")
  assert.equal(calls, 1)
  const parse = () => parsePolicy(trapping, file)
  assert.throws(parse, (error) => {
    assert.ok(error instanceof PolicyError)
    assert.deepEqual(
      error.problems.map(({ code, where }) => [code, where]),
      [["engine-failed", "rule 1"]],
    )
    return true
  })
})

it("rules are parsed once per version, and again once 64 others took their place", () => {
  let parsed = 0
  const counting: Cedar = {
    ...cedar,
    preparsePolicySet(name, policies) {
      parsed += 1
      return cedar.preparsePolicySet(name, policies)
    },
  }
  const versions = Array.from({ length: 65 }, (_, index) => {
    const effect = index % 2 === 0 ? "permit" : "forbid"
    const rule = `@id("r${index}") ${effect} (principal, action, resource);`
    return parsePolicy(counting, sourceOf({ version: index + 1, limits: {}, quorums: {} }, rule))
  })
  const decideAll = () => versions.map((policy) => decide(policy, factsOf(policy)))
  for (let i = 0; i < 3; i++) decide(versions[0]!, factsOf(versions[0]!))
  assert.equal(parsed, 1)
  for (const decisions of [decideAll(), decideAll()]) {
    for (const [index, { allow, rules }] of decisions.entries()) {
      assert.deepEqual([allow, rules], [index % 2 === 0, [`r${index}`]])
    }
  }
  // In turn, 65 policies in 64 places are parsed each time.
  assert.equal(parsed, 130)
})
