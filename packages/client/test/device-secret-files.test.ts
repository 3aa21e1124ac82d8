import assert from "node:assert/strict"
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { deviceSecretFiles, noDeviceSecrets } from "../src/platform/device-secret-files.ts"
import { refused } from "./refusals.ts"

const ACCOUNT = new Uint8Array(32).fill(1)
const INPUT = new Uint8Array(8).fill(2)

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "devices-"))
  t.after(() => rmSync(path, { recursive: true }))
  return join(path, "secrets")
}

function only(path: string): string {
  const names = readdirSync(path)
  assert.equal(names.length, 1)
  return join(path, names[0] as string)
}

test("a device's secret is made once, in a file of the owner's", async (t) => {
  const path = directory(t)
  assert.equal(await deviceSecretFiles(path).derive(ACCOUNT, INPUT), null)
  const made = await Promise.all(
    [1, 2, 3, 4].map(() => deviceSecretFiles(path).deriveOrMake(ACCOUNT, INPUT)),
  )
  const [first] = made
  for (const one of made) assert.deepEqual(one.expose(), first?.expose())
  assert.equal(statSync(only(path)).mode & 0o777, 0o600)
  assert.equal(statSync(path).mode & 0o777, 0o700)
  const again = await deviceSecretFiles(path).derive(ACCOUNT, INPUT)
  assert.deepEqual(again?.expose(), first?.expose())
  const other = await deviceSecretFiles(path).derive(ACCOUNT, new Uint8Array(8))
  assert.notDeepEqual(other?.expose(), first?.expose())
  assert.equal(await deviceSecretFiles(path).derive(new Uint8Array(32), INPUT), null)
})

test("a file that others can read, that is cut short or a link, is no secret", async (t) => {
  const path = directory(t)
  const secrets = deviceSecretFiles(path)
  await secrets.deriveOrMake(ACCOUNT, INPUT)
  const file = only(path)
  chmodSync(file, 0o640)
  const readable = await refused(() => secrets.derive(ACCOUNT, INPUT), "misconfigured")
  assert.match(`${readable.message} ${readable.remedy}`, /by others.*chmod 600/)
  chmodSync(file, 0o600)
  writeFileSync(file, "short")
  const short = await refused(() => secrets.derive(ACCOUNT, INPUT), "misconfigured")
  assert.match(short.message, /is not 32 bytes/)
  rmSync(file)
  symlinkSync("/dev/zero", file)
  const link = await refused(() => secrets.derive(ACCOUNT, INPUT), "misconfigured")
  assert.match(link.message, /is a symbolic link/)
})

test("where no directory is named nothing is kept, and making says what to name", async () => {
  assert.equal(await noDeviceSecrets.derive(ACCOUNT, INPUT), null)
  const error = await refused(() => noDeviceSecrets.deriveOrMake(ACCOUNT, INPUT), "misconfigured")
  assert.equal(error.field, "deviceSecrets")
})
