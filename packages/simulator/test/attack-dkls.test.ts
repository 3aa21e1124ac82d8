import assert from "node:assert/strict"
import { test } from "node:test"
import { edgesTarget } from "../src/attack/dkls/edges-target.ts"
import { EXPECTED_ROWS, rowOf } from "../src/attack/dkls/expected.ts"
import { onlineTarget } from "../src/attack/dkls/online-target.ts"
import { presignTarget } from "../src/attack/dkls/presign-target.ts"
import { setupTarget } from "../src/attack/dkls/setup-target.ts"
import { type Attack, type CaseResult, idOf, judge, type Target } from "../src/attack/harness.ts"
import { seeded } from "../src/attack/seeded.ts"

// A sample that depends on the names of cases alone; all of them run by `npm run attack`.

const three = { minSigners: 3, servers: 3, signers: [1, 2, 3], liar: 2 }
const setup = setupTarget({ participants: [1, 2], liar: 2 })
const presign = presignTarget(three)
const online = onlineTarget({ minSigners: 2, servers: 3, signers: [1, 3], liar: 1 })

function isChosen(attack: Attack, oneOf: number): boolean {
  return new DataView(seeded(`ci/${idOf(attack)}`, 4).buffer).getUint32(0) % oneOf === 0
}

const met = new Set<string>()

/** Runs one of so many cases, of which none may end otherwise than it has to. */
async function sampled(target: Target, oneOf: number): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for await (const attack of target.attacks()) {
    met.add(rowOf(attack) ?? "")
    if (!isChosen(attack, oneOf)) continue
    const result = await judge(target, attack)
    assert.notEqual(result.outcome, "failure", `${idOf(result)}: ${result.why} (${result.reason})`)
    results.push(result)
  }
  return results
}

function counts(results: readonly CaseResult[], outcome: CaseResult["outcome"]): number {
  return results.filter((result) => result.outcome === outcome).length
}

test("whoever lies in a setup of pairs is named, alone or with whom it set up a pair", async () => {
  const results = await sampled(setup, 20)
  assert.ok(counts(results, "culprit") > 3 && counts(results, "pair") > 1)
})

test("whoever lies among three who presign is named, alone or with whom it lied to", async () => {
  const results = await sampled(presign, 12)
  assert.ok(counts(results, "culprit") > 30 && counts(results, "pair") > 30)
})

test("whoever signs a wrong share is named, and no coordinator can make an honest one look so", async () => {
  const results = await sampled(online, 6)
  assert.ok(counts(results, "culprit") > 3 && counts(results, "unattributable") > 50)
})

test("pairs that failed with enough others name their common end, and none that one accuses alone", async () => {
  const results = await sampled(edgesTarget(), 1)
  assert.deepEqual([counts(results, "culprit"), counts(results, "pair")], [3, 3])
})

test("it is written down for every field that travels how a lie in it ends, and for no other", () => {
  assert.deepEqual(
    EXPECTED_ROWS.filter((row) => !met.has(row)),
    [],
  )
})
