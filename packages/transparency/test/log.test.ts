import assert from "node:assert/strict"
import { test } from "node:test"
import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import {
  appendLeaf,
  commitToLogBody,
  decodeLogBody,
  EMPTY_HEAD,
  encodeLogBody,
  type LogBody,
  type LogHead,
  type LogLeaf,
  verifyLeaves,
} from "../src/index.ts"

function bodyNumber(n: number): LogBody {
  return {
    salt: new Uint8Array(32).fill(n),
    time: 1_700_000_000_000 + n,
    event: new Uint8Array([n]),
  }
}

function grow(count: number): { leaves: LogLeaf[]; head: LogHead; roots: Map<number, Bytes> } {
  let head = EMPTY_HEAD
  const leaves: LogLeaf[] = []
  const roots = new Map<number, Bytes>()
  for (let i = 0; i < count; i++) {
    const commitment = commitToLogBody(encodeLogBody(bodyNumber(i)))
    leaves.push({ index: i, commitment })
    head = appendLeaf(head, commitment)
    roots.set(head.treeSize, head.rootHash)
  }
  return { leaves, head, roots }
}

test("an entry decodes to itself and every changed field changes its commitment", () => {
  const body = bodyNumber(7)
  assert.deepEqual(decodeLogBody(encodeLogBody(body)), body)
  const changes: Partial<LogBody>[] = [
    { salt: new Uint8Array(32) },
    { time: 1 },
    { event: new Uint8Array([7, 0]) },
  ]
  assert.equal(changes.length, Object.keys(body).length)
  const commitment = commitToLogBody(encodeLogBody(body))
  for (const change of changes) {
    const changed = commitToLogBody(encodeLogBody({ ...body, ...change }))
    assert.ok(!equalBytes(commitment, changed), JSON.stringify(change))
  }
})

test("an entry with trailing bytes or another label is refused", () => {
  const encoded = encodeLogBody(bodyNumber(1))
  assert.throws(() => decodeLogBody(new Uint8Array([...encoded, 0])), DecodeError)
  const relabelled = encoded.slice()
  relabelled[0] = 0
  assert.throws(() => decodeLogBody(relabelled), DecodeError)
})

test("untouched leaves lead from any stored head to the last", () => {
  const { leaves, head, roots } = grow(20)
  for (let from = 0; from <= 20; from++) {
    const rootHash = from === 0 ? EMPTY_HEAD.rootHash : (roots.get(from) as Bytes)
    const verdict = verifyLeaves({ treeSize: from, rootHash }, leaves.slice(from), head, roots)
    assert.deepEqual(verdict, { valid: true })
  }
})

test("each kind of tampering is found at the first bad place", () => {
  const { leaves, head, roots } = grow(20)
  const swapped = (i: number): LogLeaf[] =>
    leaves.map((leaf, k) => {
      const other = k === i ? leaves[i + 1] : k === i + 1 ? leaves[i] : leaf
      return { index: leaf.index, commitment: (other as LogLeaf).commitment }
    })
  for (let i = 0; i < 19; i++) {
    const flipped = leaves.map((leaf) => ({ ...leaf, commitment: leaf.commitment.slice() }))
    const target = (flipped[i] as LogLeaf).commitment
    target[0] = (target[0] as number) ^ 1
    const forged = { valid: false, index: i, reason: "root-mismatch" }
    assert.deepEqual(verifyLeaves(EMPTY_HEAD, flipped, head, roots), forged, "flip")
    assert.deepEqual(verifyLeaves(EMPTY_HEAD, swapped(i), head, roots), forged, "swap")
    const missing = { valid: false, index: i, reason: "index-mismatch" }
    const without = leaves.filter((_, k) => k !== i)
    assert.deepEqual(verifyLeaves(EMPTY_HEAD, without, head, roots), missing, "remove")
    const twice = leaves.flatMap((leaf, k) => (k === i ? [leaf, leaf] : [leaf]))
    const repeated = { valid: false, index: i + 1, reason: "index-mismatch" }
    assert.deepEqual(verifyLeaves(EMPTY_HEAD, twice, head, roots), repeated, "repeat")
    const short = leaves.map((leaf, k) =>
      k === i ? { ...leaf, commitment: leaf.commitment.slice(1) } : leaf,
    )
    const cut = { valid: false, index: i, reason: "commitment-length" }
    assert.deepEqual(verifyLeaves(EMPTY_HEAD, short, head, roots), cut, "shorten")
    const truncated = { valid: false, index: i, reason: "size-mismatch" }
    assert.deepEqual(
      verifyLeaves(EMPTY_HEAD, leaves.slice(0, i), head, roots),
      truncated,
      "truncate",
    )
  }
})

test("a log rewritten with consistent roots still misses the remembered head", () => {
  const { leaves, head } = grow(5)
  const rewritten = leaves.map((leaf) =>
    leaf.index === 2 ? { ...leaf, commitment: new Uint8Array(32) } : leaf,
  )
  const verdict = verifyLeaves(EMPTY_HEAD, rewritten, head)
  assert.deepEqual(verdict, { valid: false, index: 4, reason: "root-mismatch" })
})
