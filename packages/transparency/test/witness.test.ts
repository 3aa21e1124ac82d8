import assert from "node:assert/strict"
import { test } from "node:test"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import {
  type AddCheckpoint,
  decideAddCheckpoint,
  EMPTY_ROOT,
  equivocationCodec,
  formatAddCheckpoint,
  formatNote,
  type LogHead,
  logKeyOf,
  nodesOf,
  openCheckpoint,
  parseAddCheckpoint,
  parseNote,
  parseSignatureLines,
  proveConsistency,
  signCheckpoint,
  verifyEquivocation,
  type WitnessAnswer,
  witnessKeyOf,
} from "../src/index.ts"
import { entriesTo, entryNumber, headOf, readerOf, writeLog } from "./written-log.ts"

const keyOf = (byte: number) => signingKeyFromSeed(new Secret(new Uint8Array(32).fill(byte)))
const [log, stranger, witness] = [keyOf(1), keyOf(2), keyOf(3)]
const logKey = logKeyOf(log.publicKey)
const EMPTY: LogHead = { treeSize: 0, rootHash: EMPTY_ROOT }

const entries = entriesTo(300)
const forked = entries.with(3, entryNumber(777))

function headAt(size: number, of: readonly Bytes[] = entries): LogHead {
  return size === 0 ? EMPTY : headOf(of.slice(0, size))
}

function request(oldSize: number, size: number, of: readonly Bytes[] = entries): AddCheckpoint {
  const nodes = nodesOf(readerOf(writeLog(of.slice(0, size))), size)
  const proof = oldSize > size ? [] : proveConsistency(nodes, oldSize, size)
  return { oldSize, proof, checkpoint: signCheckpoint(headAt(size, of), log) }
}

/** A witness and what it keeps, which changes only as its answers say. */
class Kept {
  #latest: string | null = null

  decide(body: string): WitnessAnswer {
    return decideAddCheckpoint(body, {
      logs: [logKey],
      latest: () => this.#latest,
      identity: witness,
      seconds: 1_700_000_000,
    })
  }

  ask(asked: AddCheckpoint): WitnessAnswer {
    const answer = this.decide(formatAddCheckpoint(asked))
    if (answer.status === 200) this.#latest = answer.stored.checkpoint
    return answer
  }
}

function refused(answer: WitnessAnswer, status: number, reason: string, body?: string): void {
  assert.ok(answer.status !== 200, "cosigned")
  assert.deepEqual({ status: answer.status, reason: answer.reason }, { status, reason })
  assert.equal(answer.body, body ?? `${reason}\n`)
}

test("a log that grows is cosigned, and the cosignature joins its checkpoint", () => {
  const kept = new Kept()
  for (const [oldSize, size] of [
    [0, 0],
    [0, 5],
    [5, 5],
    [5, 8],
    [8, 256],
    [256, 300],
  ] as const) {
    const asked = request(oldSize, size)
    const answer = kept.ask(asked)
    assert.ok(answer.status === 200, `${oldSize} to ${size}`)
    assert.deepEqual(answer.stored, { origin: logKey.name, checkpoint: asked.checkpoint })
    const note = parseNote(asked.checkpoint)
    const cosignatures = parseSignatureLines(answer.body)
    const joined = formatNote({ ...note, signatures: [...note.signatures, ...cosignatures] })
    const witnessKey = witnessKeyOf(witness.publicKey)
    const opened = openCheckpoint(joined, logKey, [witnessKey])
    assert.ok(opened.valid)
    assert.deepEqual(opened.cosignatures, [{ witness: witnessKey, seconds: 1_700_000_000 }])
  }
})

test("every refusal has the status of the specification and stores nothing", () => {
  const kept = new Kept()
  assert.equal(kept.ask(request(0, 8)).status, 200)
  refused(kept.decide(""), 400, "malformed")
  refused(kept.decide("old 8\n\nno note"), 400, "malformed")
  const by = (checkpoint: string) => kept.ask({ ...request(8, 9), checkpoint })
  refused(by(signCheckpoint(headAt(9), stranger)), 404, "unknown-origin")
  const note = parseNote(signCheckpoint(headAt(9), log))
  const [foreign] = parseNote(signCheckpoint(headAt(9), stranger)).signatures
  assert.ok(foreign)
  refused(by(formatNote({ ...note, signatures: [foreign] })), 403, "not-signed-by-log")
  const claimed = { ...foreign, name: logKey.name, keyId: logKey.keyId }
  refused(by(formatNote({ ...note, signatures: [claimed] })), 403, "bad-signature")
  refused(kept.ask({ ...request(8, 9), oldSize: 10 }), 400, "old-size-above-size")
  refused(kept.ask(request(0, 9)), 409, "old-size-mismatch", "8\n")
  refused(kept.ask(request(5, 9)), 409, "old-size-mismatch", "8\n")
  refused(kept.ask({ ...request(8, 12), proof: [] }), 422, "not-consistent")
  refused(kept.ask({ ...request(8, 12), proof: request(8, 13).proof }), 422, "not-consistent")
  refused(kept.ask({ ...request(8, 12), proof: request(7, 12).proof }), 422, "not-consistent")
  assert.equal(kept.ask(request(8, 12)).status, 200)
})

test("an empty log has one root, and nothing is proven from it", () => {
  const odd = signCheckpoint({ treeSize: 0, rootHash: new Uint8Array(32) }, log)
  refused(new Kept().ask({ oldSize: 0, proof: [], checkpoint: odd }), 422, "not-consistent")
  const proven = { ...request(0, 5), proof: [EMPTY_ROOT] }
  refused(new Kept().ask(proven), 422, "not-consistent")
})

test("a log that shows another history is refused, at its size with proof for everybody", () => {
  const kept = new Kept()
  assert.equal(kept.ask(request(0, 8)).status, 200)
  for (const [oldSize, reason, status, body] of [
    [8, "not-consistent", 422, undefined],
    [2, "old-size-mismatch", 409, "8\n"],
  ] as const) {
    const answer = kept.ask(request(oldSize, 8, forked))
    refused(answer, status, reason, body)
    assert.ok(answer.status !== 200 && answer.equivocation !== null)
    assert.equal(verifyEquivocation(answer.equivocation, logKey), "proven")
  }
  const longer = kept.ask(request(8, 12, forked))
  refused(longer, 422, "not-consistent")
  assert.ok(longer.status !== 200 && longer.equivocation === null)
})

test("of two requests at once the later commit has to notice, or the witness rolls back", () => {
  const view = (latest: string | null) => ({
    logs: [logKey],
    latest: () => latest,
    identity: witness,
    seconds: 1,
  })
  const first = decideAddCheckpoint(formatAddCheckpoint(request(0, 5)), view(null))
  const second = decideAddCheckpoint(formatAddCheckpoint(request(0, 9)), view(null))
  assert.ok(first.status === 200 && second.status === 200)
  // Whoever stores second finds another latest than it decided by, and decides anew.
  const again = decideAddCheckpoint(
    formatAddCheckpoint(request(0, 5)),
    view(second.stored.checkpoint),
  )
  refused(again, 409, "old-size-mismatch", "9\n")
})

test("evidence of a fork convinces only of one", () => {
  const [a, b] = [signCheckpoint(headAt(8), log), signCheckpoint(headAt(8, forked), log)]
  assert.equal(verifyEquivocation({ first: a, second: b }, logKey), "proven")
  assert.equal(verifyEquivocation({ first: a, second: a }, logKey), "same-root")
  const grown = signCheckpoint(headAt(9), log)
  assert.equal(verifyEquivocation({ first: a, second: grown }, logKey), "different-sizes")
  const foreign = signCheckpoint(headAt(8, forked), stranger)
  for (const [first, second] of [
    [a, foreign],
    [foreign, a],
    [a, ""],
  ] as const) {
    assert.equal(verifyEquivocation({ first, second }, logKey), "not-by-this-log")
  }
  const evidence = { label: null, first: a, second: b }
  const encoded = encode(equivocationCodec, evidence)
  assert.deepEqual(decode(equivocationCodec, encoded), evidence)
})

test("a request has one spelling, and anything else is refused", () => {
  const asked = request(5, 8)
  const body = formatAddCheckpoint(asked)
  assert.deepEqual(parseAddCheckpoint(body), asked)
  const [hash = ""] = body.split("\n").slice(1)
  const cases: readonly [string, RegExp][] = [
    [body.replace("old 5", "old 05"), /not a decimal size/],
    [body.replace("old 5", "new 5"), /no old size/],
    [body.replace("old 5", "old  5"), /not a decimal size/],
    [body.replace(hash, hash.slice(4)), /hash is not 32 bytes/],
    [body.replace(`${hash}\n`, `${hash}\n`.repeat(64)), /proof: more than 63 hashes/],
    ["old 5\n", /no blank line before the checkpoint/],
    [`${body}x\n`, /no signature line/],
    [body.padEnd(20_000, "x"), /longer than \d+ characters/],
  ]
  for (const [changed, why] of cases) {
    assert.throws(
      () => parseAddCheckpoint(changed),
      (error: Error) => error instanceof DecodeError && why.test(error.message),
      changed.slice(0, 60),
    )
  }
})
