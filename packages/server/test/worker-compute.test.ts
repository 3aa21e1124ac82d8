import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { after, test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { deliver, dkls, type Message } from "@lockkeeper/protocols"
import { inlineCompute } from "../src/adapters/inline-compute.ts"
import { WorkerCompute } from "../src/adapters/worker-compute/worker-compute.ts"
import type { Urgency } from "../src/ports/dependencies.ts"

const PROGRAM = new URL("./processes/compute-thread.ts", import.meta.url)

const pools: WorkerCompute[] = []
after(() => Promise.all(pools.map((pool) => pool.close())))

function pool(threads: number, queue = 16): WorkerCompute {
  const made = new WorkerCompute({ threads, queue, program: PROGRAM })
  pools.push(made)
  return made
}

/** A task that takes `ms`, 255 at most, and comes back as it went. */
function sleeping(ms: number, name: string): Bytes {
  return new Uint8Array([...utf8("s"), ms, ...utf8(name)])
}

const refusedAs = (code: string) => (error: unknown) =>
  error instanceof LockKeeperError && error.code === code && error.remedy !== ""

const niceOf = (stat: string): number => Number(stat.slice(stat.lastIndexOf(")")).split(" ")[17])

test("what somebody waits for goes before what is in the background, each in its order", async () => {
  const compute = pool(1)
  const ended: string[] = []
  const add = async (urgency: Urgency, name: string) => {
    await compute.work(sleeping(5, name), urgency)
    ended.push(name)
  }
  const first = add("background", "b1")
  await Promise.all([
    first,
    add("background", "b2"),
    add("background", "b3"),
    add("now", "n1"),
    add("now", "n2"),
  ])
  assert.deepEqual(ended, ["b1", "n1", "n2", "b2", "b3"])
})

test("background tasks leave one of several threads to what somebody waits for", async () => {
  const compute = pool(3)
  const background = ["b1", "b2", "b3", "b4"].map((name) =>
    compute.work(sleeping(50, name), "background"),
  )
  assert.deepEqual([compute.load("background").running, compute.load("background").waiting], [2, 2])
  const now = compute.work(sleeping(1, "n1"), "now")
  assert.deepEqual([compute.load("now").running, compute.load("now").waiting], [1, 0])
  await Promise.all([now, ...background])
  assert.equal(compute.load("background").ended, 4)
})

test("what waits is bounded for each urgency, and a refused task is wiped", async () => {
  const compute = pool(1, 2)
  const running = compute.work(sleeping(20, "r"), "background")
  const waiting = [1, 2].map((n) => compute.work(sleeping(1, `w${n}`), "background"))
  const refused = sleeping(1, "one too many")
  await assert.rejects(compute.work(refused, "background"), refusedAs("rate-limited"))
  assert.ok(refused.every((byte) => byte === 0))
  await compute.work(sleeping(1, "n"), "now")
  await Promise.all([running, ...waiting])
  await compute.work(sleeping(1, "room again"), "background")
})

for (const [death, task] of [
  ["exits", "x"],
  ["runs out of memory", "m"],
] as const) {
  test(`a thread that ${death} fails its own task alone and is replaced`, async () => {
    const compute = pool(1)
    const dying = compute.work(utf8(task), "now")
    const next = compute.work(utf8("echo"), "now")
    await assert.rejects(dying, refusedAs("unavailable"))
    assert.deepEqual(await next, utf8("echo"))
    assert.deepEqual(await compute.work(utf8("echo again"), "background"), utf8("echo again"))
  })
}

test("a task that throws fails alone, by name, and its thread lives on", async () => {
  const compute = pool(1)
  const wrong = { name: "RangeError", message: "the task is wrong" }
  await assert.rejects(compute.work(utf8("t"), "now"), wrong)
  assert.deepEqual(await compute.work(utf8("echo"), "now"), utf8("echo"))
})

test("tasks and results are handed over and wiped, with no copy left on either side", async () => {
  const compute = pool(1)
  const task = utf8("a secret").slice()
  const result = await compute.work(task, "now")
  assert.equal(task.buffer.detached, true)
  assert.deepEqual(result, utf8("a secret"))
  const left = await compute.work(utf8("l"), "now")
  assert.deepEqual([...left], [...new Array(8).fill(0), 1])

  const whole = new Uint8Array(16).fill(1)
  const part = whole.subarray(4, 8)
  await compute.work(part, "now")
  assert.deepEqual([...whole], [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
  const packed = await compute.work(utf8("p"), "now")
  assert.deepEqual([...packed], new Array(8).fill(7))
  assert.equal(packed.buffer.byteLength, 8)
})

test("closing wipes what waits, lets what runs end and refuses what comes", async () => {
  const compute = pool(1)
  const running = compute.work(sleeping(50, "r"), "background")
  const task = sleeping(1, "w")
  const waiting = compute.work(task, "now")
  const refused = assert.rejects(waiting, refusedAs("unavailable"))
  await Promise.all([compute.close(), refused])
  assert.deepEqual(await running, sleeping(50, "r"))
  assert.ok(task.every((byte) => byte === 0))
  await assert.rejects(compute.work(sleeping(1, "late"), "now"), refusedAs("unavailable"))
})

const POOL = JSON.stringify(
  new URL("../src/adapters/worker-compute/worker-compute.ts", import.meta.url),
)

/** Runs a program in a process of its own, to see how it ends and what it printed. */
async function inProcess(code: string): Promise<readonly [number | null, string]> {
  const program = `import { WorkerCompute } from ${POOL}\n${code}`
  const args = ["--conditions=lockkeeper-source", "--input-type=module", "--eval", program]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  let output = ""
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  const [status] = await once(child, "exit")
  return [status, output.trim()]
}

test("a pool whose thread dies while it closes is closed", async () => {
  const compute = pool(1)
  const dying = assert.rejects(compute.work(utf8("m"), "now"), refusedAs("unavailable"))
  await Promise.all([compute.close(), dying])
})

test("threads compute what is computed without them, bit by bit", async () => {
  const compute = new WorkerCompute({ threads: 2, queue: 8 })
  pools.push(compute)
  const signers = [1, 2].map((n) => signingKeyFromSeed(new Secret(new Uint8Array(32).fill(n))))
  const verifyKeys = new Map(signers.map(({ publicKey }, i) => [i + 1, publicKey]))
  const params = { setupId: new Uint8Array(32), rosterEpoch: 1, participants: [1, 2] }
  const contexts = signers.map((signer, i): dkls.SetupContext => {
    return { params, identifier: i + 1, identity: { signer, verifyKeys }, pairs: new Map() }
  })
  let states: (Bytes | null)[] = [null, null]
  let messages: (Message | null)[] = [null, null]
  for (const step of [1, 2, 3] as const) {
    const answers = contexts.map(async (context, i) => {
      const other = messages[1 - i]
      const received = other ? [deliver(other, context.identifier)] : []
      const randomness = new Uint8Array(dkls.STEP_RANDOMNESS).fill(16 * step + i)
      const task = dkls.setupTask(context, step, states[i] ?? null, received, randomness)
      assert.ok(task.ok)
      const inline = await inlineCompute.work(task.value.slice(), "now")
      const result = await compute.work(task.value, i === 0 ? "now" : "background")
      assert.deepEqual(result, inline)
      const answer = dkls.setupAnswer(context, step, result, received)
      assert.ok(answer.ok)
      return answer.value
    })
    const answered = await Promise.all(answers)
    states = answered.map(({ state }) => state)
    messages = answered.map(({ message }) => message)
  }
  await assert.rejects(compute.work(new Uint8Array(3), "now"), { name: "DecodeError" })
})

test("idle threads do not keep a process alive, and running ones do", async () => {
  const ended = await inProcess(`
    const program = new URL(${JSON.stringify(PROGRAM)})
    const compute = new WorkerCompute({ threads: 2, queue: 4, program })
    compute.warmUp()
    const result = await compute.work(new Uint8Array([115, 100, 42]), "now")
    console.log(result[2])`)
  assert.deepEqual(ended, [0, "42"])
})

test("a pool can be closed at any moment while its threads load", async () => {
  const ended = await inProcess(`
    for (const ms of [0, 60, 120, 180, 240]) {
      const compute = new WorkerCompute({ threads: 2, queue: 4 })
      compute.warmUp()
      await new Promise((resolve) => setTimeout(resolve, ms))
      await compute.close()
    }
    console.log("closed")`)
  assert.deepEqual(ended, [0, "closed"])
})

function threadNiceness(): number[] {
  return readdirSync("/proc/self/task").map((id) =>
    niceOf(readFileSync(`/proc/self/task/${id}/stat`, "utf8")),
  )
}

if (process.platform === "linux") {
  test("on Linux the threads leave the processor to the main thread", async () => {
    const compute = pool(1)
    const lowered = () => threadNiceness().filter((nice) => nice === 5).length
    const before = lowered()
    await compute.work(utf8("echo"), "now")
    assert.equal(lowered(), before + 1)
    const main = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8")
    assert.equal(niceOf(main), 0)
  })
}
