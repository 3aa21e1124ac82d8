import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { writeOwnerOnly } from "../src/directory/owner-only.ts"

const directory = mkdtempSync(join(tmpdir(), "lockkeeper-full-"))
after(() => rmSync(directory, { recursive: true, force: true }))

const module = fileURLToPath(new URL("../src/directory/owner-only.ts", import.meta.url))

/** In a process whose files may have 1024 bytes (or 512, by the shell): a write stops there. */
function writeInLittleSpace(path: string, length: number) {
  const program = `
    const { writeOwnerOnly } = await import(${JSON.stringify(module)})
    writeOwnerOnly(${JSON.stringify(path)}, new Uint8Array(${length}).fill(0x62))`
  const node = [process.execPath, "-C", "lockkeeper-source", "--input-type=module", "-e", program]
  return spawnSync("sh", ["-c", 'ulimit -f 1; exec "$@"', "sh", ...node], { encoding: "utf8" })
}

test("a file that was not written whole does not replace the one before", () => {
  const path = join(directory, "seal")
  const old = new Uint8Array(100).fill(0x61)
  writeOwnerOnly(path, old)
  const failed = writeInLittleSpace(path, 4000)
  assert.match(failed.stderr, /EFBIG/)
  assert.deepEqual(new Uint8Array(readFileSync(path)), old)
  assert.equal(writeInLittleSpace(path, 400).status, 0)
  assert.deepEqual(new Uint8Array(readFileSync(path)), new Uint8Array(400).fill(0x62))
})
