import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  decodeRequest,
  OPERATIONS,
  type Request,
  requestDigest,
  signedRequestCodec,
  signRequest,
  verifyRequest,
} from "@lockkeeper/api"
import { Secret, signingKeyFromSeed, verifySignature } from "@lockkeeper/crypto"
import { concat, DecodeError, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { flipped, seeded } from "./fixtures.ts"

const key = signingKeyFromSeed(new Secret(seeded("account", 32)))
const stranger = signingKeyFromSeed(new Secret(seeded("stranger", 32)))

const request: Request = {
  operation: "sign",
  accountId: seeded("account id", 32),
  requestId: seeded("request id", 16),
  rosterEpoch: 1,
  servers: [1, 2, 3],
  issuedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_060_000,
  body: utf8("body"),
}

describe("a signed request", () => {
  const signed = signRequest(request, key)

  it("is read as it was written and verifies under the account's key", () => {
    assert.deepEqual(decodeRequest(signed), request)
    assert.equal(verifyRequest(signed, key.publicKey), true)
    assert.deepEqual(decode(signedRequestCodec, encode(signedRequestCodec, signed)), signed)
  })

  it("does not verify with any byte altered", () => {
    for (let i = 0; i < signed.request.length; i++) {
      const altered = { ...signed, request: flipped(signed.request, i, i % 8) }
      assert.equal(verifyRequest(altered, key.publicKey), false, `request byte ${i}`)
    }
    for (let i = 0; i < 64; i++) {
      const altered = { ...signed, signature: flipped(signed.signature, i, i % 8) }
      assert.equal(verifyRequest(altered, key.publicKey), false, `signature byte ${i}`)
    }
  })

  it("does not verify under another key", () => {
    assert.equal(verifyRequest(signed, stranger.publicKey), false)
    assert.equal(verifyRequest(signRequest(request, stranger), key.publicKey), false)
  })

  it("is signed over DSSE's pre-authentication encoding, not over its bare bytes", () => {
    const type = "application/vnd.lockkeeper.request.v1"
    const head = `DSSEv1 ${type.length} ${type} ${signed.request.length} `
    const covered = concat(utf8(head), signed.request)
    assert.equal(verifySignature(key.publicKey, covered, signed.signature), true)
    assert.equal(verifySignature(key.publicKey, signed.request, signed.signature), false)
  })

  it("has another digest when any field differs", () => {
    const others: Request[] = [
      request,
      ...OPERATIONS.filter((o) => o !== "sign").map((operation) => ({ ...request, operation })),
      { ...request, accountId: seeded("other", 32) },
      { ...request, requestId: seeded("other", 16) },
      { ...request, rosterEpoch: 2 },
      { ...request, servers: [1, 2] },
      { ...request, issuedAt: request.issuedAt + 1 },
      { ...request, expiresAt: request.expiresAt + 1 },
      { ...request, body: utf8("other") },
    ]
    const digests = others.map((other) => toHex(requestDigest(signRequest(other, key))))
    assert.equal(new Set(digests).size, others.length)
  })

  it("is refused by the decoder with a field named, when cut or of another version", () => {
    const cut = { ...signed, request: signed.request.slice(0, 60) }
    assert.throws(
      () => decodeRequest(cut),
      (error: unknown) => error instanceof DecodeError && error.path === "requestId",
    )
    const version = { ...signed, request: flipped(signed.request, 20) }
    assert.throws(
      () => decodeRequest(version),
      (error: unknown) => error instanceof DecodeError && error.path === "label",
    )
    const longer = { ...signed, request: concat(signed.request, utf8("x")) }
    assert.throws(() => decodeRequest(longer), DecodeError)
  })

  it("refuses a body above 128 KiB before it is signed", () => {
    assert.throws(() => signRequest({ ...request, body: new Uint8Array(131_073) }, key), RangeError)
  })
})
