import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Bytes,
  bytes,
  constant,
  DecodeError,
  encode,
  equalBytes,
  fixedBytes,
  safeInteger,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import {
  commitToLogBody,
  decodeLogBody,
  EMPTY_FRONTIER,
  encodeLogBody,
  type Frontier,
  grow as growTree,
  hashLeaf,
  type LogBody,
  type LogHead,
  type LogLeaf,
  MAX_EVENT,
  MAX_LOG_BODY,
  rootOf,
  verifyLeaves,
} from "../src/index.ts"

function bodyNumber(n: number): LogBody {
  return {
    salt: new Uint8Array(32).fill(n),
    time: 1_700_000_000_000 + n,
    event: new Uint8Array([n]),
  }
}

interface Grown {
  readonly leaves: LogLeaf[]
  readonly head: LogHead
  readonly roots: Map<number, Bytes>
  readonly frontiers: readonly Frontier[]
}

function grow(count: number): Grown {
  const frontiers = [EMPTY_FRONTIER]
  const leaves: LogLeaf[] = []
  const roots = new Map<number, Bytes>()
  for (let i = 0; i < count; i++) {
    const commitment = commitToLogBody(encodeLogBody(bodyNumber(i)))
    leaves.push({ index: i, commitment })
    const { frontier } = growTree(frontiers[i] as Frontier, hashLeaf(commitment))
    frontiers.push(frontier)
    roots.set(frontier.treeSize, rootOf(frontier))
  }
  const last = frontiers[count] as Frontier
  return { leaves, head: { treeSize: count, rootHash: rootOf(last) }, roots, frontiers }
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

test("bodies are padded with zeros, to sizes that events of one kind share", () => {
  const lengthOf = (event: number) =>
    encodeLogBody({ ...bodyNumber(1), event: new Uint8Array(event) }).length
  assert.deepEqual([0, 100, 190, 191, 900, 958, 959, 3000].map(lengthOf), [
    ...[256, 256, 256, 512, 1024, 1024, 2048, 4096],
  ])
  assert.equal(lengthOf(MAX_EVENT), MAX_LOG_BODY)
  const encoded = encodeLogBody(bodyNumber(1))
  const marked = encoded.with(encoded.length - 1, 1)
  assert.throws(() => decodeLogBody(marked), /padding is not zero at offset 67/)
  assert.throws(() => decodeLogBody(encoded.slice(0, -1)), /input ends 1 bytes early/)
})

test("bodies of before there was padding are read", () => {
  const { salt, time, event } = bodyNumber(3)
  const old = encode(
    struct({
      label: constant(utf8("lockkeeper/log-body/v1")),
      salt: fixedBytes(32),
      time: safeInteger,
      event: bytes(MAX_EVENT),
    }),
    { label: null, salt, time, event },
  )
  assert.deepEqual(decodeLogBody(old), bodyNumber(3))
  assert.throws(() => decodeLogBody(new Uint8Array([...old, 0])), /1 trailing bytes/)
})

test("untouched leaves lead from any earlier tree to the last", () => {
  const { leaves, head, roots, frontiers } = grow(20)
  for (const from of frontiers) {
    const verdict = verifyLeaves(from, leaves.slice(from.treeSize), head, roots)
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
    assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, flipped, head, roots), forged, "flip")
    assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, swapped(i), head, roots), forged, "swap")
    const missing = { valid: false, index: i, reason: "index-mismatch" }
    const without = leaves.filter((_, k) => k !== i)
    assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, without, head, roots), missing, "remove")
    const twice = leaves.flatMap((leaf, k) => (k === i ? [leaf, leaf] : [leaf]))
    const repeated = { valid: false, index: i + 1, reason: "index-mismatch" }
    assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, twice, head, roots), repeated, "repeat")
    const short = leaves.map((leaf, k) =>
      k === i ? { ...leaf, commitment: leaf.commitment.slice(1) } : leaf,
    )
    const cut = { valid: false, index: i, reason: "commitment-length" }
    assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, short, head, roots), cut, "shorten")
    const truncated = { valid: false, index: i, reason: "size-mismatch" }
    assert.deepEqual(
      verifyLeaves(EMPTY_FRONTIER, leaves.slice(0, i), head, roots),
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
  const verdict = verifyLeaves(EMPTY_FRONTIER, rewritten, head)
  assert.deepEqual(verdict, { valid: false, index: 4, reason: "root-mismatch" })
})
