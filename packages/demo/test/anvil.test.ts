import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { describe, test } from "node:test"
import { setTimeout as wait } from "node:timers/promises"
import { anvilProgram, NoChain, startAnvil } from "../src/anvil.ts"

const CHAIN_HOLDER = new URL("./processes/chain-holder.ts", import.meta.url).pathname

async function answers(url: string): Promise<boolean> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] })
  const headers = { "content-type": "application/json" }
  const response = await fetch(url, { method: "POST", headers, body }).catch(() => null)
  return response?.ok === true
}

async function goesAway(url: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (await answers(url)) {
    assert.ok(Date.now() < deadline, "the chain outlived its owner")
    await wait(20)
  }
}

/** Lets a test that fails leave nothing behind. */
function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL")
  } catch {
    // As it should be: it has ended by itself.
  }
}

describe("the chain's process", () => {
  test("answers on a port of the loopback interface until it is stopped", async () => {
    const anvil = await startAnvil()
    assert.match(anvil.url, /^http:\/\/127\.0\.0\.1:\d+$/)
    assert.ok(await answers(anvil.url))
    await anvil.stop()
    await goesAway(anvil.url)
    await anvil.stop()
  })

  test("ends with the process that started it, even when that is killed", async (t) => {
    for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"] as const) {
      const args = ["-C", "lockkeeper-source", CHAIN_HOLDER]
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
      const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string]
      const [url = "", group] = line.split(" ")
      t.after(() => endGroup(Number(group)))
      assert.ok(await answers(url))
      child.kill(signal)
      await once(child, "exit")
      await goesAway(url)
    }
  })

  test("is not started once the work was interrupted", async () => {
    const started = startAnvil(AbortSignal.abort()).then((anvil) => anvil.stop())
    await assert.rejects(started, { name: "AbortError" })
  })

  test("is said to be missing on a platform that has none, by name", () => {
    const refusal = (error: unknown) =>
      error instanceof NoChain && /no EVM chain for sunos-sparc, only for/.test(error.message)
    assert.throws(() => anvilProgram("sunos", "sparc"), refusal)
    const installed = new Set(["x64", "arm64"].map((architecture) => attempt(architecture)))
    assert.ok(installed.has("found"), "the one of this platform is installed")
  })
})

function attempt(architecture: string): "found" | "missing" {
  try {
    assert.ok(readFileSync(anvilProgram("linux", architecture)).length > 1_000_000)
    return "found"
  } catch (error) {
    assert.ok(error instanceof NoChain && /not installed/.test(error.message))
    return "missing"
  }
}
