import assert from "node:assert/strict"
import { Writable } from "node:stream"
import { describe, test } from "node:test"
import { anvilProgram } from "../src/anvil.ts"
import { bringUpChain } from "../src/chain-step.ts"
import { Narrator } from "../src/narrator.ts"
import { outcomeOf } from "../src/outcome.ts"

function listener() {
  let text = ""
  const output = new Writable({
    write(chunk, _, done) {
      text += String(chunk)
      done()
    },
  })
  return { narrator: new Narrator(output), heard: () => text }
}

const facts = { servers: 3, threshold: 2, signatures: [] }

describe("a run without an EVM chain", () => {
  test("says so, names the platform and is no success", async () => {
    const { narrator, heard } = listener()
    const chain = await bringUpChain(narrator, async () => {
      throw new Error(anvilProgram("darwin", "arm64"))
    })
    assert.equal(chain.anvil, null)
    assert.match(heard(), /no EVM chain for darwin-arm64.* this run fails for it/)
    const { line, remark, exitCode } = outcomeOf(facts, chain.missing)
    assert.equal(line.ok, false)
    assert.equal(line.error, chain.missing)
    assert.match(remark, /not a success.*darwin-arm64/)
    assert.equal(exitCode, 1)
  })

  test("fails at once for any other reason", async () => {
    const { narrator } = listener()
    const broken = bringUpChain(narrator, () => Promise.reject(new Error("disk on fire")))
    await assert.rejects(broken, /disk on fire/)
  })
})

describe("a run with everything", () => {
  test("is a success", () => {
    const { line, remark, exitCode } = outcomeOf(facts, null)
    assert.deepEqual(line, { ok: true, ...facts })
    assert.deepEqual([remark, exitCode], ["", 0])
  })
})
