import assert from "node:assert/strict"
import test from "node:test"
import { pageOf, renewed, rowsOf } from "../delete-checks/page.ts"

const rows = [
  { file: "a.ts", condition: "x || y", by: "a.test.ts" },
  { file: "a.ts", condition: "!x", by: "nothing" },
  { file: "b.ts", condition: "`z`.length", by: "never | empty" },
]

test("a page says again what it was made of, and counts what is noticed", () => {
  assert.deepEqual(rowsOf(pageOf(rows)), rows)
  assert.match(pageOf(rows), /^3 checks, 1 noticed\.$/m)
})

test("files that are tried again have new rows, in their place, and the others keep theirs", () => {
  const again = [{ file: "a.ts", condition: "!x", by: "a.test.ts" }]
  assert.deepEqual(rowsOf(pageOf(renewed(rows, again))), [...again, rows[2]])
  const first = [{ file: "0.ts", condition: "w", by: "w.test.ts" }]
  assert.deepEqual(rowsOf(pageOf(renewed(rows, first))), [...first, ...rows])
})
