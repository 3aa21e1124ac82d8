import assert from "node:assert/strict"
import { test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import fc from "fast-check"
import { registrationRecordCodec } from "../src/opaque/envelope.ts"
import { evaluationStatementCodec, statementOf } from "../src/opaque/evaluation.ts"
import {
  accountDealingCodec,
  accountKeysCodec,
  accountRecordCodec,
  confirmationsCodec,
  loginResponseCodec,
  loginServerStateCodec,
  registrationCodec,
  registrationDigest,
  stretchingCodec,
  wrapCodec,
} from "../src/opaque/index.ts"
import { ke1Codec, ke2Codec } from "../src/opaque/key-exchange.ts"
import { ask, cluster, get, register } from "./opaque-fixture.ts"

interface Sample {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly bytes: Bytes
}

/** One valid encoding of everything that is sent or stored. */
function samples(): Sample[] {
  const world = cluster("codecs")
  const account = register(world, "alice", "password")
  const login = ask(world, "alice", "password", account.records)
  const record = get(account.records, 1)
  const { registration } = record
  const ke1 = get(login.ke1, 1)
  const response = decode(loginResponseCodec, get(login.responses, 1))
  const statement = statementOf(response, ke1, registration.keys.accountId)
  const sample = <T>(name: string, codec: Codec<T>, value: T): Sample => ({
    name,
    codec: codec as Codec<unknown>,
    bytes: encode(codec, value),
  })
  return [
    { name: "KE1", codec: ke1Codec as Codec<unknown>, bytes: ke1 },
    sample("KE2", ke2Codec, response.ke2),
    sample("LoginResponse", loginResponseCodec, response),
    sample("EvaluationStatement", evaluationStatementCodec, statement),
    sample("RegistrationRecord", registrationRecordCodec, record.record),
    sample("Registration", registrationCodec, registration),
    sample("AccountDealing", accountDealingCodec, record),
    sample("AccountRecord", accountRecordCodec, record),
    sample("pending AccountRecord", accountRecordCodec, { ...record, confirmations: null }),
    sample("Confirmations", confirmationsCodec, record.confirmations ?? new Map()),
    sample("AccountKeys", accountKeysCodec, registration.keys),
    sample("Wrap", wrapCodec, registration.keys.storageKey),
    sample("Stretching", stretchingCodec, registration.stretching),
    sample("LoginServerState", loginServerStateCodec, get(login.serverStates, 1)),
  ]
}

/** Decodes or refuses; anything else fails the test. What decodes has this one encoding. */
function strictly(codec: Codec<unknown>, bytes: Bytes, what: string): boolean {
  let value: unknown
  try {
    value = decode(codec, bytes)
  } catch (error) {
    assert.ok(error instanceof DecodeError, `${what}: ${error}`)
    return false
  }
  assert.equal(toHex(encode(codec, value)), toHex(bytes), what)
  return true
}

const all = samples()

test("all 14 encodings come back as the same bytes", () => {
  assert.equal(all.length, 14)
  for (const { name, codec, bytes } of all) assert.ok(strictly(codec, bytes, name), name)
})

test("every truncation and every trailing byte is refused", () => {
  for (const { name, codec, bytes } of all) {
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(strictly(codec, bytes.slice(0, length), name), false, `${name} to ${length}`)
    }
    assert.equal(strictly(codec, new Uint8Array([...bytes, 0]), name), false, name)
  }
})

test("altered bytes decode to what encodes to them, or are refused with an offset", () => {
  for (const { name, codec, bytes } of all) {
    const edits = fc.array(
      fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(edits, (changes) => {
        const altered = bytes.slice()
        for (const [offset, value] of changes) altered[offset] = value
        strictly(codec, altered, name)
      }),
      { numRuns: 150 },
    )
  }
})

test("noise of any length is refused or is canonical", () => {
  for (const { name, codec } of all) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        strictly(codec, new Uint8Array(noise), name)
      }),
      { numRuns: 100 },
    )
  }
})

test("lengths and counts above their bounds are refused before anything is allocated", () => {
  const { bytes } = all.find(({ name }) => name === "Wrap") as Sample
  const long = bytes.slice()
  long.set([0xff, 0xff, 0xff, 0xff], 12)
  assert.throws(() => decode(wrapCodec, long), /sealed: length 4294967295 above 4112/)
  const many = new Uint8Array([0, 0, 0, 25])
  assert.throws(() => decode(confirmationsCodec, many), /count 25 above 24/)
})

test("a dealing with a zero or unreduced share, or an unknown version, does not decode", () => {
  const { bytes } = all.find(({ name }) => name === "AccountDealing") as Sample
  const at = bytes.length - 192 - 32
  const put = (value: Bytes, offset: number) => {
    const altered = bytes.slice()
    altered.set(value, offset)
    return () => decode(accountDealingCodec, altered)
  }
  assert.throws(put(new Uint8Array(32), at), /share: scalar is zero/)
  assert.throws(put(new Uint8Array(32).fill(255), at), /share: scalar is not below/)
  assert.throws(put(Uint8Array.of(2), 0), /registration: unknown version/)
  assert.throws(put(new Uint8Array(32), at + 32), /clientPublicKey: element is the identity/)
  assert.throws(put(new Uint8Array(2), at - 2), /identifier: identifier is zero/)
})

test("the encodings of this version are these", () => {
  const world = cluster("golden")
  const { registration } = get(register(world, "alice", "password").records, 1)
  const golden = registrationDigest(registration)
  assert.equal(toHex(golden), "bbb6c65a90ba28d4e018afdd2ebd966c4c195dfae4036eb2fff180b27b3a5607")
})

test("secrets in decoded values print as redacted", () => {
  for (const { codec, bytes } of all) {
    const value = decode(codec, bytes)
    const text = JSON.stringify(value)
    if (value instanceof Object && "share" in value) {
      assert.ok(value.share instanceof Secret)
      assert.ok(!text.includes(toHex(value.share.expose())))
      assert.match(text, /"share":"\[redacted\]"/)
    }
  }
})
