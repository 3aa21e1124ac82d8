import assert from "node:assert/strict"
import { execFileSync, spawn } from "node:child_process"
import { verify } from "node:crypto"
import { once } from "node:events"
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { after, before, describe, test } from "node:test"
import { setTimeout as wait } from "node:timers/promises"
import { fromHex, toBase64url } from "@lockkeeper/encoding"
import { schnorr } from "@noble/curves/secp256k1.js"
import { agentSocket } from "../src/agent/socket.ts"
import { spawnAgent } from "../src/agent/spawn.ts"
import { nodeArguments } from "../src/child-process.ts"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { connectKeeper } from "../src/sdk.ts"
import { commands } from "./commands.ts"
import { onlyLine, testHost, writeSecret } from "./support.ts"

const PASSWORD = "correct horse battery"
const NEXT_PASSWORD = "staple horse battery"

/** The whole command line on a real cluster: real processes, real protocols, a real agent. */
describe("on a local cluster", () => {
  let cluster: Cluster
  let home: string
  let environment: Record<string, string>
  const { lockkeeper, succeeds, fails } = commands(() => environment, { spawnAgent })

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    home = cluster.profile
    environment = {
      LK_HOME: home,
      LK_NAME: "ada",
      LK_PASSWORD_FILE: writeSecret(cluster.directory, "password", `${PASSWORD}\n`),
      LK_NEW_PASSWORD_FILE: writeSecret(cluster.directory, "next", NEXT_PASSWORD),
    }
  })

  after(async () => {
    await lockkeeper(["logout"])
    await cluster.stop()
  })

  test("an owner registers once", async () => {
    assert.equal((await succeeds(["register"]))["servers"], 3)
    assert.equal((await fails(["register"], EXIT.conflict))["code"], "already-exists")
  })

  test("a wrong password ends with 3 and says how many guesses remain", async () => {
    const wrong = { LK_PASSWORD_FILE: writeSecret(cluster.directory, "wrong", "wrong horse") }
    const error = await fails(["login"], EXIT.authentication, wrong)
    assert.equal(error["code"], "wrong-password")
    assert.equal(error["guessesRemaining"], 9)
    await fails(["keys", "list"], EXIT.authentication)
  })

  test("the agent's process shows the password nowhere, and its socket to nobody", async () => {
    assert.equal((await succeeds(["login"]))["agent"], true)
    assert.equal(statSync(agentSocket(home)).mode & 0o777, 0o600)
    assert.equal(statSync(join(home, "agent")).mode & 0o777, 0o700)
    const agents = readdirSync("/proc").filter((pid) => {
      if (!/^\d+$/.test(pid)) return false
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8")
      return command.includes("agent/main") && !command.includes("grep")
    })
    assert.ok(agents.length >= 1)
    for (const pid of agents) {
      for (const file of ["cmdline", "environ"]) {
        assert.ok(!readFileSync(`/proc/${pid}/${file}`, "utf8").includes(PASSWORD), file)
      }
    }
  })

  test("keys sign, and software that is not ours verifies", async () => {
    const ed25519 = (await succeeds(["keys", "create", "--type", "ed25519", "--label", "sol"]))[
      "key"
    ]
    const bip340 = (await succeeds(["keys", "create", "--type", "bip340", "--label", "btc"]))["key"]
    const { keys } = (await succeeds(["keys", "list"])) as { keys: { custody: string }[] }
    assert.deepEqual(
      keys.map(({ custody }) => custody),
      ["custodial", "custodial"],
    )

    const signed = await succeeds(["sign", "sol", "--message", "hello"])
    const x = toBase64url(fromHex((ed25519 as { publicKey: string }).publicKey))
    const key = { format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } } as const
    const signature = fromHex(String(signed["signature"]))
    assert.ok(verify(null, Buffer.from("hello"), key, signature))

    const sighash = "ab".repeat(32)
    const plain = await succeeds(["sign", "btc", "--hex", sighash])
    const publicKey = (bip340 as { publicKey: string }).publicKey
    const schnorrSignature = fromHex(String(plain["signature"]))
    assert.ok(schnorr.verify(schnorrSignature, fromHex(sighash), fromHex(publicKey)))

    const taproot = await succeeds(["sign", "btc", "--hex", sighash, "--taproot"])
    const check = ["verify", "--type", "bip340", "--public-key", publicKey, "--hex", sighash]
    const ofTaproot = ["--signature", String(taproot["signature"])]
    assert.equal((await succeeds([...check, ...ofTaproot, "--taproot"]))["valid"], true)
    const untweaked = await lockkeeper([...check, ...ofTaproot])
    assert.equal(untweaked.code, EXIT.verification)
  })

  test("a key in self custody signs on this device, and on no other profile's", async () => {
    const create = ["keys", "create", "--type", "ed25519", "--custody", "self"]
    const { key } = (await succeeds([...create, "--label", "own"])) as {
      key: { publicKey: string }
    }
    const { signature } = await succeeds(["sign", "own", "--message", "hello"])
    const x = toBase64url(fromHex(key.publicKey))
    const publicKey = { format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } } as const
    assert.ok(verify(null, Buffer.from("hello"), publicKey, fromHex(String(signature))))
    const kept = readdirSync(join(home, "device-secrets"))
    assert.equal(kept.length, 1)
    assert.equal(statSync(join(home, "device-secrets", String(kept[0]))).mode & 0o777, 0o600)

    // The agent has the share open still: another one has to ask for it.
    await succeeds(["logout"])
    renameSync(join(home, "device-secrets"), join(home, "taken"))
    await succeeds(["login"])
    const error = await fails(["sign", "own", "--message", "hello"], EXIT.notFound)
    assert.equal(error["field"], "deviceSecret")
    renameSync(join(home, "taken"), join(home, "device-secrets"))
  })

  test("a running server's directory cannot be run a second time", async () => {
    const [server] = cluster.servers
    const passphrase = join(cluster.directory, "server-1.passphrase")
    const line = ["server", "run", server?.directory ?? "", "--passphrase-file", passphrase]
    const error = await fails(line, EXIT.configuration)
    assert.equal(error["code"], "misconfigured")
  })

  test("an operator sees how many keys and accounts every server holds", async () => {
    const [first, second] = cluster.servers.map(({ directory }) => directory)
    const { keys } = await succeeds(["keys", "list"])
    const count = (keys as unknown[]).length
    const { holdings } = await succeeds(["health", "--directory", second ?? ""])
    const held = { keys: { 1: count }, accounts: { 1: 1 }, problem: "" }
    assert.deepEqual(
      holdings,
      [1, 2, 3].map((server) => ({ server, ...held })),
    )
    const host = { ...testHost({ environment }), connect: connectKeeper }
    assert.equal(await run(["health", "--directory", first ?? ""], host), EXIT.ok)
    assert.match(host.out.text, /ID +NAME +STATE +TIME +URL +KEYS +ACCOUNTS +DETAIL\n/)
    assert.match(host.out.text, new RegExp(`https://\\S+ +${count} +1 +version`))
    assert.equal((await succeeds(["health"]))["holdings"], undefined)
    const nowhere = await fails(["health", "--directory", cluster.directory], EXIT.configuration)
    assert.deepEqual([nowhere["code"], nowhere["field"]], ["misconfigured", "directory"])
  })

  test("with one server killed everything but registration goes on", async () => {
    await cluster.servers[0]?.stop("SIGKILL")
    assert.equal((await succeeds(["health"]))["ready"], 2)
    const signed = await succeeds(["sign", "sol", "--message", "still here"])
    assert.deepEqual(signed["signers"], [2, 3])
    assert.equal((await succeeds(["login", "--no-agent"]))["agent"], false)
    await fails(["register", "--name", "bob"], EXIT.servers)
  })

  test("with fewer than the threshold left, signing and health end with 7", async () => {
    await cluster.servers[1]?.stop("SIGKILL")
    await fails(["health"], EXIT.servers)
    const error = await fails(["sign", "sol", "--message", "alone"], EXIT.servers)
    assert.notEqual(error["remedy"], "")
    const signal = new AbortController().signal
    await Promise.all(cluster.servers.slice(0, 2).map((server) => server.start(signal)))
    assert.equal((await succeeds(["health"]))["ready"], 3)
    await succeeds(["sign", "sol", "--message", "together again"])
  })

  test("a changed password is the only one that logs in, to the same keys", async () => {
    await succeeds(["passwd"])
    assert.equal((await succeeds(["logout"]))["wasLoggedIn"], true)
    await fails(["login"], EXIT.authentication)
    const changed = { LK_PASSWORD_FILE: environment["LK_NEW_PASSWORD_FILE"] ?? "" }
    const { keys } = await succeeds(["keys", "list", "--no-agent"], changed)
    assert.equal((keys as unknown[]).length, 3)
  })

  test("an agent that nobody uses ends by itself", async () => {
    const changed = { LK_PASSWORD_FILE: environment["LK_NEW_PASSWORD_FILE"] ?? "" }
    await succeeds(["login"], { ...changed, LK_AGENT_IDLE_MINUTES: "0.01" })
    const deadline = Date.now() + 10_000
    for (;;) {
      const { code } = await lockkeeper(["keys", "list"])
      if (code === EXIT.authentication) break
      assert.ok(Date.now() < deadline, "the agent is still there")
      await wait(900)
    }
  })

  test("doctor finds nothing wrong", async () => {
    const { problems } = await succeeds(["doctor"])
    assert.equal(problems, 0)
  })

  test("evidence that is none ends with 10", async () => {
    const path = writeSecret(cluster.directory, "evidence", "not evidence")
    const { code, json } = await lockkeeper(["evidence", "verify", path])
    assert.equal(code, EXIT.verification)
    assert.equal(json["valid"], false)
  })

  test("a passphrase that is wrong, or readable by others, does not unseal", async () => {
    await cluster.servers[2]?.stop("SIGTERM")
    const directory = cluster.servers[2]?.directory ?? ""
    const wrong = writeSecret(cluster.directory, "wrong-passphrase", "not the passphrase")
    const run = ["server", "run", directory, "--passphrase-file"]
    const error = await fails([...run, wrong], EXIT.configuration)
    assert.match(String(error["message"]), /passphrase is wrong/)
    chmodSync(wrong, 0o644)
    await fails([...run, wrong], EXIT.configuration)
    await cluster.servers[2]?.start(new AbortController().signal)
  })
})

describe("lockkeeper dev", () => {
  async function startDev(...more: string[]) {
    const args = [...nodeArguments("./main"), "dev", "--json", ...more]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
    const [line] = await once(createInterface({ input: child.stdout }), "line")
    const started = JSON.parse(line as string)
    const pids: number[] = started.servers.map(({ pid }: { pid: number }) => pid)
    return { child, started, pids }
  }

  function isRunning(pid: number): boolean {
    try {
      // A zombie has no memory left: it has ended.
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
    } catch {
      return false
    }
  }

  async function allEnd(pids: readonly number[]): Promise<void> {
    const deadline = Date.now() + 10_000
    while (pids.some(isRunning)) {
      assert.ok(Date.now() < deadline, "a server outlived its cluster")
      await wait(50)
    }
  }

  test("ends its servers and deletes their files at SIGINT", async () => {
    const { child, started, pids } = await startDev("--servers", "2", "--threshold", "2")
    assert.equal(pids.length, 2)
    assert.equal(started.threshold, 2)
    assert.ok(statSync(started.profile).isDirectory())
    const exit = once(child, "exit")
    child.kill("SIGINT")
    assert.deepEqual(await exit, [0, null])
    await allEnd(pids)
    assert.equal(statSync(started.directory, { throwIfNoEntry: false }), undefined)
  })

  test("leaves no server behind even when it is killed", async () => {
    const { child, started, pids } = await startDev("--servers", "1")
    child.kill("SIGKILL")
    await allEnd(pids)
    rmSync(started.directory, { recursive: true })
  })

  test("keeps a named directory and runs the same cluster again", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "lk-dev-"))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const pins: string[] = []
    for (let i = 0; i < 2; i++) {
      const { child, started, pids } = await startDev("--servers", "1", "--directory", directory)
      const host = testHost({ environment: { LK_HOME: started.profile } })
      assert.equal(await run(["roster", "show", "--json"], host), EXIT.ok)
      pins.push(String(onlyLine(host)["digest"]))
      child.kill("SIGTERM")
      await allEnd(pids)
    }
    assert.equal(pins[0], pins[1])
    const host = testHost({})
    const other = ["dev", "--servers", "2", "--directory", directory, "--json"]
    assert.equal(await run(other, host), EXIT.configuration)
  })

  test("refuses a threshold above the number of servers, naming it", async () => {
    for (const line of [
      ["--servers", "3", "--threshold", "4"],
      ["--servers", "3", "--threshold", "0"],
    ]) {
      const host = testHost({})
      assert.equal(await run(["dev", ...line, "--json"], host), EXIT.configuration)
      const { error } = onlyLine(host) as { error: { field: string; remedy: string } }
      assert.equal(error.field, "threshold")
      assert.notEqual(error.remedy, "")
    }
    assert.equal(await run(["dev", "--servers", "many"], testHost({})), EXIT.usage)
  })

  test("is found by its process name nowhere after these tests", () => {
    const left = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
    assert.ok(!left.split("\n").some((line) => line.includes("lk-dev-")))
  })
})
