import assert from "node:assert/strict"
import { PassThrough } from "node:stream"
import { describe, test } from "node:test"
import { setTimeout as wait } from "node:timers/promises"
import { LockKeeperError } from "@lockkeeper/api"
import { fromUtf8 } from "@lockkeeper/encoding"
import { accountName, chosenPassword, existingPassword } from "../src/prompts.ts"
import { withProgress } from "../src/terminal.ts"

const source = { file: null, setting: "LK_PASSWORD_FILE", question: "Password" } as const
const never = new AbortController().signal

/** A person at a terminal who types each answer once its question is there. */
function person(...answers: readonly string[]) {
  const input = new PassThrough()
  const err = new PassThrough()
  const out = new PassThrough()
  let shown = ""
  let answered = 0
  err.on("data", (chunk: Buffer) => {
    shown += chunk.toString()
    const questions = shown.split("◆").length - 1
    if (questions > answered && answered < answers.length) {
      const answer = answers[answered++] ?? ""
      setImmediate(() => {
        for (const letter of answer) input.write(letter)
      })
    }
  })
  const terminal = { input, out, err, interactive: true }
  return { terminal, shown: () => shown, printed: () => out.read() }
}

function refusal(code: string) {
  return (error: unknown) => error instanceof LockKeeperError && error.code === code
}

describe("a password prompt", () => {
  test("takes what is typed and shows none of it", async () => {
    const { terminal, shown, printed } = person("xyzzy quux\r")
    const password = await existingPassword(terminal, source, never)
    assert.equal(fromUtf8(password.expose()), "xyzzy quux")
    assert.match(shown(), /Password/)
    for (const part of ["xyzzy", "quux", "zz"]) assert.ok(!shown().includes(part), part)
    assert.equal(printed(), null, "standard output is for results only")
  })

  test("asks for a new password twice and refuses two that differ", async () => {
    const same = person("xyzzy quux\r", "xyzzy quux\r")
    const password = await chosenPassword(same.terminal, source, never)
    assert.equal(fromUtf8(password.expose()), "xyzzy quux")
    const differing = person("xyzzy quux\r", "xyzzy quuz\r")
    await assert.rejects(
      chosenPassword(differing.terminal, source, never),
      refusal("invalid-request"),
    )
  })

  test("is cancelled by Ctrl-D, and by an input that ends", async () => {
    const typed = person("xy\u0004")
    await assert.rejects(existingPassword(typed.terminal, source, never), refusal("cancelled"))
    const closed = person()
    const asked = existingPassword(closed.terminal, source, never)
    closed.terminal.input.end()
    await assert.rejects(asked, refusal("cancelled"))
  })

  test("refuses a new password that is too short before it asks again", async () => {
    const { terminal, shown } = person("short\r")
    await assert.rejects(chosenPassword(terminal, source, never), refusal("invalid-request"))
    assert.ok(!shown().includes("again"))
  })

  test("ends as cancelled with Ctrl-C", async () => {
    const { terminal } = person("xyz\x03")
    await assert.rejects(existingPassword(terminal, source, never), refusal("cancelled"))
  })

  test("ends as cancelled when the command is", async () => {
    const { terminal } = person()
    const cancelling = new AbortController()
    const asked = existingPassword(terminal, source, cancelling.signal)
    cancelling.abort()
    await assert.rejects(asked, refusal("cancelled"))
  })
})

describe("a name prompt", () => {
  test("shows what is typed, and is not shown when the name is known", async () => {
    const asked = person("ada\r")
    assert.equal(await accountName(asked.terminal, null, never), "ada")
    assert.match(asked.shown(), /Account name/)
    const silent = person()
    assert.equal(await accountName(silent.terminal, "bob", never), "bob")
    assert.equal(silent.shown(), "")
  })
})

describe("progress", () => {
  test("shows on the terminal's error stream what takes long, and wipes it", async () => {
    const { terminal, shown, printed } = person()
    assert.equal(await withProgress(terminal, "Signing", () => wait(1_300, "done")), "done")
    assert.match(shown(), /Signing 1 s/)
    assert.ok(shown().endsWith("\r\x1b[2K"))
    assert.equal(printed(), null)
  })

  test("shows nothing of what is quick, and nothing to scripts", async () => {
    const quick = person()
    await withProgress(quick.terminal, "Signing", () => wait(10))
    assert.equal(quick.shown(), "")
    const script = person()
    const terminal = { ...script.terminal, interactive: false }
    await withProgress(terminal, "Signing", () => wait(700))
    assert.equal(script.shown(), "")
  })

  test("is wiped when the work fails", async () => {
    const { terminal, shown } = person()
    const failing = withProgress(terminal, "Signing", async () => {
      await wait(700)
      throw new Error("no")
    })
    await assert.rejects(failing, /no/)
    assert.ok(shown().endsWith("\r\x1b[2K"))
  })
})
