import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { checkOwnerOnlyDirectory } from "../src/directory/owner-only.ts"

test("a directory that is not there, or under no name that one can have, is said not to be there", () => {
  for (const path of ["/nowhere/at/all", `./${"a".repeat(300)}`]) {
    assert.throws(
      () => checkOwnerOnlyDirectory(path, "directory"),
      (error) =>
        error instanceof LockKeeperError &&
        error.code === "misconfigured" &&
        error.field === "directory" &&
        error.message === `There is no directory "${path}".`,
    )
  }
})
