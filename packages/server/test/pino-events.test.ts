import assert from "node:assert/strict"
import { test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { pinoEvents } from "../src/adapters/pino-events.ts"

function record() {
  const lines: string[] = []
  const events = pinoEvents("info", { server: 3 }, { write: (line) => lines.push(line) })
  return { lines, events }
}

test("an event is one JSON line with its name, time, level and fields", () => {
  const { lines, events } = record()
  events.event("listening", { port: 7443, ready: true })
  events.event("unclean-stop", {})
  events.event("internal-error", { error: "TypeError" })
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    parsed.map(({ level, msg, server }) => [level, msg, server]),
    [
      [30, "listening", 3],
      [40, "unclean-stop", 3],
      [50, "internal-error", 3],
    ],
  )
  assert.equal(parsed[0]?.["port"], 7443)
  assert.ok(!Number.isNaN(Date.parse(String(parsed[0]?.["time"]))))
})

test("secrets print as redacted, whatever they are called and however they got there", () => {
  const { lines, events } = record()
  const canary = "canary-7f3a"
  const secret = new Secret(utf8(canary)) as unknown as string
  events.event("slip", { note: secret, nested: { deep: secret } as unknown as string })
  const named = ["passphrase", "password", "secret", "key", "share", "body", "sealed", "token"]
  for (const name of named) events.event("slip", { [name]: canary })
  assert.equal(lines.length, 1 + named.length)
  for (const line of lines) {
    assert.ok(!line.includes(canary), line)
    assert.ok(line.includes("[redacted]"), line)
  }
})

test("long texts are cut", () => {
  const { lines, events } = record()
  events.event("long", { text: "x".repeat(10_000) })
  assert.ok((lines[0] as string).length < 500)
})
