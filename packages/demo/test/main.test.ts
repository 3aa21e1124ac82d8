import assert from "node:assert/strict"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { describe, test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url))

describe("the main job", () => {
  test("ends with 0 and one JSON line that names every signature and its verifier", async () => {
    const started = performance.now()
    const args = ["-C", "lockkeeper-source", MAIN, "--once", "--json"]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      timeout: 120_000,
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"] },
    })
    const lines = stdout.split("\n")
    assert.equal(lines.length, 2)
    assert.equal(lines[1], "")
    const { ms, ...facts } = JSON.parse(lines[0] ?? "")
    assert.deepEqual(facts, {
      ok: true,
      servers: 3,
      threshold: 2,
      signatures: [false, true].flatMap((afterServerLoss) => [
        ...[
          { keyType: "ed25519", what: "solana-transfer", verifiedBy: "node:crypto" },
          { keyType: "bip340", what: "taproot-spend", verifiedBy: "@scure/btc-signer" },
          { keyType: "ecdsa-secp256k1", what: "eip1559-transfer", verifiedBy: "anvil" },
          { keyType: "ecdsa-secp256k1", what: "erc20-transfer", verifiedBy: "anvil" },
          { keyType: "ecdsa-secp256k1", what: "p2wpkh-spend", verifiedBy: "@scure/btc-signer" },
        ].map((signature) => ({ ...signature, afterServerLoss })),
      ]),
    })
    const times: number[] = Object.values(ms)
    assert.ok(times.every((time) => time > 0))
    assert.ok(times.reduce((a, b) => a + b) <= performance.now() - started)
    assert.match(stderr, /1 SOL/)
    assert.match(stderr, /1 ETH from 0x/)
    assert.match(stderr, /400 PLAY from 0x/)
    const chain = /listens at (http:\S+)/.exec(stderr)?.[1] ?? ""
    await assert.rejects(fetch(chain), "the chain ends with the program")
    assert.match(stderr, /Refused: .* 9 guesses/)
    assert.ok(!stderr.includes("correct horse"), "the password is not told when nobody goes on")
  })

  test("without --once stays up with a next command and the lost server back, until told to end", async (t) => {
    const child = spawn(process.execPath, ["-C", "lockkeeper-source", MAIN], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"] },
    })
    t.after(() => child.kill("SIGKILL"))
    const lines: string[] = []
    const reader = createInterface({ input: child.stdout })
    reader.on("line", (line) => lines.push(line))
    const exit = once(child, "exit")
    while (!lines.some((line) => line.includes("The chain:"))) {
      await Promise.race([once(reader, "line"), exit])
      assert.equal(child.exitCode, null, lines.join("\n"))
    }
    const text = lines.join("\n")
    const profile = /LK_HOME=(\S+)/.exec(text)?.[1] ?? ""
    assert.ok(existsSync(join(profile, "roster.lk")))
    const chain = /The chain: (\S+)/.exec(text)?.[1] ?? ""
    assert.equal((await fetch(chain)).status, 400, "the chain is there to go on with")
    assert.match(text, /started again/)
    assert.match(text, /lockkeeper login --name ada/)
    assert.match(text, /lockkeeper keys list/)
    child.kill("SIGTERM")
    assert.deepEqual(await exit, [0, null])
    assert.ok(!existsSync(profile))
    await assert.rejects(fetch(chain))
  })

  test("ends with 2 on an option that it does not know", async () => {
    const args = ["-C", "lockkeeper-source", MAIN, "--frobnicate"]
    await assert.rejects(
      promisify(execFile)(process.execPath, args),
      (error: { code?: number; stderr?: string }) =>
        error.code === 2 && /--once/.test(error.stderr ?? ""),
    )
  })
})
