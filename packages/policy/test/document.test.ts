import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { cedar } from "../src/cedar.ts"
import {
  decide,
  type PolicyDocument,
  PolicyError,
  policyDigest,
  policyDocumentCodec,
  preparePolicy,
  readSource,
} from "../src/index.ts"
import { policyText } from "./policy-text.ts"
import { Draws, randomPolicy } from "./random-policies.ts"
import { factsOf, HEADER, sourceOf, treasury } from "./treasury.ts"

const { document } = treasury()

describe("a policy document has one encoding", () => {
  it("from which it is prepared again, with the same digest and decisions", () => {
    const decoded = decode(policyDocumentCodec, encode(policyDocumentCodec, document))
    assert.deepEqual(decoded, document)
    const again = preparePolicy(cedar, decoded)
    assert.deepEqual(again.digest, treasury().digest)
    assert.equal(decide(again, factsOf(again)).allow, true)
  })

  it("for 200 random policies", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { document } = readSource(policyText(randomPolicy(new Draws(seed))))
      const encoded = encode(policyDocumentCodec, document)
      assert.deepEqual(decode(policyDocumentCodec, encoded), document, `seed ${seed}`)
    }
  })

  it("whatever the order in the file", () => {
    const { document } = readSource(sourceOf())
    const turned = readSource(
      sourceOf({
        roles: HEADER.roles.toReversed(),
        limits: Object.fromEntries(Object.entries(HEADER.limits).toReversed()),
        quorums: Object.fromEntries(Object.entries(HEADER.quorums).toReversed()),
      }),
    )
    assert.deepEqual(turned.document, document)
  })

  it("that this version of the format keeps", () => {
    const small: PolicyDocument = {
      ...{ name: "a", version: 1, roles: ["r"], rules: "permit;" },
      limits: [{ kind: "velocity", name: "l", requests: 2, overMs: 60_000, per: "policy" }],
      quorums: [
        {
          ...{ name: "q", need: 1, veto: [], requesterMayApprove: false },
          members: [{ who: { kind: "role", role: "r" }, weight: 1 }],
        },
      ],
    }
    assert.equal(
      toHex(encode(policyDocumentCodec, small)),
      [
        "01000000016100000000000000010000000100000001720000000103000000016c0000000000000002",
        "000000010200000001000000017100010000000100000000017200010000000000000000077065",
        "726d69743b",
      ].join(""),
    )
    assert.equal(
      toHex(policyDigest(small)),
      "a7a0c40093456cf8e07264e11cd10f19d0c3610cf88303ba45c6da261db1e2cb",
    )
  })
})

it("the digest covers every field", () => {
  const [first, ...limits] = document.limits
  const [quorum, ...quorums] = document.quorums
  const others: readonly Partial<PolicyDocument>[] = [
    { name: "treasurf" },
    { version: 4 },
    { roles: ["compliance", "treasurer", "z"] },
    { limits },
    { limits: [{ ...first, most: 1001n } as never, ...limits] },
    { quorums },
    { quorums: [{ ...quorum, requesterMayApprove: true } as never, ...quorums] },
    { rules: `${document.rules} ` },
  ]
  const digests = [document, ...others.map((changed) => ({ ...document, ...changed }))]
    .map(policyDigest)
    .map(toHex)
  assert.equal(new Set(digests).size, others.length + 1)
})

describe("what is no document is refused at its field", () => {
  const [first, second, ...rest] = document.limits
  const [quorum, ...quorums] = document.quorums
  const cases: readonly (readonly [what: string, changed: object, message: string])[] = [
    ["a name with a space", { name: "a b" }, "not a name"],
    ["version 0", { version: 0 }, `outside 1 to ${Number.MAX_SAFE_INTEGER}`],
    ["roles in another order", { roles: ["b", "a"] }, "not ascending"],
    ["a role twice", { roles: ["a", "a"] }, "not ascending"],
    ["limits in another order", { limits: [second, first, ...rest] }, "not ascending"],
    ["an empty asset", { limits: [{ ...first, asset: "" }] }, "not a short text"],
    ["an amount of 2^256", { limits: [{ ...first, most: 2n ** 256n }] }, "amount outside 256 bits"],
    ["a duration of a second", { limits: [{ ...first, overMs: 1000 }] }, "outside 1 to 527040"],
    [
      "a duration of 90 seconds",
      { limits: [{ ...first, overMs: 90_000 }] },
      "integer outside 0 to 4294967295",
    ],
    ["a need of 0", { quorums: [{ ...quorum, need: 0 }, ...quorums] }, "outside 1 to 1000"],
  ]
  for (const [what, changed, message] of cases) {
    it(what, () => {
      const encoding = () => encode(policyDocumentCodec, { ...document, ...changed } as never)
      assert.throws(encoding, { name: "RangeError", message })
    })
  }

  it("bytes in another order, and of another format", () => {
    const swap = (from: string, to: string) => {
      const encoded = encode(policyDocumentCodec, document)
      const text = toHex(encoded).replace(hexOf(from), hexOf(to))
      return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
    }
    const hexOf = (text: string) => toHex(new TextEncoder().encode(text))
    const refused = (bytes: Uint8Array, message: RegExp) =>
      assert.throws(
        () => decode(policyDocumentCodec, bytes),
        (error) => error instanceof DecodeError && message.test(error.message),
      )
    refused(swap("compliance", "zompliance"), /^document\.roles: not ascending/)
    refused(swap("treasury", "treasurY"), /^document\.name: not a name/)
    const format = encode(policyDocumentCodec, document)
    format[0] = 2
    refused(format, /^format: wrong constant at offset 0/)
  })
})

it("a stored document with hidden characters, or with an unknown limit, is refused", () => {
  const refused = (rules: string, code: string) =>
    assert.throws(
      () => preparePolicy(cedar, { ...document, rules }),
      (error) => error instanceof PolicyError && error.problems[0]?.code === code,
    )
  refused(`${document.rules}// \u202e`, "hidden-character")
  refused('@id("a") @limit("weekly") permit (principal, action, resource);', "unknown-limit")
})
