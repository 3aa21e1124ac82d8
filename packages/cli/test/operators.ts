import assert from "node:assert/strict"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { connectKeeper } from "../src/sdk.ts"
import { onlyLine, temporaryDirectory, testHost, writeSecret } from "./support.ts"

const NAMES = ["alpha", "beta"] as const

const PORTS: Readonly<Record<string, number>> = { alpha: 1, beta: 2, gamma: 3 }

/** Independent operators who make servers and a roster, with nothing but the command. */
export class Operators {
  readonly directory: string
  readonly passphrase: string

  constructor(t: TestContext) {
    this.directory = temporaryDirectory(t)
    this.passphrase = writeSecret(this.directory, "passphrase", "an operator's long passphrase")
  }

  at(name: string): string {
    return join(this.directory, name)
  }

  async run(line: readonly string[], expected: number = EXIT.ok) {
    const environment = { LK_HOME: this.at("home"), LK_PASSPHRASE_FILE: this.passphrase }
    const host = { ...testHost({ environment }), connect: connectKeeper }
    const code = await run([...line, "--json"], host)
    const json = onlyLine(host)
    assert.equal(code, expected, `${line.join(" ")}: ${JSON.stringify(json)}`)
    return json
  }

  async refused(line: readonly string[], expected: number) {
    const { error } = await this.run(line, expected)
    const refusal = error as { code: string; field: string; message: string; remedy: string }
    assert.notEqual(refusal.remedy, "")
    return refusal
  }

  async init(name: string): Promise<string> {
    const url = `https://localhost:${PORTS[name] ?? 9}`
    const { descriptor } = await this.run([
      "server",
      "init",
      this.at(name),
      "--name",
      name,
      "--url",
      url,
    ])
    return String(descriptor)
  }

  /** Everything up to the installed roster. */
  async ceremony(names: readonly string[] = NAMES): Promise<void> {
    const descriptors: string[] = []
    for (const name of names) descriptors.push(await this.init(name))
    const unsigned = this.at("roster.unsigned")
    await this.run(["roster", "create", "--threshold", "2", "--out", unsigned, ...descriptors])
    for (const name of names) await this.sign(name)
    const out = ["--out", this.at("roster.lk"), "--bundle", this.at("roster.bundle")]
    await this.run(["roster", "join", ...names.map((name) => this.at(`${name}.signature`)), ...out])
    for (const name of names) {
      await this.run(["roster", "install", this.at(name), this.at("roster.bundle")])
    }
  }

  async sign(name: string, unsigned = this.at("roster.unsigned")) {
    const out = ["--out", this.at(`${name}.signature`)]
    return await this.run(["roster", "sign", this.at(name), unsigned, ...out])
  }
}
