import assert from "node:assert/strict"
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { systemRandomness } from "../src/adapters/system.ts"
import { retireServer } from "../src/directory/retire.ts"
import { installRoster } from "../src/directory/roster.ts"
import { copyOf, rowsOfKey } from "./live-server.ts"
import {
  agree,
  enrol,
  makeServer,
  nextOf,
  opened,
  rosterOf,
  seal,
  start,
  type TestServer,
} from "./server-directories.ts"

const retire = ({ directory }: TestServer, isDry = false, phrase = seal()) =>
  retireServer({ directory, seal: phrase, randomness: systemRandomness, isDry })

const refusal = (code: string, field: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LockKeeperError, String(error))
  assert.deepEqual([error.code, error.field], [code, field], error.message)
  assert.match(error.message, message)
  return true
}

/** A server that leaves with the roster that it follows. */
async function leaving(): Promise<TestServer> {
  const servers = [await makeServer("alpha"), await makeServer("beta"), await makeServer("gamma")]
  const first = await enrol(servers, rosterOf(servers, 2))
  const members = servers.map((server, i) => [i + 1, server] as const)
  const transition = { leaving: [1], minSignersBefore: 2 }
  const bundle = await agree(servers, { ...nextOf(first.chain, members), transition }, first.chain)
  const alpha = servers[0] as TestServer
  await opened(alpha, (unsealed) => installRoster(unsealed, bundle))
  return alpha
}

test("a server that holds a share, runs, or is asked with a wrong passphrase is not destroyed", async () => {
  const alpha = await leaving()
  const running = await start(alpha)
  const held = refusal("misconfigured", "directory", /Another process runs this server/)
  await assert.rejects(retire(alpha), held)
  await running.close()
  const wrong = refusal("misconfigured", "seal", /The passphrase is wrong/)
  await assert.rejects(retire(alpha, false, seal("another")), wrong)
  await opened(alpha, async ({ store }) => store.commit(await rowsOfKey()))
  const holds = refusal("conflict", "directory", /holds shares of 1 keys and 0 accounts/)
  await assert.rejects(retire(alpha), holds)
  await assert.rejects(retire(alpha, true), holds, "a dry run looks at the same")
  const again = await start(alpha)
  assert.equal(again.server.self.roster.rosterEpoch, 2)
  await again.close()
})

test("a server that was destroyed in part has lost first what the rest is sealed under", async () => {
  const alpha = await leaving()
  const files = await retire(alpha, true)
  assert.equal(files[0], "seal")
  for (let gone = 1; gone <= files.length; gone++) {
    const left = copyOf(alpha)
    for (const name of files.slice(0, gone)) rmSync(join(left.directory, name))
    await assert.rejects(start(left), refusal("misconfigured", "seal", /There is no file/))
  }
  assert.deepEqual(await retire(alpha), files)
  for (const name of files) assert.equal(existsSync(join(alpha.directory, name)), false, name)
  assert.equal(existsSync(join(alpha.directory, "server.json")), true, "what is no secret stays")
})
