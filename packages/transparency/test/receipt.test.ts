import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  commitToLogBody,
  cosignCheckpoint,
  decodeLogBody,
  encodeLogBody,
  formatNote,
  type LoggedPosition,
  logKeyOf,
  nodesOf,
  parseNote,
  proveInclusion,
  type ReceiptTrust,
  receiptCodec,
  signCheckpoint,
  verifyReceipt,
  witnessKeyOf,
} from "../src/index.ts"
import { headOf, readerOf, writeLog } from "./written-log.ts"

const SERVERS: readonly Identifier[] = [1, 2, 3]
const identities = new Map(
  SERVERS.map((id) => [id, signingKeyFromSeed(new Secret(new Uint8Array(32).fill(id)))]),
)
const identityOf = (server: Identifier) => {
  const identity = identities.get(server)
  if (identity === undefined) throw new Error("no such server")
  return identity
}
const trust: ReceiptTrust = {
  logs: new Map(SERVERS.map((id) => [id, logKeyOf(identityOf(id).publicKey)])),
  witnesses: SERVERS.map((id) => witnessKeyOf(identityOf(id).publicKey)),
  minSigners: 2,
  minCosignatures: 1,
}

function bodyAt(server: Identifier, index: number): Bytes {
  const salt = new Uint8Array(32).fill(server * 16 + index)
  return encodeLogBody({ salt, time: 1000 + index, event: utf8(`use ${index}`) })
}

/** The entry at `index` in a log of ten, cosigned by the other servers. */
function position(server: Identifier, index = server): LoggedPosition {
  const entries = Array.from({ length: 10 }, (_, i) => commitToLogBody(bodyAt(server, i)))
  const note = parseNote(signCheckpoint(headOf(entries), identityOf(server)))
  const others = SERVERS.filter((id) => id !== server).map(identityOf)
  const cosignatures = others.map((identity) => cosignCheckpoint(note, identity, 5))
  return {
    server,
    index,
    body: bodyAt(server, index),
    proof: proveInclusion(nodesOf(readerOf(writeLog(entries)), 10), index, 10),
    checkpoint: formatNote({ ...note, signatures: [...note.signatures, ...cosignatures] }),
  }
}

/** A note with its first `count` signatures: the log's, then those of the others. */
function withSignatures(checkpoint: string, count: number): string {
  const note = parseNote(checkpoint)
  return formatNote({ ...note, signatures: note.signatures.slice(0, count) })
}

test("a receipt of t servers verifies, and opens the entries", () => {
  const receipt = { positions: [position(1), position(3)] }
  const verdict = verifyReceipt(receipt, trust)
  const [first, third] = receipt.positions.map(({ body }) => decodeLogBody(body))
  assert.deepEqual(verdict, {
    valid: true,
    entries: new Map([
      [1, first],
      [3, third],
    ]),
  })
  const encoded = encode(receiptCodec, { label: null, ...receipt })
  assert.deepEqual(decode(receiptCodec, encoded), { label: null, ...receipt })
})

test("each wrong part of a receipt is named, with the server whose it is", () => {
  const good = position(1)
  const bad = position(2)
  const flipped = (bytes: Bytes): Bytes => bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))
  const cases: readonly [Partial<LoggedPosition>, string][] = [
    [{ server: 7 }, "unknown-log"],
    [{ server: 1 }, "same-log-twice"],
    [{ server: 3 }, "other-origin"],
    [{ index: 3 }, "root-mismatch"],
    [{ index: 10 }, "no-such-leaf"],
    [{ body: flipped(bad.body) }, "root-mismatch"],
    [{ body: bodyAt(2, 3) }, "root-mismatch"],
    [{ proof: bad.proof.slice(1) }, "proof-length"],
    [{ proof: bad.proof.map(flipped).with(0, new Uint8Array(32)) }, "root-mismatch"],
    [{ checkpoint: "" }, "malformed"],
    [{ checkpoint: position(3).checkpoint }, "other-origin"],
    [{ checkpoint: bad.checkpoint.replace("\n10\n", "\n11\n") }, "bad-signature"],
    [{ checkpoint: withSignatures(bad.checkpoint, 1) }, "too-few-cosignatures"],
  ]
  for (const [change, reason] of cases) {
    const changed = { ...bad, ...change }
    const verdict = verifyReceipt({ positions: [good, changed] }, trust)
    assert.deepEqual(verdict, { valid: false, reason, server: changed.server }, reason)
  }
})

test("an entry that is committed to but is no body is refused", () => {
  const body = utf8("no body")
  const entries = [commitToLogBody(body)]
  const checkpoint = signCheckpoint(headOf(entries), identityOf(2))
  const positions = [{ server: 2, index: 0, body, proof: [], checkpoint }]
  const verdict = verifyReceipt({ positions }, { ...trust, minCosignatures: 0 })
  assert.deepEqual(verdict, { valid: false, reason: "body", server: 2 })
})

test("fewer logs than the threshold are not enough", () => {
  const verdict = verifyReceipt({ positions: [position(1)] }, trust)
  assert.deepEqual(verdict, { valid: false, reason: "too-few-logs", server: null })
  assert.equal(verifyReceipt({ positions: [position(1)] }, { ...trust, minSigners: 1 }).valid, true)
})
