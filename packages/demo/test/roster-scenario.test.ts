import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const SCENARIO = fileURLToPath(new URL("../src/roster/scenario.ts", import.meta.url))

interface Moved {
  readonly kind: string
  readonly done: number
  readonly leftOut: readonly unknown[]
}

const ACCOUNT = { kind: "accounts", done: 1, leftOut: 0 }
const KEYS = { kind: "keys", done: 3, leftOut: 0 }

function counts(moved: readonly Moved[]) {
  return moved.map(({ kind, done, leftOut }) => ({ kind, done, leftOut: leftOut.length }))
}

test("servers come and go, keys stay, and old files are of no use", async () => {
  const args = ["-C", "lockkeeper-source", SCENARIO, "--json"]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const { ok, steps } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
  assert.equal(ok, true)
  assert.deepEqual(
    steps.map(({ step }: { step: string }) => step),
    [
      ...["keys-of-every-type", "files-copied", "refreshed", "old-files-tried"],
      ...["lost-and-repaired", "refreshed-where-it-came", "caught-and-removed"],
      ...["files-copied-again", "three-of-five", "old-files-tried-again"],
    ],
  )
  const [, , refreshed, tried, repaired, again, removed, , grown, triedAgain] = steps
  for (const one of [refreshed, again]) {
    assert.deepEqual(one.refreshed, [
      { kind: "keys", done: 3 },
      { kind: "accounts", done: 1 },
    ])
  }
  // What the server with the old files says, and not that it is away.
  assert.deepEqual(tried.refusals, ["conflict", "conflict", "conflict"])
  assert.deepEqual(counts(repaired.repaired), [ACCOUNT, KEYS])
  assert.equal(removed.caught, "invalid-signature-share")
  for (const { moved } of [removed, grown]) assert.deepEqual(counts(moved), [ACCOUNT, KEYS])
  // Servers that held the keys of before were down: who is new has signed.
  for (const [{ signers }, size] of [
    [repaired, 2],
    [removed, 2],
    [grown, 3],
  ] as const) {
    for (const one of signers) assert.equal(one.length, size)
  }
  assert.deepEqual(removed.signers, [
    [1, 4],
    [1, 4],
    [1, 4],
  ])
  assert.deepEqual(grown.signers, [
    [1, 5, 6],
    [1, 5, 6],
    [1, 5, 6],
  ])
  assert.deepEqual(triedAgain.refusals.length, 3)
})
