import assert from "node:assert/strict"
import test from "node:test"
import { findChecks } from "../delete-checks/find.ts"

function deletions(source: string): string[] {
  return findChecks(Buffer.from(source)).map(
    ({ condition, replacement, line }) => `${line}: ${condition} -> ${replacement}`,
  )
}

test("each alternative of a condition that leads to a refusal is a check", () => {
  const source = [
    "// ü is two bytes",
    'function f() { if (a || (b.c && d)) return abort("x")',
    "  if (g) { note(); throw new Error() }",
    "  if (h) return null",
    "  if (i) return 1 }",
  ].join("\n")
  assert.deepEqual(deletions(source), [
    "2: a -> false",
    "2: (b.c && d) -> false",
    "3: g -> false",
    "4: h -> false",
  ])
})

test("each part of a conjunction that is returned is a check", () => {
  assert.deepEqual(deletions("const f = () => a && b(c)\nfunction g() { return (a) && !b }"), [
    "1: a -> true",
    "1: b(c) -> true",
    "2: (a) -> true",
    "2: !b -> true",
  ])
})

test("a choice between a refusal and a value is a check", () => {
  assert.deepEqual(deletions("const f = a ? null : 1\nconst g = b && c ? d : worthless('no')"), [
    "1: a -> false",
    "2: b -> true",
    "2: c -> true",
  ])
})

test("a deletion names the bytes of its condition", () => {
  const source = Buffer.from("// ü\nif (ä === 1) throw e\n")
  const [check] = findChecks(source)
  assert.equal(source.subarray(check?.start, check?.end).toString(), "ä === 1")
})

test("a condition under which a block does not end in its refusal is a check", () => {
  const source = "function f() { if (a && b) return c; wipe(); return null }"
  assert.deepEqual(deletions(source), ["1: a -> true", "1: b -> true"])
})

test("codecs that fail and participants that accuse refuse too", () => {
  const source = [
    'if (a) reader.fail("x")',
    'function f() { if (b) return { kind: "accuse", accused }',
    '  if (c) return { kind: "sealed" } }',
  ].join("\n")
  assert.deepEqual(deletions(source), ["1: a -> false", "2: b -> false"])
})

test("passing on errors that are bugs is no check", () => {
  assert.deepEqual(deletions("if (!(error instanceof DecodeError)) throw error"), [])
})
