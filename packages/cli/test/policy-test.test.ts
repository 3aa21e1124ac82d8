import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { onlyLine, testHost } from "./support.ts"

const directory = mkdtempSync(join(tmpdir(), "lockkeeper-policy-"))
after(() => rmSync(directory, { recursive: true }))

const HEADER = `{ "name": "small", "version": 3, "roles": ["treasurer"],
  "limits": { "daily": { "kind": "window", "asset": "evm:1/native", "most": "9", "over": "24h" } },
  "quorums": {} }
---
`

function file(rules: string): string {
  const path = join(directory, "one.policy")
  writeFileSync(path, HEADER + rules)
  return path
}

async function tested(...line: readonly string[]) {
  const host = testHost({ environment: { LK_HOME: directory } })
  const code = await run(["policy", "test", ...line], host)
  return { code, host }
}

test("a policy that holds is told rule by rule", async () => {
  const path = file(
    '@id("pay") @limit("daily") @note("a little") permit (principal, action, resource);',
  )
  const text = await tested(path)
  assert.equal(text.code, EXIT.ok, text.host.err.text)
  const said =
    'The policy holds: "small", version 3.\n  permit pay: a little\n' +
    "Roles: treasurer. Limits: daily. Quorums: none.\n"
  assert.equal(text.host.out.text, said)
  const { code, host } = await tested(path, "--json")
  assert.equal(code, EXIT.ok)
  assert.deepEqual(onlyLine(host), {
    ...{ ok: true, valid: true, name: "small", version: 3, roles: ["treasurer"] },
    ...{ rules: [{ id: "pay", effect: "permit" }], limits: ["daily"], quorums: [] },
  })
})

test("one that servers would refuse is told with every place, and ends with a code of its own", async () => {
  const path = file('@id("pay") @limit("weekly") permit (principal, action, resource);')
  const { code, host } = await tested(path, "--json")
  assert.equal(code, EXIT.verification)
  const { ok, valid, problems } = onlyLine(host)
  assert.deepEqual([ok, valid], [false, false])
  const codes = (problems as { code: string; line: number }[]).map((one) => [one.code, one.line])
  assert.deepEqual(codes[0], ["unknown-limit", 5])
  const missing = await tested(join(directory, "none"), "--json")
  assert.equal(missing.code, EXIT.configuration)
  assert.equal((onlyLine(missing.host)["error"] as { field: string }).field, "file")
})
