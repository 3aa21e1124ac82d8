import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { type Bytes, fromUtf8, utf8 } from "@lockkeeper/encoding"
import {
  type Checkpoint,
  checkLog,
  decodeEntryBundle,
  encodeEntryBundle,
  formatNote,
  formatNoteKey,
  hashLeaf,
  nodesOf,
  openCheckpoint,
  parseNoteKey,
  proveConsistency,
  proveInclusion,
  rootFrom,
  type TileReader,
  tilePath,
  verifyConsistency,
  verifyInclusion,
} from "../src/index.ts"

// https://github.com/transparency-dev/tessera, testdata/log
const FOLDER = new URL("../../../vectors/tessera-log/log/", import.meta.url)
const VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
const WORDS =
  "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split(" ")

function read(path: string): Bytes {
  return new Uint8Array(readFileSync(new URL(path, FOLDER)))
}

const reader: TileReader = (place) => {
  const path = tilePath(place)
  return existsSync(new URL(path, FOLDER)) ? read(path) : null
}

function checkpointOf(size: number): Checkpoint {
  const encoded = fromUtf8(read(`checkpoint.${size}`))
  const opened = openCheckpoint(encoded, parseNoteKey(VKEY))
  assert.ok(opened.valid, `checkpoint.${size}`)
  assert.equal(formatNote(opened.note), encoded)
  return opened.checkpoint
}

test("the key and all sixteen checkpoints of a log by tessera verify", () => {
  assert.equal(formatNoteKey(parseNoteKey(VKEY)), VKEY)
  const sizes = Array.from({ length: 16 }, (_, size) => checkpointOf(size).treeSize)
  assert.deepEqual(
    sizes,
    Array.from({ length: 16 }, (_, size) => size),
  )
})

test("its tiles and entries make the roots that it signed, at every size", () => {
  const heads = Array.from({ length: 16 }, (_, size) => checkpointOf(size))
  for (let size = 0; size <= 15; size++) {
    const verdict = checkLog(reader, heads.slice(0, size + 1))
    assert.deepEqual(verdict, { valid: true, entries: size })
    const nodes = nodesOf(reader, size)
    assert.deepEqual(rootFrom(nodes, size), heads[size]?.rootHash)
  }
})

test("each of its entries is included, and each size continues each before it", () => {
  const bundle = read("tile/entries/000.p/15")
  const entries = decodeEntryBundle(bundle)
  assert.deepEqual(entries.map(fromUtf8), WORDS)
  assert.deepEqual(encodeEntryBundle(WORDS.map(utf8)), bundle)
  let proofs = 0
  for (let size = 1; size <= 15; size++) {
    const head = checkpointOf(size)
    const nodes = nodesOf(reader, size)
    for (let index = 0; index < size; index++) {
      const proof = proveInclusion(nodes, index, size)
      const leafHash = hashLeaf(entries[index] as Bytes)
      assert.equal(verifyInclusion(leafHash, index, head, proof), "included")
      const consistency = proveConsistency(nodes, index, size)
      assert.equal(verifyConsistency(checkpointOf(index), head, consistency), "consistent")
      proofs += 2
    }
  }
  assert.equal(proofs, 240)
})
