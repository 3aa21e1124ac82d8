import assert from "node:assert/strict"
import { test } from "node:test"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  type Charter,
  charterCodec,
  charterDigest,
  charterProblem,
  readSource,
} from "../src/index.ts"

const key = (n: number): Bytes => new Uint8Array(32).fill(n)

const { document } = readSource(`{
  "name": "treasury", "version": 1, "roles": ["treasurer"], "limits": {},
  "quorums": { "two": { "need": 1, "members": [{ "person": "ada" }], "veto": [{ "person": "eve" }] } }
}
---
`)

const CHARTER: Charter = {
  policy: document,
  people: [
    { id: "ada", kind: "approver", roles: ["treasurer"], credentials: [key(1), key(2)] },
    { id: "eve", kind: "auditor", roles: [], credentials: [key(3)] },
    { id: "owner", kind: "owner", roles: ["treasurer"], credentials: [] },
  ],
  rawKeys: [key(7)],
  bitcoinNetwork: "testnet",
}

test("a charter has one encoding, and a digest that any change of it changes", () => {
  const encoded = encode(charterCodec, CHARTER)
  assert.deepEqual(decode(charterCodec, encoded), CHARTER)
  const others: readonly Charter[] = [
    { ...CHARTER, people: CHARTER.people.slice(0, 2) },
    { ...CHARTER, rawKeys: [] },
    { ...CHARTER, bitcoinNetwork: "mainnet" },
    { ...CHARTER, policy: { ...document, version: 2 } },
  ]
  const digests = [CHARTER, ...others].map((one) => Buffer.from(charterDigest(one)).toString("hex"))
  assert.equal(new Set(digests).size, 5)
})

test("people, roles, credentials and raw keys are sets: ascending, nothing twice", () => {
  const [ada, eve, owner] = CHARTER.people
  assert.ok(ada && eve && owner)
  const wrong: readonly Charter[] = [
    { ...CHARTER, people: [eve, ada] },
    { ...CHARTER, people: [ada, ada] },
    { ...CHARTER, people: [{ ...ada, credentials: [key(2), key(1)] }] },
    { ...CHARTER, people: [{ ...ada, roles: ["treasurer", "treasurer"] }] },
    { ...CHARTER, rawKeys: [key(7), key(7)] },
  ]
  for (const one of wrong) assert.throws(() => encode(charterCodec, one), /not ascending/)
  for (const id of ["", "a b", "аda", "x".repeat(65)]) {
    const people = [{ ...ada, id }]
    assert.throws(() => encode(charterCodec, { ...CHARTER, people }), RangeError)
  }
})

test("what makes no sense across a charter's fields is named by its field", () => {
  assert.equal(charterProblem(CHARTER), null)
  const [ada, eve, owner] = CHARTER.people
  assert.ok(ada && eve && owner)
  const cases: readonly (readonly [Charter["people"], string])[] = [
    [[ada, eve, { ...owner, kind: "approver" }], "people.2.kind"],
    [[ada, { ...eve, kind: "owner" }], "people.1.kind"],
    [[{ ...ada, roles: ["admiral"] }, eve], "people.0.roles"],
    [[ada, { ...eve, credentials: [key(2)] }], "people.1.credentials"],
    [[eve], "policy.quorums.two"],
    [[ada], "policy.quorums.two"],
  ]
  for (const [people, field] of cases) {
    assert.equal(charterProblem({ ...CHARTER, people })?.field, field)
  }
})
