import assert from "node:assert/strict"
import { test } from "node:test"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import {
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  type Frontier,
  frontierFrom,
  grow,
  hashLeaf,
  type LogHead,
  nodesOf,
  proveConsistency,
  proveInclusion,
  rootFrom,
  rootOf,
  type TileRoot,
  verifyConsistency,
  verifyInclusion,
} from "../src/index.ts"
import { entriesTo, headOf, merkleTreeHash, nodesIn, readerOf, writeLog } from "./written-log.ts"

const ENTRIES = entriesTo(600)
const LEAVES = ENTRIES.map(hashLeaf)

function frontiersTo(size: number): { frontiers: Frontier[]; tileRoots: TileRoot[] } {
  const frontiers = [EMPTY_FRONTIER]
  const tileRoots: TileRoot[] = []
  for (let i = 0; i < size; i++) {
    const grown = grow(frontiers[i] as Frontier, LEAVES[i] as Bytes)
    frontiers.push(grown.frontier)
    tileRoots.push(...grown.tileRoots)
  }
  return { frontiers, tileRoots }
}

const changed = (hash: Bytes): Bytes => hash.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
const empty: LogHead = { treeSize: 0, rootHash: EMPTY_ROOT }
const headAt = (size: number): LogHead => (size === 0 ? empty : headOf(ENTRIES.slice(0, size)))

test("a tree that grows leaf by leaf has the roots of RFC 6962", () => {
  const { frontiers, tileRoots } = frontiersTo(600)
  assert.equal(toHex(rootOf(EMPTY_FRONTIER)), toHex(EMPTY_ROOT))
  const sizes = Array.from({ length: 270 }, (_, i) => i + 1)
  for (const size of [...sizes, 511, 512, 513, 600]) {
    const expected = merkleTreeHash(LEAVES.slice(0, size))
    assert.equal(toHex(rootOf(frontiers[size] as Frontier)), toHex(expected), `size ${size}`)
  }
  const full = [LEAVES.slice(0, 256), LEAVES.slice(256, 512)].map(merkleTreeHash)
  assert.deepEqual(
    tileRoots,
    full.map((hash, index) => ({ level: 1, index, hash })),
  )
})

test("a frontier read from tiles is the one that grew", () => {
  const { frontiers } = frontiersTo(600)
  const nodes = nodesIn(ENTRIES)
  for (const size of [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600]) {
    assert.deepEqual(frontierFrom(nodes, size), frontiers[size], `size ${size}`)
    assert.deepEqual(rootFrom(nodes, size), rootOf(frontiers[size] as Frontier))
  }
})

test("every leaf of every small tree is proven, and no proof fits anything else", () => {
  for (let size = 1; size <= 33; size++) {
    const nodes = nodesIn(ENTRIES.slice(0, size))
    const head = headAt(size)
    for (let index = 0; index < size; index++) {
      const leaf = LEAVES[index] as Bytes
      const proof = proveInclusion(nodes, index, size)
      assert.equal(verifyInclusion(leaf, index, head, proof), "included")
      assert.equal(verifyInclusion(changed(leaf), index, head, proof), "root-mismatch")
      const other = { treeSize: size, rootHash: changed(head.rootHash) }
      assert.equal(verifyInclusion(leaf, index, other, proof), "root-mismatch")
      assert.equal(verifyInclusion(leaf, size, head, proof), "no-such-leaf")
      const longer = [...proof, leaf]
      assert.equal(verifyInclusion(leaf, index, head, longer), "proof-length")
      proof.forEach((hash, i) => {
        const wrong = proof.with(i, changed(hash))
        assert.equal(verifyInclusion(leaf, index, head, wrong), "root-mismatch")
        const without = proof.filter((_, k) => k !== i)
        assert.equal(verifyInclusion(leaf, index, head, without), "proof-length")
        const short = proof.with(i, hash.slice(1))
        assert.equal(verifyInclusion(leaf, index, head, short), "proof-length")
      })
    }
  }
})

test("a leaf is proven for its own place only", () => {
  const nodes = nodesIn(ENTRIES.slice(0, 13))
  const head = headAt(13)
  for (let index = 0; index < 13; index++) {
    const proof = proveInclusion(nodes, index, 13)
    for (let place = 0; place < 13; place++) {
      if (place === index) continue
      assert.notEqual(verifyInclusion(LEAVES[index] as Bytes, place, head, proof), "included")
    }
  }
})

test("every small tree is shown to continue every smaller one, and none that differs", () => {
  for (let size = 0; size <= 33; size++) {
    const nodes = nodesIn(ENTRIES.slice(0, size))
    const later = headAt(size)
    for (let oldSize = 0; oldSize <= size; oldSize++) {
      const earlier = headAt(oldSize)
      const proof = proveConsistency(nodes, oldSize, size)
      const of = (a: LogHead, b: LogHead, c: readonly Bytes[]) => verifyConsistency(a, b, c)
      assert.equal(of(earlier, later, proof), "consistent", `${oldSize} to ${size}`)
      const otherOld = { treeSize: oldSize, rootHash: changed(earlier.rootHash) }
      // The root of a complete old tree is a node of the new one, which then has another root.
      const isNode = oldSize === size || Number.isInteger(Math.log2(oldSize))
      const expected = isNode && oldSize > 0 ? "root-mismatch" : "old-root-mismatch"
      assert.equal(of(otherOld, later, proof), expected, `${oldSize} to ${size}`)
      if (oldSize === 0) continue
      const otherNew = { treeSize: size, rootHash: changed(later.rootHash) }
      assert.equal(of(earlier, otherNew, proof), "root-mismatch")
      assert.equal(of(earlier, later, [...proof, later.rootHash]), "proof-length")
      proof.forEach((hash, i) => {
        const wrong = of(earlier, later, proof.with(i, changed(hash)))
        assert.match(wrong, /^(?:old-)?root-mismatch$/)
        const without = proof.filter((_, k) => k !== i)
        assert.equal(of(earlier, later, without), "proof-length")
      })
      if (oldSize < size) assert.equal(of(later, earlier, proof), "smaller")
    }
  }
})

test("from the empty tree nothing is proven, and nothing else is taken for it", () => {
  const later = headAt(5)
  assert.equal(verifyConsistency(empty, later, []), "consistent")
  assert.equal(verifyConsistency(empty, later, [EMPTY_ROOT]), "proof-length")
  const odd = { treeSize: 0, rootHash: changed(EMPTY_ROOT) }
  assert.equal(verifyConsistency(odd, later, []), "old-root-mismatch")
  assert.equal(verifyConsistency(empty, odd, []), "root-mismatch")
})

test("a proof is at most 63 hashes", () => {
  const long = Array.from({ length: 64 }, () => EMPTY_ROOT)
  const head = { treeSize: 2 ** 52, rootHash: EMPTY_ROOT }
  assert.equal(verifyInclusion(EMPTY_ROOT, 0, head, long), "proof-length")
  assert.equal(verifyConsistency({ ...head, treeSize: 3 }, head, long), "proof-length")
})

test("proofs cross the edges of tiles", () => {
  const nodes = nodesIn(ENTRIES)
  for (const size of [255, 256, 257, 511, 512, 513, 600]) {
    const head = headAt(size)
    for (const index of [0, 1, 254, 255, 256, 511, 512, 599].filter((i) => i < size)) {
      const proof = proveInclusion(nodes, index, size)
      assert.equal(verifyInclusion(LEAVES[index] as Bytes, index, head, proof), "included")
    }
    for (const oldSize of [1, 128, 255, 256, 257, 512].filter((old) => old <= size)) {
      const proof = proveConsistency(nodes, oldSize, size)
      assert.equal(verifyConsistency(headAt(oldSize), head, proof), "consistent")
    }
  }
})

test("a proof from tiles that are not there names the tile", () => {
  const files = writeLog(ENTRIES)
  files.delete("tile/0/001")
  const nodes = nodesIn(ENTRIES)
  assert.throws(() => nodes(0, 600), { name: "RangeError", message: "the tree has no such node" })
  const broken = nodesOfFiles(files)
  const fault = { name: "BadTile", message: "tile/0/001 is missing", reason: "missing" }
  assert.throws(() => proveInclusion(broken, 300, 600), fault)
  files.set("tile/0/001", new Uint8Array(31))
  const short = { name: "BadTile", message: "tile/0/001 is of another length", reason: "length" }
  assert.throws(() => proveInclusion(nodesOfFiles(files), 300, 600), short)
  assert.throws(() => proveInclusion(nodes, 600, 600), RangeError)
  assert.throws(() => proveConsistency(nodes, 601, 600), RangeError)
})

function nodesOfFiles(files: ReadonlyMap<string, Bytes>) {
  return nodesOf(readerOf(files), 600)
}
