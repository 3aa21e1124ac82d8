import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  decodeCredential,
  listSharingsBody,
  OPERATIONS,
  type OpenPayload,
  type OperatorCredential,
  openAnswer,
  openPayload,
  operatorIdOf,
  operatorOpeningInput,
  resumptionInput,
  SHARING_KINDS,
  type SharingListing,
  sharingsPage,
  signCredential,
  signedCredentialCodec,
  verifyCredential,
} from "@lockkeeper/api"
import { Secret, sha256, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Codec, DecodeError, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { sample, testCodec } from "./codec-checks.ts"
import { flipped, seeded } from "./fixtures.ts"

const identity = signingKeyFromSeed(new Secret(seeded("server identity", 32)))
const operator = signingKeyFromSeed(new Secret(seeded("operator", 32)))

const credential: OperatorCredential = {
  server: 2,
  rosterEpoch: 3,
  operatorKey: operator.publicKey,
  issuedAt: 1_700_000_000_000,
  expiresAt: 1_700_003_600_000,
}
const signed = signCredential(credential, identity)
const operate: OpenPayload = {
  kind: "operate",
  issuedAt: 1_700_000_000_000,
  credential: signed,
  signature: seeded("signature", 64),
}

const listing: SharingListing = {
  sharing: {
    ...{ id: seeded("id", 32), context: seeded("context", 32), group: "secp256k1" },
    ...{ keyEpoch: 2, rosterEpoch: 1, minSigners: 2, verifyingKey: seeded("key", 33) },
    verifyingShares: new Map([
      [1, seeded("share 1", 33)],
      [3, seeded("share 3", 33)],
    ]),
  },
  highestKeyEpoch: 3,
  pendingRun: seeded("run", 32),
  activeRun: null,
  activatedAt: 0,
}
const page = {
  sharings: [
    listing,
    { ...listing, pendingRun: null, activeRun: seeded("run", 32), activatedAt: 9 },
  ],
  next: seeded("id", 32),
}

const opening = { label: null, transcript: seeded("transcript", 32), issuedAt: 3 } as const

const SAMPLES = [
  sample("signedCredential", signedCredentialCodec, signed),
  sample("openPayload", openPayload, operate),
  sample("openAnswer", openAnswer, { kind: "operate", expiresAt: 9 }),
  sample("operatorOpeningInput", operatorOpeningInput, opening),
  sample(
    "listSharingsBody",
    listSharingsBody,
    { kind: "keys", after: null, limit: 64 },
    { kind: "accounts", after: seeded("after", 32), limit: 1 },
  ),
  sample("sharingsPage", sharingsPage, page, { sharings: [], next: null }),
]

for (const one of SAMPLES) testCodec(one)

describe("a credential", () => {
  it("is read as it was signed and verifies under the server's identity key alone", () => {
    assert.deepEqual(decodeCredential(signed), credential)
    assert.equal(verifyCredential(signed, identity.publicKey), true)
    assert.equal(verifyCredential(signed, operator.publicKey), false)
    assert.equal(verifyCredential(signCredential(credential, operator), identity.publicKey), false)
  })

  it("does not verify with any byte altered", () => {
    for (let i = 0; i < signed.credential.length; i++) {
      const altered = { ...signed, credential: flipped(signed.credential, i, i % 8) }
      assert.equal(verifyCredential(altered, identity.publicKey), false, `byte ${i}`)
    }
    for (let i = 0; i < 64; i++) {
      const altered = { ...signed, signature: flipped(signed.signature, i, i % 8) }
      assert.equal(verifyCredential(altered, identity.publicKey), false, `signature byte ${i}`)
    }
  })

  it("is refused with its field when cut, longer or of another version", () => {
    const fieldOf = (bytes: Uint8Array<ArrayBuffer>): string => {
      try {
        decodeCredential({ ...signed, credential: bytes })
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error))
        return error.path
      }
      return "none"
    }
    assert.equal(fieldOf(signed.credential.slice(0, -1)), "expiresAt")
    assert.equal(fieldOf(flipped(signed.credential, 31)), "label")
    const longer = new Uint8Array([...signed.credential, 0])
    assert.throws(() => decodeCredential({ ...signed, credential: longer }), DecodeError)
  })
})

describe("the operator's signatures", () => {
  it("never fit another structure: each has a label of its own", () => {
    const label = (bytes: Uint8Array) => new TextDecoder().decode(bytes.slice(0, 21))
    const resume = encode(resumptionInput, { ...opening })
    const operates = encode(operatorOpeningInput, opening)
    assert.equal(label(resume).startsWith("lockkeeper/resume/v1"), true)
    assert.equal(label(operates), "lockkeeper/operate/v1")
  })

  it("name the operator by a digest of the key", () => {
    const id = operatorIdOf(operator.publicKey)
    const name = utf8("lockkeeper/operator")
    const length = Uint8Array.of(0, 0, 0, name.length)
    assert.deepEqual(id, sha256(length, name, operator.publicKey))
  })
})

describe("what is sent and kept stays as it is", () => {
  const golden = <T>(codec: Codec<T>, value: T) => toHex(sha256(encode(codec, value))).slice(0, 32)

  it("byte for byte", () => {
    assert.deepEqual(
      [
        golden(signedCredentialCodec, signed),
        golden(openPayload, operate),
        golden(openAnswer, { kind: "operate", expiresAt: 9 }),
        golden(operatorOpeningInput, opening),
        golden(listSharingsBody, { kind: "accounts", after: null, limit: 64 }),
        golden(sharingsPage, page),
        toHex(operatorIdOf(operator.publicKey)).slice(0, 32),
      ],
      [
        "4ed8b87d9d5f372e81d6a141ae41dc70",
        "f2b2a1d5c58116a4915dcc5edf2afabe",
        "6fd4f33d7cb808ab6f25e633fbdfe000",
        "faedc558d717d5c08e4a1d0ce51c31a4",
        "939d898dcf8c5bbe25b0388da4a3e268",
        "5952d7147415e6db77cd0cac4d86ede6",
        "d71fd2b40bc094310d11bf757e5ed37d",
      ],
    )
  })

  it("operations and kinds keep their places", () => {
    assert.equal(OPERATIONS.indexOf("incidents.list"), 16)
    assert.equal(OPERATIONS.indexOf("sharings.list"), 17)
    assert.deepEqual(SHARING_KINDS, ["keys", "accounts"])
  })
})

it("6 codecs are sampled in this file", () => assert.equal(SAMPLES.length, 6))
