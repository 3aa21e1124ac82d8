import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import type { KeyServer } from "../src/key-server.ts"
import { StoreConflict } from "../src/ports/store.ts"
import { Turnstile } from "../src/turnstile.ts"

/** What a turnstile needs of a server: to be ended, and by whom it is followed. */
function standIn(): KeyServer & { readonly stoppedFor: (KeyServer | null)[] } {
  const stoppedFor: (KeyServer | null)[] = []
  const stop = (next: KeyServer | null = null) => void stoppedFor.push(next)
  return { stop, stoppedFor } as Partial<KeyServer> as never
}

function gate() {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof LockKeeperError && error.code === code && message.test(error.message)

const nothing = async (): Promise<void> => undefined

describe("a server's place", () => {
  test("is taken once what was under way has ended, and what came meanwhile is the next one's", async () => {
    const [first, second] = [standIn(), standIn()]
    const turnstile = new Turnstile(first)
    const order: string[] = []
    const work = gate()
    const underWay = turnstile.pass(async (server) => {
      await work.opened
      order.push(server === first ? "under way" : "at the wrong one")
    })
    const exchanged = turnstile.exchange({
      drainMs: 60_000,
      check: async () => void order.push("checked"),
      commit: async () => void order.push("committed"),
      build: async () => {
        order.push("built")
        return second
      },
    })
    const came = turnstile.pass(async (server) => order.push(server === second ? "next" : "old"))
    await new Promise((done) => setTimeout(done, 20))
    assert.deepEqual(order, [], "it waits")
    work.open()
    await Promise.all([underWay, exchanged, came])
    assert.deepEqual(order, ["under way", "checked", "committed", "built", "next"])
    assert.deepEqual([turnstile.server === second, first.stoppedFor], [true, [second]])
  })

  test("stays its own where calls do not end in time, or nothing was committed", async () => {
    const first = standIn()
    const turnstile = new Turnstile(first)
    const work = gate()
    const underWay = turnstile.pass(() => work.opened)
    let committed = false
    const late = turnstile.exchange({
      drainMs: 10,
      check: nothing,
      commit: async () => {
        committed = true
      },
      build: async () => standIn(),
    })
    await assert.rejects(late, refusal("unavailable", /^1 calls under way did not end in time/))
    work.open()
    await underWay
    const commit = async () => {
      committed = true
    }
    const checking = turnstile.exchange({
      ...{ drainMs: 10, build: async () => standIn(), commit },
      check: () => Promise.reject(new Error("a share is stranded")),
    })
    await assert.rejects(checking, /a share is stranded/)
    const losing = turnstile.exchange({
      ...{ drainMs: 10, build: async () => standIn(), check: nothing },
      commit: () => Promise.reject(new StoreConflict("meta", "roster")),
    })
    await assert.rejects(losing, StoreConflict)
    assert.deepEqual([committed, turnstile.isBroken, first.stoppedFor], [false, false, []])
    assert.equal(await turnstile.pass(async (server) => server === first), true)
  })

  test("is nobody's where a commit fails that may have been durable", async () => {
    const first = standIn()
    const turnstile = new Turnstile(first)
    const failing = turnstile.exchange({
      ...{ drainMs: 10, build: async () => standIn(), check: nothing },
      commit: () => Promise.reject(new Error("the log was rolled back")),
    })
    await assert.rejects(failing, /the log was rolled back/)
    assert.deepEqual([turnstile.isBroken, first.stoppedFor], [true, []])
    const broken = refusal("unavailable", /could not go on under its next roster/)
    await assert.rejects(turnstile.pass(nothing), broken)
  })

  test("is nobody's where the next one cannot be built after the commit", async () => {
    const turnstile = new Turnstile(standIn())
    const build = () => Promise.reject(new Error("the disk is full"))
    const waiting: Promise<unknown>[] = []
    const commit = async () => void waiting.push(turnstile.pass(async () => "answered"))
    const exchanged = turnstile.exchange({ drainMs: 10, check: nothing, commit, build })
    await assert.rejects(exchanged, /the disk is full/)
    assert.equal(turnstile.isBroken, true)
    const broken = refusal("unavailable", /could not go on under its next roster/)
    for (const one of waiting) await assert.rejects(one, broken)
    await assert.rejects(turnstile.pass(nothing), broken)
    const again = turnstile.exchange({ drainMs: 10, check: nothing, commit: nothing, build })
    await assert.rejects(again, broken)
  })

  test("is taken by one at a time", async () => {
    const [first, second] = [standIn(), standIn()]
    const turnstile = new Turnstile(first)
    const work = gate()
    const build = async () => second
    const one = turnstile.exchange({
      drainMs: 10,
      check: nothing,
      commit: () => work.opened,
      build,
    })
    const other = turnstile.exchange({
      drainMs: 10,
      check: nothing,
      commit: nothing,
      build: async () => standIn(),
    })
    await assert.rejects(other, refusal("conflict", /changing its roster already/))
    work.open()
    await one
    assert.equal(turnstile.server === second, true)
  })
})
