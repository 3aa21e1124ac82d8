import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, DecodeError, decode, encode, u32 } from "@lockkeeper/encoding"
import fc from "fast-check"
import {
  assertChildPath,
  childPathCodec,
  childPathProblem,
  equalPaths,
  formatChildPath,
  MAX_PATH_DEPTH,
  parseChildPath,
} from "../src/child-path.ts"

const paths = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { maxLength: MAX_PATH_DEPTH })

test("every path comes back from its codec and from its spelling", () => {
  const property = fc.property(paths, (path) => {
    assert.equal(childPathProblem(path), null)
    assert.deepEqual(decode(childPathCodec, encode(childPathCodec, path)), path)
    assert.deepEqual(parseChildPath(formatChildPath(path)), { ok: true, path })
  })
  fc.assert(property)
})

test("paths are equal exactly when their numbers are", () => {
  const property = fc.property(paths, paths, (a, b) => {
    assert.equal(equalPaths(a, b), formatChildPath(a) === formatChildPath(b))
    assert.equal(equalPaths(a, [...a]), true)
    assert.equal(equalPaths(a, [...a, 0]), false)
    assert.equal(equalPaths([...a, 0], [...a, 1]), false)
  })
  fc.assert(property)
})

test("a spelled path is the numbers it spells", () => {
  assert.deepEqual(parseChildPath("m"), { ok: true, path: [] })
  assert.deepEqual(parseChildPath("m/0/5"), { ok: true, path: [0, 5] })
  assert.deepEqual(parseChildPath("m/2147483647"), { ok: true, path: [2147483647] })
  assert.equal(formatChildPath([]), "m")
  assert.equal(formatChildPath([0, 5]), "m/0/5")
})

const deep = `m${"/0".repeat(MAX_PATH_DEPTH + 1)}`

for (const [text, problem, part] of [
  ["m/44'/0", "hardened", "44'"],
  ["m/0/44h", "hardened", "44h"],
  ["m/44H", "hardened", "44H"],
  [deep, "too deep", deep],
  ["m/2147483648", "above 2^31-1", "2147483648"],
  [`m/${"9".repeat(40)}`, "above 2^31-1", "9".repeat(40)],
  ["m/", "not a number", ""],
  ["m//1", "not a number", ""],
  ["m/01", "not a number", "01"],
  ["m/-1", "not a number", "-1"],
  ["m/1.5", "not a number", "1.5"],
  ["m/1e3", "not a number", "1e3"],
  ["m/0x1", "not a number", "0x1"],
  ["m/ 1", "not a number", " 1"],
  ["m/five", "not a number", "five"],
  ["m/٣", "not a number", "٣"],
  ["", "not a number", ""],
  ["0/5", "not a number", "0/5"],
  ["M/0", "not a number", "M/0"],
] as const) {
  test(`the text ${JSON.stringify(text)} is no path: ${problem}`, () => {
    assert.deepEqual(parseChildPath(text), { ok: false, problem, part })
  })
}

test("numbers that are no child numbers are refused by name", () => {
  for (const [value, problem] of [
    [2 ** 31, "hardened"],
    [2 ** 32 - 1, "hardened"],
    [2 ** 32, "above 2^31-1"],
    [Number.MAX_SAFE_INTEGER, "above 2^31-1"],
    [-1, "not a number"],
    [-0, "not a number"],
    [1.5, "not a number"],
    [Number.NaN, "not a number"],
    [Number.POSITIVE_INFINITY, "not a number"],
  ] as const) {
    assert.equal(childPathProblem([0, value]), problem)
    const message = `child path is ${problem}`
    for (const use of [
      () => assertChildPath([value]),
      () => formatChildPath([value]),
      () => encode(childPathCodec, [value]),
    ]) {
      assert.throws(use, { name: "RangeError", message })
    }
  }
})

test("the codec refuses hardened numbers, too many of them, and what is cut off or left over", () => {
  const numbers = (...values: number[]) =>
    concat(Uint8Array.of(values.length), ...values.map((value) => encode(u32, value)))
  const refused = (bytes: Uint8Array, message: string) =>
    assert.throws(
      () => decode(childPathCodec, bytes),
      (error) => error instanceof DecodeError && error.message === message,
    )
  refused(numbers(0, 2 ** 31), "child path is hardened at offset 5")
  refused(numbers(2 ** 32 - 1), "child path is hardened at offset 1")
  refused(numbers(...new Array(MAX_PATH_DEPTH + 1).fill(0)), "child path is too deep at offset 0")
  refused(numbers(0).slice(0, 4), "input ends 1 bytes early at offset 1")
  refused(concat(numbers(0), Uint8Array.of(0)), "1 trailing bytes at offset 5")
  refused(new Uint8Array(), "input ends 1 bytes early at offset 0")
})
