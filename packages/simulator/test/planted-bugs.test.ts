import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { BUGS } from "../src/sim/bugs.ts"

const ROOT = new URL("../../../", import.meta.url)
const MAIN = new URL("../src/sim/main.ts", import.meta.url).pathname

/** Found within a few seeds; the others by `npm run sim -- --bug NAME`, as docs/simulator.md says. */
const QUICK = ["nonce-put-back", "log-after-answer", "answer-before-commit", "answers-by-account"]

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, ["-C", "lockkeeper-source", MAIN, ...args], {
    encoding: "utf8",
  })
}

test("there are sixteen bugs, and each still fits the source it is planted in", () => {
  assert.equal(BUGS.length, 16)
  for (const { name, edits } of BUGS) {
    assert.ok(edits.length > 0, name)
    for (const { file, before, after } of edits) {
      const source = readFileSync(new URL(file, ROOT), "utf8")
      assert.equal(source.split(before).length, 2, `${name}: ${file}: ${before}`)
      assert.notEqual(before, after)
    }
  }
})

for (const name of QUICK) {
  test(`the planted bug ${name} is found within 20 seeds, with the command that shows it again`, () => {
    const { status, stderr } = run("--seeds", "20", "--keep-going", "--bug", name)
    assert.equal(status, 1, stderr.slice(-2000))
    const { noticedBy } = BUGS.find((bug) => bug.name === name) ?? { noticedBy: "nobody" }
    assert.match(stderr, new RegExp(`^  ${noticedBy}: `, "m"))
    assert.match(stderr, new RegExp(`npm run sim -- --seed \\d+ --mode \\w+ --bug ${name}`))
  })
}

test("an option that does not exist, or makes no sense, is answered with the usage and code 2", () => {
  for (const args of [["--no-such"], ["--seeds", "0"], ["--mode", "other"], ["--bug", "none"]]) {
    const { status, stderr } = run(...args)
    assert.equal(status, 2, args.join(" "))
    assert.match(stderr, /npm run sim/)
  }
})
