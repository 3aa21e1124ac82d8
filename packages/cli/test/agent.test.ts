import assert from "node:assert/strict"
import { once } from "node:events"
import { chmodSync, mkdirSync, renameSync, statSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { describe, type TestContext, test } from "node:test"
import { LockKeeperError, MAX_MESSAGE, MAX_TRANSACTION } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { startAgent } from "../src/agent/agent.ts"
import { MAX_FRAME, readFrame } from "../src/agent/frames.ts"
import type { Timers } from "../src/agent/idle.ts"
import { agentReply } from "../src/agent/protocol.ts"
import { agentStatus, remoteSession } from "../src/agent/remote-session.ts"
import { agentSocket } from "../src/agent/socket.ts"
import type { SignOrder } from "../src/owner.ts"
import { custodial } from "./local-owner.ts"
import { LocalOwner, temporaryDirectory } from "./support.ts"

const IDLE_MS = 60_000
const never = new AbortController().signal

/** Time that passes when the test says so. */
class TestTimers implements Timers {
  #now = 0
  #pending: { at: number; action: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, action: () => void) {
    const entry = { at: this.#now + ms, action }
    this.#pending.push(entry)
    const cancel = () => {
      this.#pending = this.#pending.filter((pending) => pending !== entry)
    }
    return { cancel }
  }

  pass(ms: number): void {
    this.#now += ms
    const due = this.#pending.filter(({ at }) => at <= this.#now)
    this.#pending = this.#pending.filter(({ at }) => at > this.#now)
    for (const { action } of due) action()
  }
}

async function setUp(t: TestContext) {
  const home = temporaryDirectory(t)
  const socket = agentSocket(home)
  const owner = new LocalOwner()
  const timers = new TestTimers()
  const agent = await startAgent({ session: owner, socket, idleMs: IDLE_MS, timers })
  t.after(() => agent.stop())
  return { home, socket, owner, timers, agent }
}

async function sessionOf(socket: string) {
  const session = await remoteSession(socket, never)
  assert.ok(session !== null)
  return session
}

function orderOf(keyId: Bytes, message: Bytes): SignOrder {
  return { keyId, path: [], content: { kind: "message", message }, merkleRoot: null }
}

describe("the agent's socket", () => {
  test("is 0600 in a 0700 directory", async (t) => {
    const { home, socket } = await setUp(t)
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    assert.equal(statSync(join(home, "agent")).mode & 0o777, 0o700)
  })

  test("is not made in a directory that others can enter", async (t) => {
    const home = temporaryDirectory(t)
    mkdirSync(join(home, "agent"), { mode: 0o755 })
    chmodSync(join(home, "agent"), 0o755)
    const options = { session: new LocalOwner(), idleMs: IDLE_MS, timers: new TestTimers() }
    await assert.rejects(
      startAgent({ ...options, socket: agentSocket(home) }),
      (error) => error instanceof LockKeeperError && error.field === "agent",
    )
  })

  test("is not used when it is open to others, or no socket", async (t) => {
    const { socket } = await setUp(t)
    chmodSync(socket, 0o666)
    await assert.rejects(agentStatus(socket, never), /open to other users/)
    const home = temporaryDirectory(t)
    mkdirSync(join(home, "agent"), { mode: 0o700 })
    writeFileSync(agentSocket(home), "", { mode: 0o600 })
    await assert.rejects(agentStatus(agentSocket(home), never), /is not a socket/)
  })

  test("with a path that is too long is refused with a remedy", async (t) => {
    const socket = join(temporaryDirectory(t), "x".repeat(120), "agent.sock")
    const options = { session: new LocalOwner(), idleMs: IDLE_MS, timers: new TestTimers() }
    await assert.rejects(
      startAgent({ ...options, socket }),
      (error) => error instanceof LockKeeperError && error.field === "LK_HOME",
    )
  })

  test("that a killed agent left behind counts as nobody logged in, and is replaced", async (t) => {
    const home = temporaryDirectory(t)
    mkdirSync(join(home, "agent"), { mode: 0o700 })
    const socket = agentSocket(home)
    // Closing unlinks the path that was listened on, so a renamed socket stays behind, dead.
    const dead = createServer().listen(join(home, "agent", "other"))
    await once(dead, "listening")
    renameSync(join(home, "agent", "other"), socket)
    chmodSync(socket, 0o600)
    dead.close()
    await once(dead, "close")
    assert.equal(await agentStatus(socket, never), null)
    const session = new LocalOwner()
    const agent = await startAgent({ session, socket, idleMs: IDLE_MS, timers: new TestTimers() })
    t.after(() => agent.stop())
    assert.equal((await agentStatus(socket, never))?.name, "ada")
  })
})

describe("the agent", () => {
  test("takes the place of the one before, whose session ends", async (t) => {
    const { socket, owner, agent } = await setUp(t)
    const next = new LocalOwner()
    const options = { session: next, socket, idleMs: IDLE_MS, timers: new TestTimers() }
    const successor = await startAgent(options)
    t.after(() => successor.stop())
    assert.equal(await agent.ended, "logout")
    assert.equal(owner.ended, 1)
    const session = await sessionOf(socket)
    await session.createKey(custodial("ed25519", "savings"), never)
    assert.equal(next.keys.length, 1)
  })

  test("creates, lists, shows and signs as the session it holds", async (t) => {
    const { socket, owner } = await setUp(t)
    const session = await sessionOf(socket)
    assert.equal(session.name, "ada")
    const { key } = await session.createKey(custodial("ed25519", "savings"), never)
    assert.equal(owner.keys.length, 1)
    assert.deepEqual(await session.listKeys(never), [key])
    assert.deepEqual(await session.showKey(key.keyId, never), key)
    const order = orderOf(key.keyId, utf8("hello"))
    assert.deepEqual(await session.sign(order, never), await owner.sign(order, never))
  })

  test("derives children, signs with them and tells of pools as the session it holds", async (t) => {
    const { socket, owner } = await setUp(t)
    const session = await sessionOf(socket)
    const { keyId } = (await session.createKey(custodial("ecdsa-secp256k1", "spending"), never)).key
    const path = [0, 5]
    assert.deepEqual(
      await session.showChild(keyId, path, never),
      await owner.showChild(keyId, path),
    )
    const order = { ...orderOf(keyId, new Uint8Array(32).fill(1)), path }
    await assert.rejects(session.sign(order, never), /no such child/)
    const { child } = await session.deriveChild(keyId, path, never)
    assert.deepEqual(child, await owner.showChild(keyId, path))
    assert.deepEqual(await session.sign(order, never), await owner.sign(order, never))
    const transaction = new Uint8Array(MAX_TRANSACTION)
    const content = { kind: "evm-transaction", transaction } as const
    await assert.rejects(session.sign({ ...order, content }, never), /damaged/)
    assert.deepEqual(await session.poolStatus(keyId, never), await owner.poolStatus(keyId))
    const filled = await session.fillPool(keyId, { floor: 1, cap: 64 }, never)
    assert.deepEqual(filled, { made: 64, sets: [{ signers: [1, 2], ready: 64 }], incidents: [] })
    assert.deepEqual(owner.fills, [{ floor: 1, cap: 64 }])
  })

  test("carries messages up to the limit and refuses longer ones", async (t) => {
    const { socket } = await setUp(t)
    const session = await sessionOf(socket)
    const { keyId } = (await session.createKey(custodial("ed25519", ""), never)).key
    const order = (length: number) => orderOf(keyId, new Uint8Array(length))
    assert.equal((await session.sign(order(MAX_MESSAGE), never)).signature.length, 64)
    await assert.rejects(session.sign(order(MAX_MESSAGE + 1), never), RangeError)
  })

  test("hands over an error with code, field, server, remedy and guesses", async (t) => {
    const { socket, owner } = await setUp(t)
    const details = { field: "key", remedy: "Wait.", server: 2, guessesRemaining: 3 }
    owner.gate = Promise.reject(new LockKeeperError("locked", "Locked.", details))
    owner.gate.catch(() => undefined)
    await assert.rejects((await sessionOf(socket)).listKeys(never), (error) => {
      assert.ok(error instanceof LockKeeperError)
      const { code, message, field, remedy, server, guessesRemaining } = error
      assert.deepEqual({ code, message }, { code: "locked", message: "Locked." })
      assert.deepEqual({ field, remedy, server, guessesRemaining }, details)
      return true
    })
  })

  test("passes a password change on", async (t) => {
    const { socket, owner } = await setUp(t)
    const session = await sessionOf(socket)
    await session.changePassword(new Secret(utf8("old one")), new Secret(utf8("new one")), never)
    assert.deepEqual(owner.passwords, ["new one"])
  })

  test("ends the session and its socket at log-out", async (t) => {
    const { socket, owner, agent } = await setUp(t)
    await (await sessionOf(socket)).logout()
    assert.equal(statSync(socket, { throwIfNoEntry: false }), undefined, "gone when answered")
    assert.equal(await agent.ended, "logout")
    assert.equal(owner.ended, 1)
    assert.equal(await agentStatus(socket, never), null)
  })

  test("aborts the work of a command that goes away", async (t) => {
    const { socket, owner } = await setUp(t)
    const session = await sessionOf(socket)
    const { keyId } = (await session.createKey(custodial("ed25519", ""), never)).key
    const { promise, resolve } = Promise.withResolvers<void>()
    owner.gate = promise
    const cancelling = new AbortController()
    const signed = session.sign(orderOf(keyId, utf8("x")), cancelling.signal)
    cancelling.abort()
    await assert.rejects(
      signed,
      (error) => error instanceof LockKeeperError && error.code === "cancelled",
    )
    resolve()
    assert.equal((await session.listKeys(never)).length, 1)
  })
})

describe("an idle agent", () => {
  test("ends the session after the idle time, not before", async (t) => {
    const { socket, owner, timers, agent } = await setUp(t)
    timers.pass(IDLE_MS - 1)
    assert.equal((await agentStatus(socket, never))?.idleLeftMs, 1)
    timers.pass(1)
    assert.equal(await agent.ended, "idle")
    assert.equal(owner.ended, 1)
    assert.equal(await agentStatus(socket, never), null)
  })

  test("starts its time again with each use, and not with a status question", async (t) => {
    const { socket, timers, agent } = await setUp(t)
    const session = await sessionOf(socket)
    timers.pass(IDLE_MS - 1)
    await session.listKeys(never)
    timers.pass(IDLE_MS - 1)
    assert.equal((await agentStatus(socket, never))?.idleLeftMs, 1)
    timers.pass(1)
    assert.equal(await agent.ended, "idle")
  })

  test("does not end while work is under way", async (t) => {
    const { socket, owner, timers, agent } = await setUp(t)
    const session = await sessionOf(socket)
    const { promise, resolve } = Promise.withResolvers<void>()
    owner.gate = promise
    const listing = session.listKeys(never)
    // A second connection answers only after the first was taken up.
    await agentStatus(socket, never)
    timers.pass(IDLE_MS * 2)
    resolve()
    assert.deepEqual(await listing, [])
    assert.equal(owner.ended, 0)
    timers.pass(IDLE_MS)
    assert.equal(await agent.ended, "idle")
  })
})

describe("the agent's connection", () => {
  async function send(socket: string, bytes: Uint8Array) {
    const connection = connect({ path: socket, allowHalfOpen: true })
    await once(connection, "connect")
    connection.end(bytes)
    const reply = await readFrame(connection, agentReply)
    connection.destroy()
    assert.ok(reply.kind === "failed")
    return reply.error
  }

  test("refuses an oversized frame by its prefix", async (t) => {
    const { socket } = await setUp(t)
    const prefix = new Uint8Array(4)
    new DataView(prefix.buffer).setUint32(0, MAX_FRAME + 1)
    assert.equal((await send(socket, prefix)).code, "too-large")
  })

  test("refuses bytes that are no request, and goes on serving", async (t) => {
    const { socket } = await setUp(t)
    assert.equal((await send(socket, Uint8Array.of(0, 0, 0, 2, 9, 9))).code, "invalid-request")
    assert.equal((await send(socket, Uint8Array.of(0, 0))).code, "unavailable")
    assert.equal((await agentStatus(socket, never))?.name, "ada")
  })
})
