import assert from "node:assert/strict"
import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { resolveSettings, unknownVariables, VARIABLES } from "../src/settings.ts"
import { temporaryDirectory } from "./support.ts"

function refusal(field: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LockKeeperError)
    assert.equal(error.code, "misconfigured")
    assert.equal(error.field, field)
    assert.match(error.message, words)
    assert.notEqual(error.remedy, "")
    return true
  }
}

describe("settings", () => {
  test("come from option, then variable, then file, then default", (t) => {
    const home = temporaryDirectory(t)
    assert.equal(resolveSettings({ home }, {}).roster, join(home, "roster.lk"))
    writeFileSync(join(home, "config.json"), `{"roster":"file.lk","name":"ada","agent":false}`)
    const fromFile = resolveSettings({ home }, {})
    assert.equal(fromFile.roster, join(home, "file.lk"))
    assert.equal(fromFile.name, "ada")
    assert.equal(fromFile.useAgent, false)
    const environment = { LK_HOME: home, LK_ROSTER: "/v.lk", LK_NAME: "bob", LK_AGENT: "on" }
    const fromVariable = resolveSettings({}, environment)
    assert.equal(fromVariable.roster, "/v.lk")
    assert.equal(fromVariable.name, "bob")
    assert.equal(fromVariable.useAgent, true)
    const fromOption = resolveSettings({ roster: "/o.lk", agent: false, json: true }, environment)
    assert.equal(fromOption.roster, "/o.lk")
    assert.equal(fromOption.useAgent, false)
    assert.equal(fromOption.json, true)
  })

  test("cannot be changed once resolved", (t) => {
    const settings = resolveSettings({ home: temporaryDirectory(t) }, {})
    assert.throws(() => Object.assign(settings, { roster: "/other" }), TypeError)
  })

  test("with an unknown key in the file are refused, naming key and file", (t) => {
    const home = temporaryDirectory(t)
    writeFileSync(join(home, "config.json"), `{"rooster":"x"}`)
    assert.throws(() => resolveSettings({ home }, {}), refusal("config.rooster", /rooster/))
    writeFileSync(join(home, "config.json"), `{"constructor":"x"}`)
    assert.throws(
      () => resolveSettings({ home }, {}),
      refusal("config.constructor", /unknown setting/),
    )
  })

  test("with a value of the wrong type are refused, naming the key", (t) => {
    const home = temporaryDirectory(t)
    writeFileSync(join(home, "config.json"), `{"agent":"no"}`)
    assert.throws(() => resolveSettings({ home }, {}), refusal("config.agent", /not a boolean/))
  })

  test("with a NUL character in the file are refused, naming the key", (t) => {
    const home = temporaryDirectory(t)
    writeFileSync(join(home, "config.json"), `{"roster":"a\\u0000"}`)
    assert.throws(() => resolveSettings({ home }, {}), refusal("config.roster", /NUL/))
  })

  test("from a file that others can write are refused", (t) => {
    const home = temporaryDirectory(t)
    writeFileSync(join(home, "config.json"), "{}")
    chmodSync(join(home, "config.json"), 0o666)
    assert.throws(() => resolveSettings({ home }, {}), refusal("config", /Others can write/))
  })

  test("from a file that is not JSON, or not an object, are refused", (t) => {
    const home = temporaryDirectory(t)
    for (const [content, words] of [
      ["{", /not JSON/],
      ["[]", /not a JSON object/],
      ["null", /not a JSON object/],
    ] as const) {
      writeFileSync(join(home, "config.json"), content)
      assert.throws(() => resolveSettings({ home }, {}), refusal("config", words))
    }
  })

  test("from a named file that does not exist are refused", (t) => {
    const config = join(temporaryDirectory(t), "absent.json")
    assert.throws(() => resolveSettings({ config }, {}), refusal("config", /does not exist/))
  })

  test("with a malformed pin, switch or idle time are refused, naming the variable", (t) => {
    const home = temporaryDirectory(t)
    const refuses = (environment: Record<string, string>, field: string) =>
      assert.throws(() => resolveSettings({ home }, environment), refusal(field, /./))
    refuses({ LK_ROSTER_PIN: "abc" }, "LK_ROSTER_PIN")
    refuses({ LK_ROSTER_PIN: "AB".repeat(32) }, "LK_ROSTER_PIN")
    refuses({ LK_AGENT: "maybe" }, "LK_AGENT")
    for (const minutes of ["0", "-1", "NaN", "1441", "soon"]) {
      refuses({ LK_AGENT_IDLE_MINUTES: minutes }, "LK_AGENT_IDLE_MINUTES")
    }
    assert.equal(resolveSettings({ home }, { LK_AGENT_IDLE_MINUTES: "2" }).agentIdleMs, 120_000)
  })

  test("name every LK_ variable that means nothing", () => {
    assert.deepEqual(unknownVariables({ LK_PASWORD_FILE: "x", LK_HOME: "y", PATH: "z" }), [
      "LK_PASWORD_FILE",
    ])
    assert.equal(new Set(VARIABLES.map(([name]) => name)).size, VARIABLES.length)
  })
})
