import assert from "node:assert/strict"
import { test } from "node:test"
import { Secret, type SigningKey, signingKeyFromSeed } from "@lockkeeper/crypto"
import { DecodeError, utf8 } from "@lockkeeper/encoding"
import {
  cosignCheckpoint,
  EMPTY_ROOT,
  formatCheckpoint,
  formatNote,
  formatNoteKey,
  logKeyOf,
  type Note,
  noteKey,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parseNoteKey,
  parseSignatureLines,
  signCheckpoint,
  verifyNote,
  witnessKeyOf,
} from "../src/index.ts"

const keyOf = (byte: number): SigningKey =>
  signingKeyFromSeed(new Secret(new Uint8Array(32).fill(byte)))
const [log, other, witness] = [keyOf(1), keyOf(2), keyOf(3)]
const HEAD = { treeSize: 5, rootHash: new Uint8Array(32).fill(9) }

// The example of c2sp.org/signed-note.
const VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
const NOTE = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`

function refused(read: () => unknown, why: RegExp, what: string): void {
  assert.throws(
    read,
    (error: Error) => error instanceof DecodeError && why.test(error.message),
    what,
  )
}

function cosigned(encoded: string, by: SigningKey, seconds = 1_700_000_000): string {
  const note = parseNote(encoded)
  return formatNote({
    ...note,
    signatures: [...note.signatures, cosignCheckpoint(note, by, seconds)],
  })
}

test("the specification's example verifies with its key", () => {
  const key = parseNoteKey(VKEY)
  assert.equal(formatNoteKey(key), VKEY)
  const note = parseNote(NOTE)
  assert.equal(note.text, "This is an example message.\n")
  assert.equal(formatNote(note), NOTE)
  assert.deepEqual(verifyNote(note, [key]), [{ key, seconds: 0 }])
  const changed: Note = { ...note, text: "This is another message.\n" }
  assert.equal(verifyNote(changed, [key]), "bad-signature")
})

test("a note has one spelling, and anything else is refused with its place", () => {
  const [, line = ""] = NOTE.split("\n\n")
  const cases: readonly [string, RegExp][] = [
    ["", /no blank line before the signatures at offset 0/],
    ["text\n", /no blank line/],
    ["text\n\n", /no signature at offset 6/],
    [`text\n\n${line.trimEnd()}`, /a line does not end/],
    [`text\n\n${line}rest\n`, /no signature line at offset/],
    [`text\n\n${line.replace("— ", "- ")}`, /no signature line at offset 6/],
    [`text\n\n${line.replace("/foo", "+foo")}`, /no key name and signature at offset 6/],
    [`text\n\n${line.replace("/foo", "\u00a0foo")}`, /no key name and signature at offset 6/],
    [`text\n\n${line.replace("\n", " more\n")}`, /no key name and signature at offset 6/],
    [`text\n\n${line.replace("Uw2Q", "Uw2-")}`, /not base64/],
    [`text\n\n${line.replace("aQM=", "aQN=")}`, /spare bits/],
    [`text\n\n${line.replace("aQM=", "aQM")}`, /impossible length/],
    ["text\n\n— a AAAAAA==\n", /no key id and signature/],
    [`te\txt\n\n${line}`, /control character at offset 2/],
    [`te\rxt\n\n${line}`, /control character at offset 2/],
    [`te\ud800xt\n\n${line}`, /lone surrogates/],
    [`text\n\n${line.repeat(65)}`, /more than 64 signatures/],
    [`${"x".repeat(16_384)}\n\n${line}`, /longer than 16384 characters/],
  ]
  for (const [note, why] of cases) refused(() => parseNote(note), why, note.slice(0, 80))
  assert.equal(parseNote(`a\n\nb\n\n${line}`).text, "a\n\nb\n")
  assert.equal(parseSignatureLines(line).length, 1)
  assert.throws(() => formatNote({ text: "text\n", signatures: [] }), RangeError)
})

test("a verifier key has one spelling", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /no name/],
    ["example.com/foo", /no name/],
    [VKEY.replace("530d903a", "530d903b"), /key id of another key/],
    [VKEY.replace("530d903a", "530D903A"), /key id of another key/],
    [VKEY.replace("+Aeky", "+Beky"), /unknown type of key/],
    [VKEY.replace("example.com/foo", "example.com/bar"), /key id of another key/],
    [VKEY.slice(0, -4), /unknown type of key/],
  ]
  for (const [text, why] of cases) refused(() => parseNoteKey(text), why, text)
  assert.throws(() => noteKey("log", "a b", log.publicKey), RangeError)
  assert.throws(() => noteKey("log", "a", new Uint8Array(31)), RangeError)
})

test("signatures by unknown keys are passed over, one under a known name and id never", () => {
  const key = logKeyOf(log.publicKey)
  const [own] = parseNote(signCheckpoint(HEAD, log)).signatures
  const [foreign] = parseNote(signCheckpoint(HEAD, other)).signatures
  assert.ok(own && foreign)
  const text = formatCheckpoint({ origin: key.name, ...HEAD })
  assert.deepEqual(verifyNote({ text, signatures: [foreign] }, [key]), [])
  assert.deepEqual(verifyNote({ text, signatures: [foreign, own] }, [key]), [{ key, seconds: 0 }])
  const twice = verifyNote({ text, signatures: [own, own] }, [key])
  assert.deepEqual(twice, [{ key, seconds: 0 }])
  const claimed = { ...foreign, name: key.name, keyId: key.keyId }
  assert.equal(verifyNote({ text, signatures: [own, claimed] }, [key]), "bad-signature")
  const sameName = { ...own, keyId: key.keyId ^ 1 }
  assert.deepEqual(verifyNote({ text, signatures: [sameName] }, [key]), [])
})

test("a checkpoint verifies for its log only, with the cosignatures of known witnesses", () => {
  const [logKey, witnessKey] = [logKeyOf(log.publicKey), witnessKeyOf(witness.publicKey)]
  const encoded = cosigned(cosigned(signCheckpoint(HEAD, log), witness), other)
  const opened = openCheckpoint(encoded, logKey, [witnessKey])
  assert.ok(opened.valid)
  assert.deepEqual(opened.checkpoint, { origin: logKey.name, ...HEAD })
  assert.deepEqual(opened.cosignatures, [{ witness: witnessKey, seconds: 1_700_000_000 }])
  const refusedAs = (note: string, reason: string) =>
    assert.deepEqual(openCheckpoint(note, logKey, [witnessKey]), { valid: false, reason })
  refusedAs("", "malformed")
  refusedAs(signCheckpoint(HEAD, other), "other-origin")
  refusedAs(encoded.replace("\n5\n", "\n6\n"), "bad-signature")
  const cosignatureOnly = parseNote(encoded)
  refusedAs(
    formatNote({ ...cosignatureOnly, signatures: cosignatureOnly.signatures.slice(1) }),
    "not-signed-by-log",
  )
})

test("each changed part of a cosignature spoils it", () => {
  const [logKey, witnessKey] = [logKeyOf(log.publicKey), witnessKeyOf(witness.publicKey)]
  const note = parseNote(cosigned(signCheckpoint(HEAD, log), witness))
  const [own, cosignature] = note.signatures
  assert.ok(own && cosignature)
  for (let at = 0; at < 72; at++) {
    const signature = cosignature.signature.map((byte, i) => (i === at ? byte ^ 1 : byte))
    const changed = formatNote({ ...note, signatures: [own, { ...cosignature, signature }] })
    const opened = openCheckpoint(changed, logKey, [witnessKey])
    assert.deepEqual(opened, { valid: false, reason: "bad-signature" }, `byte ${at}`)
  }
  const whole = cosignature.signature
  // Of one byte there is not even a time to read.
  for (const signature of [whole.slice(1), whole.slice(0, 1), new Uint8Array([...whole, 0])]) {
    const changed = formatNote({ ...note, signatures: [own, { ...cosignature, signature }] })
    const opened = openCheckpoint(changed, logKey, [witnessKey])
    assert.deepEqual(opened, { valid: false, reason: "bad-signature" }, `${signature.length}`)
  }
})

test("a log is no witness of itself, and its signature no cosignature", () => {
  const logKey = logKeyOf(log.publicKey)
  const own = witnessKeyOf(log.publicKey)
  const opened = openCheckpoint(cosigned(signCheckpoint(HEAD, log), log), logKey, [own])
  assert.ok(opened.valid)
  assert.deepEqual(opened.cosignatures, [])
  assert.notEqual(own.keyId, logKey.keyId)
})

test("the text of a checkpoint has three lines, each in one spelling", () => {
  const text = formatCheckpoint({ origin: "example.com/log", treeSize: 0, rootHash: EMPTY_ROOT })
  assert.equal(text, "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
  assert.equal(formatCheckpoint(parseCheckpoint(text)), text)
  const cases: readonly [string, RegExp][] = [
    [text.replace("example.com/log", ""), /origin: no name of a log/],
    [text.replace("example.com", "example com"), /origin: no name of a log/],
    [text.replace("\n0\n", "\n00\n"), /tree size: not a decimal size/],
    [text.replace("\n0\n", "\n-1\n"), /tree size: not a decimal size/],
    [text.replace("\n0\n", "\n9007199254740992\n"), /tree size: size above 2\^53 - 1/],
    [text.replace("47DE", ""), /root hash: hash is not 32 bytes/],
    [`${text}extension\n`, /extensions: more than three lines/],
    [text.trimEnd(), /extensions: more than three lines/],
  ]
  for (const [changed, why] of cases) refused(() => parseCheckpoint(changed), why, changed)
})

test("a signed text is the note's and not one that another statement could be", () => {
  const { text } = parseNote(signCheckpoint(HEAD, log))
  const labels = ["lockkeeper/request/v1", "cosignature/v1\n"].map((label) => utf8(label))
  for (const label of labels) {
    assert.notDeepEqual(utf8(text).slice(0, label.length), label)
  }
  assert.ok(text.startsWith("lockkeeper-log/"))
})
