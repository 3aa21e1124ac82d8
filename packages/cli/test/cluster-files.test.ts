import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { readPlan } from "../src/dev/cluster-files.ts"
import { temporaryDirectory } from "./support.ts"

const PLAN = { threshold: 2, ports: [7443, 7444, 7445], allowedOrigins: [] }

test("the plan of a local cluster is read back, and a damaged one is refused", (t) => {
  const directory = temporaryDirectory(t)
  assert.equal(readPlan(directory), null)
  const written = { version: 1, ...PLAN }
  const record = join(directory, "cluster.json")
  writeFileSync(record, JSON.stringify(written))
  assert.deepEqual(readPlan(directory), written)
  const { ports: _, ...portless } = written
  for (const damaged of ["", "{", "null", "[]", { ...written, version: 2 }, portless]) {
    writeFileSync(record, typeof damaged === "string" ? damaged : JSON.stringify(damaged))
    assert.throws(
      () => readPlan(directory),
      (error) => error instanceof LockKeeperError && error.code === "misconfigured",
    )
  }
})
