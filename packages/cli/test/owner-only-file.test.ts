import assert from "node:assert/strict"
import { mkdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { fromUtf8 } from "@lockkeeper/encoding"
import { readSecretFile } from "../src/owner-only-file.ts"
import { temporaryDirectory, writeSecret } from "./support.ts"

function read(path: string): string {
  return fromUtf8(readSecretFile(path, "LK_PASSWORD_FILE").expose())
}

function refuses(path: string, words: RegExp): void {
  assert.throws(
    () => read(path),
    (error) => {
      assert.ok(error instanceof LockKeeperError)
      assert.equal(error.code, "misconfigured")
      assert.equal(error.field, "LK_PASSWORD_FILE")
      assert.match(error.message, words)
      assert.notEqual(error.remedy, "")
      return true
    },
  )
}

describe("a secret file", () => {
  test("gives its bytes without one final line break", (t) => {
    const directory = temporaryDirectory(t)
    assert.equal(read(writeSecret(directory, "a", "correct horse")), "correct horse")
    assert.equal(read(writeSecret(directory, "b", "correct horse\n")), "correct horse")
    assert.equal(read(writeSecret(directory, "c", "correct horse\r\n")), "correct horse")
    assert.equal(read(writeSecret(directory, "d", "correct horse\n\n")), "correct horse\n")
    assert.equal(read(writeSecret(directory, "e", "x".repeat(4096))).length, 4096)
  })

  test("that others can read or write is refused", (t) => {
    const directory = temporaryDirectory(t)
    for (const mode of [0o644, 0o640, 0o604, 0o620, 0o602]) {
      refuses(writeSecret(directory, `mode-${mode}`, "secret", mode), /by others/)
    }
  })

  test("that is a link, a directory, absent, empty or too long is refused", (t) => {
    const directory = temporaryDirectory(t)
    symlinkSync(writeSecret(directory, "target", "secret"), join(directory, "link"))
    refuses(join(directory, "link"), /symbolic link/)
    mkdirSync(join(directory, "directory"), { mode: 0o700 })
    refuses(join(directory, "directory"), /not a regular file/)
    refuses(join(directory, "absent"), /does not exist/)
    refuses(writeSecret(directory, "empty", ""), /is empty/)
    refuses(writeSecret(directory, "newline", "\n"), /is empty/)
    refuses(writeSecret(directory, "long", "x".repeat(4097)), /longer than 4096/)
  })
})
