import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, toHex } from "@lockkeeper/encoding"
import {
  decodeEntryBundle,
  encodeEntryBundle,
  parseTilePath,
  placeIn,
  type TilePlace,
  tilePath,
} from "../src/index.ts"

test("paths are those of the specification", () => {
  const cases: readonly [TilePlace, string][] = [
    [{ level: 0, index: 1234067, width: 256 }, "tile/0/x001/x234/067"],
    [{ level: 0, index: 273, width: 112 }, "tile/0/273.p/112"],
    [{ level: "entries", index: 0, width: 1 }, "tile/entries/000.p/1"],
    [{ level: 2, index: 1000, width: 255 }, "tile/2/x001/000.p/255"],
    [{ level: 6, index: 0, width: 256 }, "tile/6/000"],
  ]
  for (const [place, path] of cases) {
    assert.equal(tilePath(place), path)
    assert.deepEqual(parseTilePath(path), place)
  }
})

test("a path that is spelled otherwise is refused, and says why", () => {
  const cases: readonly [string, RegExp][] = [
    ["tile/0/0", /no path of a tile/],
    ["tile/00/000", /no path of a tile/],
    ["tile/0/x000/001", /padding in front of the index/],
    ["tile/0/000.p/0", /no path of a tile/],
    ["tile/0/000.p/01", /no path of a tile/],
    ["tile/0/000.p/256", /a partial tile of full width/],
    ["tile/7/000", /level above 6/],
    ["tile/0/../000", /no path of a tile/],
    ["/tile/0/000", /no path of a tile/],
    ["tile/0/x999/x999/x999/x999/x999/999", /index above 2\^53 - 1/],
    [`tile/0/${"x001/".repeat(20)}000`, /longer than 64 characters/],
  ]
  for (const [path, why] of cases) {
    assert.throws(
      () => parseTilePath(path),
      (error: Error) => error instanceof DecodeError && why.test(error.message),
      path,
    )
  }
})

test("a tree of 70 000 has the tiles that the specification counts", () => {
  assert.deepEqual(placeIn(70_000, 0, 272), { level: 0, index: 272, width: 256 })
  assert.deepEqual(placeIn(70_000, 0, 273), { level: 0, index: 273, width: 112 })
  assert.equal(placeIn(70_000, 0, 274), null)
  assert.deepEqual(placeIn(70_000, 1, 0), { level: 1, index: 0, width: 256 })
  assert.deepEqual(placeIn(70_000, 1, 1), { level: 1, index: 1, width: 17 })
  assert.deepEqual(placeIn(70_000, 2, 0), { level: 2, index: 0, width: 1 })
  assert.equal(placeIn(70_000, 3, 0), null)
  assert.deepEqual(placeIn(256, 1, 0), { level: 1, index: 0, width: 1 })
  assert.equal(placeIn(0, 0, 0), null)
})

test("a bundle has entries behind 16-bit lengths and nothing else", () => {
  const entries = [new Uint8Array([1, 2]), new Uint8Array(), new Uint8Array([3])]
  const bundle = encodeEntryBundle(entries)
  assert.equal(toHex(bundle), "000201020000000103")
  assert.deepEqual(decodeEntryBundle(bundle), entries)
  const refused = (bytes: Uint8Array, why: RegExp) =>
    assert.throws(
      () => decodeEntryBundle(bytes),
      (error: Error) => error instanceof DecodeError && why.test(error.message),
    )
  refused(bundle.slice(0, -1), /^2: input ends 1 bytes early/)
  refused(new Uint8Array([...bundle, 0]), /^3: input ends 1 bytes early/)
  refused(new Uint8Array(), /no entries/)
  refused(new Uint8Array(2 * 257), /more than 256 entries/)
  assert.throws(() => encodeEntryBundle([]), RangeError)
  assert.throws(() => encodeEntryBundle([new Uint8Array(65_536)]), RangeError)
})
