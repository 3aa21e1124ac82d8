import assert from "node:assert/strict"
import { readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import {
  encodeRosterChain,
  LockKeeperError,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { EXIT } from "../src/exit-codes.ts"
import { readRoster, replaceRosterFile } from "../src/roster-file.ts"
import { Operators } from "./operators.ts"
import { chainOfThree, writeChain } from "./rosters.ts"
import { temporaryDirectory } from "./support.ts"

describe("operators who change their roster with nothing but the command", () => {
  test("move a server: proposed, signed, joined, activated, and followed from the first pin", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const roster = ["--roster", operators.at("roster.lk")]
    const { digest: pin } = await operators.run(["roster", "show", ...roster])
    const next = operators.at("next.unsigned")
    const change = ["--move", "beta", "--url", "https://localhost:22", "--refresh-hours", "24"]
    await operators.run(["roster", "propose", ...roster, ...change, "--out", next])
    for (const name of ["alpha", "beta"]) {
      const out = ["--out", operators.at(`${name}.next`)]
      await operators.run(["roster", "sign", operators.at(name), next, ...out])
    }
    const joined = operators.at("next.lk")
    const bundle = operators.at("next.bundle")
    const signatures = ["alpha", "beta"].map((name) => operators.at(`${name}.next`))
    const join = ["roster", "join", "--out", joined, "--bundle", bundle, ...signatures]
    const alone = await operators.refused(join, EXIT.configuration)
    assert.equal(alone.field, "after")
    await operators.run([...join, "--after", operators.at("roster.lk")])
    for (const name of ["alpha", "beta"]) {
      const activate = ["roster", "activate", operators.at(name), bundle]
      const { rosterEpoch, changes } = await operators.run(activate)
      assert.equal(rosterEpoch, 2)
      assert.match(String((changes as string[])[0]), /^moved: server 2 "beta", url/)
      const again = await operators.refused(activate, EXIT.trust)
      assert.equal(again.field, "rosterEpoch")
    }
    const verified = await operators.run(["roster", "verify", joined, "--pin", String(pin)])
    assert.deepEqual([verified["rosterEpoch"], verified["rostersBefore"]], [2, 1])
    const after = ["--after", operators.at("roster.lk")]
    await operators.run(["roster", "verify", joined, ...after])
    const back = ["roster", "verify", operators.at("roster.lk"), "--after", joined]
    assert.equal((await operators.refused(back, EXIT.trust)).field, "rosterEpoch")
    const shown = await operators.run(["roster", "show", "--roster", joined])
    assert.deepEqual(
      (shown["before"] as { digest: string }[]).map(({ digest }) => digest),
      [pin],
    )
    const diff = await operators.run(["roster", "diff", operators.at("roster.lk"), joined])
    assert.deepEqual([diff["resharing"], (diff["changes"] as string[]).length], [false, 2])
  })

  test("take a server in, in transition until shares have moved to it", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const roster = ["--roster", operators.at("roster.lk")]
    const gamma = await operators.init("gamma")
    const next = operators.at("next.unsigned")
    const change = ["--add", gamma, "--out", next]
    const { resharing } = await operators.run(["roster", "propose", ...roster, ...change])
    assert.equal(resharing, true)
    const names = ["alpha", "beta", "gamma"]
    for (const name of names) {
      const out = ["--out", operators.at(`${name}.next`)]
      await operators.run(["roster", "sign", operators.at(name), next, ...out])
    }
    const bundle = operators.at("next.bundle")
    const out = ["--out", operators.at("next.lk"), "--bundle", bundle]
    const files = names.map((name) => operators.at(`${name}.next`))
    await operators.run(["roster", "join", ...out, "--after", operators.at("roster.lk"), ...files])
    for (const name of names) {
      await operators.run(["roster", "activate", operators.at(name), bundle])
    }
    const shown = await operators.run(["roster", "show", "--roster", operators.at("next.lk")])
    assert.deepEqual(shown["transition"], { leaving: [], minSignersBefore: 2 })
    for (const name of names) {
      const settle = ["roster", "settle", operators.at(name)]
      // There is nothing that could come to it, which no server knows of the others.
      const joins = name === "gamma"
      if (joins) {
        const early = await operators.refused(settle, EXIT.conflict)
        assert.match(early.message, /^"gamma" joins, and nothing has come to it yet/)
      }
      const force = joins ? ["--force"] : []
      const { rosterEpoch, running, changes } = await operators.run([...settle, ...force])
      assert.deepEqual([rosterEpoch, running], [3, false])
      assert.match(String(changes), /^settled: every share is where the roster wants it$/)
      const again = await operators.refused(settle, EXIT.conflict)
      assert.deepEqual([again.code, again.field], ["conflict", "transition"])
    }
  })

  test("have a server leave, and destroy it when it is out and holds nothing", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const roster = ["--roster", operators.at("roster.lk")]
    const gamma = await operators.init("gamma")
    const beta = operators.at("beta")
    const retire = ["server", "retire", beta]
    const held = await operators.refused(retire, EXIT.conflict)
    assert.equal(held.field, "roster")
    assert.match(held.message, /"beta" is one of those that hold shares under roster 1/)
    const next = operators.at("next.unsigned")
    const change = ["--add", gamma, "--remove", "beta", "--out", next]
    await operators.run(["roster", "propose", ...roster, ...change])
    const names = ["alpha", "beta", "gamma"]
    for (const name of names) {
      const out = ["--out", operators.at(`${name}.next`)]
      const { settled } = await operators.run(["roster", "sign", operators.at(name), next, ...out])
      assert.match(String(settled), /^[0-9a-f]{64}$/)
    }
    const bundle = operators.at("next.bundle")
    const out = ["--out", operators.at("next.lk"), "--bundle", bundle]
    const files = names.map((name) => operators.at(`${name}.next`))
    await operators.run(["roster", "join", ...out, "--after", operators.at("roster.lk"), ...files])
    for (const name of names) {
      await operators.run(["roster", "activate", operators.at(name), bundle])
    }
    const leaving = await operators.refused(["roster", "settle", beta], EXIT.conflict)
    assert.deepEqual([leaving.code, leaving.field], ["conflict", "transition.leaving"])
    assert.match(leaving.remedy, /server retire/)
    const before = readdirSync(beta).sort()
    const { files: would } = await operators.run([...retire, "--dry-run"])
    assert.deepEqual(readdirSync(beta).sort(), before, "a dry run changes nothing")
    const { files: gone } = await operators.run(retire)
    assert.deepEqual(gone, would)
    assert.ok((gone as string[]).includes("seal") && (gone as string[]).includes("database.sqlite"))
    assert.deepEqual(readdirSync(beta), [])
    await operators.refused(retire, EXIT.configuration)
    for (const name of ["alpha", "gamma"]) {
      const force = name === "gamma" ? ["--force"] : []
      const settled = await operators.run(["roster", "settle", operators.at(name), ...force])
      assert.deepEqual([settled["rosterEpoch"], settled["servers"]], [3, 2])
    }
  })
})

describe("a profile's roster file", () => {
  const refusal = (field: string) => (error: unknown) =>
    error instanceof LockKeeperError && error.code === "untrusted-roster" && error.field === field

  test("is replaced by a longer chain from it, whole, where it is, with its mode", async (t) => {
    const directory = temporaryDirectory(t)
    const chain = chainOfThree({ refreshHours: 1 }, { refreshHours: 2 })
    const path = writeChain(join(directory, "real.lk"), chain.slice(0, 1))
    symlinkSync("real.lk", join(directory, "roster.lk"))
    const { mode } = statSync(path)
    replaceRosterFile(join(directory, "roster.lk"), encodeRosterChain(chain))
    assert.deepEqual(new Uint8Array(readFileSync(path)), encodeRosterChain(chain))
    assert.equal(statSync(path).mode, mode)
    assert.deepEqual(readdirSync(directory).sort(), ["real.lk", "roster.lk"])
    const pin = rosterDigest((chain[0] as SignedRoster).roster)
    assert.equal(readRoster(join(directory, "roster.lk"), pin).roster.rosterEpoch, 3)
    replaceRosterFile(path, encodeRosterChain(chain.slice(0, 2)).slice())
    assert.equal(readRoster(path, pin).roster.rosterEpoch, 3, "never by a shorter one")
  })

  test("stays as it is when the chain does not follow from it", async (t) => {
    const chain = chainOfThree({ refreshHours: 1 })
    const path = writeChain(join(temporaryDirectory(t), "roster.lk"), chain)
    const fork = encodeRosterChain(chainOfThree({ refreshHours: 2 }, { refreshHours: 3 }))
    const before = toHex(new Uint8Array(readFileSync(path)))
    assert.throws(() => replaceRosterFile(path, fork), refusal("roster"))
    assert.equal(toHex(new Uint8Array(readFileSync(path))), before)
  })
})
