import assert from "node:assert/strict"
import type { Host } from "../src/command.ts"
import type { Cluster } from "../src/dev/cluster.ts"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { connectKeeper } from "../src/sdk.ts"
import { onlyLine, testHost, writeSecret } from "./support.ts"

type Environment = Record<string, string>

/** What an owner of a local cluster has set: a profile, a name, a password; no agent. */
export function ownerOf(cluster: Cluster): Environment {
  return {
    ...{ LK_HOME: cluster.profile, LK_NAME: "ada", LK_AGENT: "off" },
    LK_PASSWORD_FILE: writeSecret(cluster.directory, "password", "correct horse battery"),
  }
}

/** The command line against real servers; every command is run as JSON. */
export function commands(environment: () => Environment, more: Partial<Host> = {}) {
  async function lockkeeper(line: readonly string[], further: Environment = {}) {
    const host = testHost({ environment: { ...environment(), ...further } })
    const code = await run([...line, "--json"], { ...host, connect: connectKeeper, ...more })
    return { code, json: onlyLine(host), err: host.err.text }
  }

  async function succeeds(line: readonly string[], further: Environment = {}) {
    const { code, json, err } = await lockkeeper(line, further)
    assert.equal(code, EXIT.ok, `${line.join(" ")}: ${JSON.stringify(json)} ${err}`)
    assert.equal(json["ok"], true)
    return json
  }

  /** The error of a command that ends with this exit code; empty where it reports what it found. */
  async function fails(line: readonly string[], code: number, further: Environment = {}) {
    const { code: actual, json } = await lockkeeper(line, further)
    assert.equal(actual, code, `${line.join(" ")}: ${JSON.stringify(json)}`)
    assert.equal(json["ok"], false)
    const error = (json["error"] ?? {}) as Record<string, unknown>
    assert.notEqual(error["remedy"], "", line.join(" "))
    return error
  }

  return { lockkeeper, succeeds, fails }
}
