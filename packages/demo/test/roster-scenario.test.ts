import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const SCENARIO = fileURLToPath(new URL("../src/roster-scenario.ts", import.meta.url))

test("keys get new shares and sign on, and old files put back at one server sign nothing", async () => {
  const args = ["-C", "lockkeeper-source", SCENARIO, "--json"]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const { ok, steps } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
  assert.equal(ok, true)
  assert.deepEqual(
    steps.map(({ step }: { step: string }) => step),
    [
      ...["keys-of-every-type", "files-copied", "refresh", "login-and-signatures"],
      ...["old-files-tried", "without-the-old-files"],
    ],
  )
  assert.equal(steps[2].done, 3)
  // What the server with the old files says, and not that it is away.
  assert.deepEqual(steps[4].refusals, ["conflict", "conflict", "conflict"])
})
