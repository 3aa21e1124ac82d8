import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { decodeRoster } from "@lockkeeper/api"
import { readDescriptor } from "@lockkeeper/server"
import { EXIT } from "../src/exit-codes.ts"
import { readRosterBytes } from "../src/roster-file.ts"
import { Operators } from "./operators.ts"

const keyIn = (directory: string) =>
  readDescriptor(readFileSync(join(directory, "descriptor.json"), "utf8")).channelKey

describe("a drill for a server that somebody else holds", () => {
  test("says whom it waits for, then makes the roster without it, and signs that", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony(["alpha", "beta", "gamma"])
    const [alpha, beta] = [operators.at("alpha"), operators.at("beta")]
    const keys = [keyIn(alpha), keyIn(beta)]
    const roster = ["--roster", operators.at("roster.lk")]
    const out = operators.at("next.unsigned")
    const drill = [...roster, "drill", "compromise", "--server", "gamma", "--out", out]
    const dry = await operators.run([...drill, "--directory", alpha, "--dry-run"])
    assert.deepEqual([dry["phase"], dry["missing"]], ["rotate", ["beta"]])
    assert.deepEqual(keyIn(alpha), keys[0], "a dry run changes nothing")
    const waits = await operators.run([...drill, "--directory", alpha])
    assert.deepEqual([waits["phase"], waits["missing"]], ["rotate", ["beta"]])
    assert.notDeepEqual(keyIn(alpha), keys[0])
    const descriptor = ["--descriptor", join(beta, "descriptor.json")]
    const still = await operators.run([...drill, "--directory", alpha, ...descriptor])
    assert.deepEqual(still["missing"], ["beta"], "one with the old key is none")
    await operators.run(["server", "rotate-channel-key", beta])
    const done = await operators.run([...drill, "--directory", alpha, ...descriptor])
    assert.deepEqual([done["phase"], done["consents"]], ["sign", ["alpha", "beta", "gamma"]])
    assert.deepEqual(done["changes"], [
      'removed: server 3 "gamma" at https://localhost:3, operator unnamed, cloud unnamed, jurisdiction unnamed',
      'new channel key: server 1 "alpha"',
      'new channel key: server 2 "beta"',
      "servers: 3 before, 2 now",
    ])
    const next = decodeRoster(readRosterBytes(out))
    assert.deepEqual(
      next.members.map(({ channelKey }) => channelKey),
      [keyIn(alpha), keyIn(beta)],
    )
    assert.deepEqual(next.transition, { leaving: [], minSignersBefore: 2 })
    const [mine = ""] = done["signatures"] as string[]
    assert.ok(existsSync(mine))
    const theirs = operators.at("beta.next")
    await operators.run(["roster", "sign", beta, out, "--out", theirs])
    const joined = ["--out", operators.at("next.lk"), "--bundle", operators.at("next.bundle")]
    const after = ["--after", operators.at("roster.lk")]
    await operators.run(["roster", "join", ...joined, ...after, mine, theirs])
    const bundle = operators.at("next.bundle")
    for (const server of [alpha, beta]) await operators.run(["roster", "activate", server, bundle])
    const out3 = ["roster", "activate", operators.at("gamma"), bundle]
    assert.equal((await operators.refused(out3, EXIT.configuration)).field, "members")
    for (const server of [alpha, beta]) await operators.run(["roster", "settle", server])
  })

  test("takes a new server under a number that nobody had", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony(["alpha", "beta", "gamma"])
    const delta = await operators.init("delta")
    const roster = ["--roster", operators.at("roster.lk")]
    const out = operators.at("next.unsigned")
    const own = ["alpha", "gamma"].flatMap((name) => ["--directory", operators.at(name)])
    const drill = ["drill", "compromise", "--server", "2", "--replacement", delta, "--out", out]
    await operators.run([...roster, ...drill, ...own])
    const { members } = decodeRoster(readRosterBytes(out))
    assert.deepEqual(
      members.map(({ identifier, name }) => [identifier, name]),
      [
        [1, "alpha"],
        [3, "gamma"],
        [4, "delta"],
      ],
    )
  })

  test("refuses whom no roster had, and descriptors of the server itself before it changes any", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony(["alpha", "beta", "gamma"])
    const roster = ["--roster", operators.at("roster.lk")]
    const drill = [...roster, "drill", "compromise", "--server"]
    const nobody = await operators.refused([...drill, "delta"], EXIT.notFound)
    assert.equal(nobody.field, "server")
    const gamma = operators.at("gamma")
    const key = keyIn(gamma)
    const itself = await operators.refused([...drill, "gamma", "--directory", gamma], EXIT.usage)
    assert.deepEqual([itself.code, itself.field], ["invalid-request", "descriptor"])
    assert.deepEqual(keyIn(gamma), key)
    const own = ["alpha", "beta"].flatMap((name) => ["--directory", operators.at(name)])
    const most = [...drill, "gamma", ...own, "--threshold", "3", "--out", operators.at("no")]
    assert.equal((await operators.refused(most, EXIT.configuration)).field, "minSigners")
  })
})
