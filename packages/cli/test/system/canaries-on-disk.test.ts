import assert from "node:assert/strict"
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { inspect } from "node:util"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { type Canary, filesBelow, type Haystack, search } from "./canaries.ts"
import { lockkeeper, type Printed } from "./command-line.ts"
import { type Deployment, deploy } from "./deployment.ts"
import { type Stolen, secretsOf, steal } from "./stolen.ts"

const NAME = "canary-owner"
const [PASSWORD, NEXT, WRONG] = ["canary horse staple 1", "canary battery 22", "canary guess 333"]

describe("after an owner's day at the command line and a kill -9 of servers", () => {
  const owner = mkdtempSync(join(tmpdir(), "lockkeeper-owner-"))
  let deployment: Deployment
  let printed: readonly Printed[]
  /** What errors and sessions of the SDK look like to whoever prints them. */
  let shown: string
  let disk: readonly Haystack[]
  let stolen: readonly Stolen[]

  before(async () => {
    deployment = await deploy()
    printed = await ownersDay()
    shown = await errorsOfTheSdk()
    await deployment.cluster.servers[0]?.stop("SIGKILL")
    await deployment.cluster.servers[1]?.stop("SIGKILL")
    // Before the databases are opened again, which would tidy up what a crash leaves behind.
    disk = filesBelow(deployment.directory)
    stolen = await Promise.all([1, 2, 3].map((id) => steal(deployment.directory, id)))
  })
  after(async () => {
    await deployment.stop()
    rmSync(owner, { recursive: true, force: true })
  })

  function file(name: string, text: string): string {
    const path = join(owner, name)
    writeFileSync(path, `${text}\n`, { mode: 0o600 })
    return path
  }

  async function ownersDay(): Promise<Printed[]> {
    const all: Printed[] = []
    const environment = {
      LK_HOME: deployment.cluster.profile,
      LK_NAME: NAME,
      LK_PASSWORD_FILE: file("password", PASSWORD),
      LK_NEW_PASSWORD_FILE: file("next", NEXT),
      LK_DEBUG: "1",
    }
    const run = async (line: string, changes: Record<string, string> = {}) => {
      const done = await lockkeeper(line.split(" "), { ...environment, ...changes })
      all.push(done)
      return done.exitCode
    }
    const next = { LK_PASSWORD_FILE: file("now", NEXT) }
    assert.equal(await run("register"), 0, all.at(-1)?.err)
    assert.notEqual(await run("login", { LK_PASSWORD_FILE: file("wrong", WRONG) }), 0)
    assert.notEqual(
      await run("--json --no-agent keys list", { LK_PASSWORD_FILE: file("wrong", WRONG) }),
      0,
    )
    assert.equal(await run("login"), 0, all.at(-1)?.err)
    assert.equal(await run("keys create --type ed25519 --label savings"), 0, all.at(-1)?.err)
    assert.equal(await run("--json keys list"), 0)
    assert.equal(await run("sign savings --message hello"), 0, all.at(-1)?.err)
    assert.equal(await run("passwd"), 0, all.at(-1)?.err)
    assert.equal(await run("logout"), 0)
    assert.equal(await run("--json --no-agent sign savings --message hello", next), 0)
    assert.equal(await run("--no-agent keys show savings", next), 0)
    assert.equal(await run("doctor"), 0)
    return all
  }

  async function errorsOfTheSdk(): Promise<string> {
    const keeper = await deployment.connect()
    const texts: string[] = []
    const show = (thing: unknown) => {
      texts.push(
        inspect(thing, { depth: 20, showHidden: true }),
        JSON.stringify(thing),
        String(thing),
      )
      if (thing instanceof Error) texts.push(thing.stack ?? "")
    }
    using secret = Secret.copyOf(utf8(NEXT))
    const session = await keeper.login({ name: NAME, password: secret })
    show(session)
    show(keeper)
    show(await session.keys.list())
    for (const act of [
      () => keeper.login({ name: NAME, password: WRONG }),
      () => keeper.register({ name: NAME, password: WRONG }),
      () => session.changePassword({ current: WRONG, next: PASSWORD }),
      () => session.changePassword({ current: NEXT, next: NEXT }),
      () => session.keys.show(new Uint8Array(32)),
    ]) {
      await act().then(() => assert.fail("it was not refused"), show)
    }
    await session.logout()
    show(session)
    keeper.close()
    return texts.join("\n")
  }

  function secrets(): Canary[] {
    const passwords = [PASSWORD, NEXT, WRONG].map((text) => ({ name: text, bytes: utf8(text) }))
    return [...passwords, ...stolen.flatMap(secretsOf)]
  }

  it("no file below the cluster's directory holds a password, share, key, event or name", (t) => {
    const names = disk.map(({ where }) => where)
    for (const wanted of [/database\.sqlite$/, /sqlite-wal$/, /sqlite-shm$/, /server-\d\.log$/]) {
      assert.ok(
        names.some((name) => wanted.test(name)),
        `there is a file like ${wanted}`,
      )
    }
    const canaries = [...secrets(), { name: "account name", bytes: utf8(NAME) }]
    assert.ok(stolen.every(({ keys, accounts }) => keys.length === 1 && accounts.length === 1))
    assert.deepEqual(search(disk, canaries), [])
    const size = disk.reduce((sum, { bytes }) => sum + bytes.length, 0)
    t.diagnostic(`${canaries.length} canaries: 0 found in ${disk.length} files, ${size} bytes`)
  })

  it("nothing that a command or an error of the SDK prints holds one", (t) => {
    const outputs = printed.map(({ out, err }, i) => ({
      where: `command ${i}`,
      bytes: utf8(out + err),
    }))
    const all = [...outputs, { where: "errors of the SDK", bytes: utf8(shown) }]
    assert.ok(printed.some(({ err }) => /guess/.test(err)))
    assert.deepEqual(search(all, secrets()), [])
    const size = all.reduce((sum, { bytes }) => sum + bytes.length, 0)
    t.diagnostic(`${secrets().length} canaries: 0 found in ${all.length} outputs, ${size} bytes`)
  })

  it("a single one, written to any of those files, would be found", async (t) => {
    await deployment.cluster.servers[2]?.stop("SIGKILL")
    const canaries = secrets().filter(({ name }) => /canary|share|seed/.test(name))
    for (const [i, { name, bytes }] of canaries.entries()) {
      const at = disk[i % disk.length] as Haystack
      // Into the file itself, so that reading it is part of what is shown.
      appendFileSync(at.where, bytes)
      const found = search(filesBelow(deployment.directory), [{ name, bytes }])
      assert.ok(found.length > 0 && found.every((text) => text.includes(at.where)), name)
      writeFileSync(at.where, at.bytes)
    }
    t.diagnostic(`${canaries.length} planted: all found`)
  })
})
