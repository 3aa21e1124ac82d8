import assert from "node:assert/strict"
import { test } from "node:test"
import { type Element, edwards25519, type Scalar } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  type OpenPayload,
  openPayloadCodec,
  type RevealPayload,
  revealPayloadCodec,
} from "../src/dkg/payloads.ts"
import type { AbortReason, Header } from "../src/index.ts"
import { assertAborted, driveWith, type Misdeed, paramsFor, signs } from "./dkg-cluster.ts"
import { flip, seeded } from "./messages-fixtures.ts"

const CULPRIT = 2
const params = paramsFor(2, [1, 2, 3])
const revealCodec = revealPayloadCodec(edwards25519)

function opensWith(change: (payload: OpenPayload) => Partial<OpenPayload>): Misdeed {
  return signs(CULPRIT, ({ broadcast }) => {
    const payload = decode(openPayloadCodec, broadcast)
    return { broadcast: encode(openPayloadCodec, { ...payload, ...change(payload) }) }
  })
}

function revealsWith(change: (payload: RevealPayload) => Partial<RevealPayload>): Misdeed {
  return signs(CULPRIT, ({ broadcast }) => {
    const payload = decode(revealCodec, broadcast)
    return { broadcast: encode(revealCodec, { ...payload, ...change(payload) }) }
  })
}

const says = (broadcast: Bytes): Misdeed => signs(CULPRIT, () => ({ broadcast }))
const header = (change: Partial<Header>): Misdeed => signs(CULPRIT, () => ({ header: change }))
const extraPart = signs(CULPRIT, ({ sealed }) => ({
  sealed: new Map([...sealed, [77, utf8("x")]]),
}))

// The sender's own doing, but a replay would look the same to others: unusable, hence silent.
const UNPROVABLE: readonly (readonly [string, Partial<Header>, AbortReason])[] = [
  ["suite", { suite: "lockkeeper-0" }, "wrong-suite"],
  ["protocol", { protocol: "frost" }, "wrong-protocol"],
  ["step", { step: 9 }, "wrong-step"],
  ["attempt", { attempt: 2 }, "wrong-attempt"],
  ["sessionId", { sessionId: seeded("another session", 32) }, "wrong-session"],
  ["rosterEpoch", { rosterEpoch: 8 }, "wrong-roster-epoch"],
  ["sender", { sender: 1 }, "wrong-signature"],
  ["parts", { parts: new Map([[0, seeded("x", 32)]]) }, "part-mismatch"],
]
for (const step of ["open", "reveal", "verdict"] as const) {
  for (const [field, change, reason] of UNPROVABLE) {
    if (step === "open" && field === "sessionId") continue
    test(`${step}: a wrong ${field} in the header makes its sender silent, not guilty`, () => {
      const result = driveWith(params, { [CULPRIT]: { [step]: header(change) } })
      assertAborted(result, params, { reason, silent: [CULPRIT] })
    })
  }
  test(`${step}: saying nothing is silence`, () => {
    const result = driveWith(params, { [CULPRIT]: { [step]: () => null } })
    assertAborted(result, params, { reason: "missing-messages", silent: [CULPRIT] })
  })
}
for (const step of ["open", "reveal", "verdict"] as const) {
  test(`${step}: a wrong echo makes its sender silent, not guilty`, () => {
    const misdeed = header({ previousDigest: seeded("x", 32) })
    const result = driveWith(params, { [CULPRIT]: { [step]: misdeed } })
    assertAborted(result, params, { reason: "echo-mismatch", silent: [CULPRIT] })
  })
}

test("open: another nonce is as good, since its session is its sender's own", () => {
  const change = { sessionId: seeded("another nonce", 32) }
  const result = driveWith(params, { [CULPRIT]: { open: header(change) } })
  assert.deepEqual([result.task.kind, result.keys.size], ["activate", 3])
})

const longer = (vector: readonly Element[]) => [...vector, edwards25519.generator]
const badScalar = (scalar: Scalar) => edwards25519.addScalars(scalar, edwards25519.one)

/** An encoding in which the first element of the vector is replaced by other bytes. */
function firstElement(bytes: Bytes): Misdeed {
  return signs(CULPRIT, ({ broadcast }) => {
    const changed = new Uint8Array(broadcast)
    changed.set(bytes, 4)
    return { broadcast: changed }
  })
}

const PROVABLE: readonly (readonly [
  string,
  "open" | "reveal" | "verdict",
  Misdeed,
  AbortReason,
])[] = [
  ["an extra recipient", "open", extraPart, "wrong-recipients"],
  ["junk", "open", says(utf8("junk")), "malformed-payload"],
  ["a short payload", "open", says(new Uint8Array(0)), "malformed-payload"],
  [
    "an unreduced ML-KEM key",
    "open",
    opensWith(() => ({ sealingKey: new Uint8Array(1216).fill(0xff) })),
    "malformed-payload",
  ],
  [
    "a small-order X25519 key",
    "open",
    opensWith(({ sealingKey }) => ({ sealingKey: withZeroTail(sealingKey) })),
    "malformed-payload",
  ],
  [
    "another commitment",
    "open",
    opensWith(() => ({ commitment: seeded("x", 32) })),
    "wrong-opening",
  ],
  ["an extra recipient", "reveal", extraPart, "wrong-recipients"],
  ["a recipient left out", "reveal", withoutRecipient(1), "wrong-recipients"],
  ["junk", "reveal", says(utf8("junk")), "malformed-payload"],
  [
    "a longer vector (raised threshold)",
    "reveal",
    revealsWith(({ vector }) => ({ vector: longer(vector) })),
    "wrong-vector-length",
  ],
  [
    "a shorter vector",
    "reveal",
    revealsWith(({ vector }) => ({ vector: vector.slice(1) })),
    "wrong-vector-length",
  ],
  ["an empty vector", "reveal", revealsWith(() => ({ vector: [] })), "wrong-vector-length"],
  [
    "another vector than committed to",
    "reveal",
    revealsWith(({ vector }) => ({ vector: [...vector].reverse() })),
    "wrong-opening",
  ],
  [
    "another blinding",
    "reveal",
    revealsWith(() => ({ blinding: seeded("x", 32) })),
    "wrong-opening",
  ],
  [
    "the identity as constant term",
    "reveal",
    firstElement(edwards25519.identity),
    "malformed-payload",
  ],
  ["a point of small order", "reveal", firstElement(new Uint8Array(32)), "malformed-payload"],
  [
    "a wrong challenge",
    "reveal",
    revealsWith(({ possession }) => ({
      possession: { ...possession, challenge: badScalar(possession.challenge) },
    })),
    "wrong-proof-of-possession",
  ],
  [
    "a wrong response",
    "reveal",
    revealsWith(({ possession }) => ({
      possession: { ...possession, response: badScalar(possession.response) },
    })),
    "wrong-proof-of-possession",
  ],
  ["an unreduced response", "reveal", unreducedResponse(), "malformed-payload"],
  ["an extra recipient", "verdict", extraPart, "wrong-recipients"],
  ["junk", "verdict", says(utf8("junk")), "malformed-payload"],
  ["an unknown kind", "verdict", says(Uint8Array.of(7)), "malformed-payload"],
  [
    "a flipped confirmation",
    "verdict",
    signs(CULPRIT, ({ broadcast }) => ({ broadcast: flip(broadcast, -40) })),
    "wrong-confirmation",
  ],
]

function withZeroTail(key: Bytes): Bytes {
  const changed = new Uint8Array(key)
  changed.fill(0, 1184)
  return changed
}

function withoutRecipient(recipient: number): Misdeed {
  return signs(CULPRIT, ({ sealed }) => ({
    sealed: new Map([...sealed].filter(([to]) => to !== recipient)),
  }))
}

function unreducedResponse(): Misdeed {
  return signs(CULPRIT, ({ broadcast }) => {
    const changed = new Uint8Array(broadcast)
    changed.fill(0xff, -32)
    return { broadcast: changed }
  })
}

for (const [what, step, misdeed, reason] of PROVABLE) {
  test(`${step}: ${what} names its signer with evidence`, () => {
    const result = driveWith(params, { [CULPRIT]: { [step]: misdeed } })
    assertAborted(result, params, { reason, culprits: [CULPRIT] })
  })
}

test("all culprits of a step are named at once", () => {
  const bad = (sender: number) => ({ reveal: signs(sender, () => ({ broadcast: utf8("junk") })) })
  const four = paramsFor(2, [1, 2, 3, 4])
  const result = driveWith(four, { 2: bad(2), 4: bad(4) })
  assertAborted(result, four, { reason: "malformed-payload", culprits: [2, 4] })
})

test("culprits are named beside those who are silent", () => {
  const four = paramsFor(2, [1, 2, 3, 4])
  const result = driveWith(four, {
    2: { reveal: signs(2, () => ({ broadcast: utf8("junk") })) },
    3: { reveal: () => null },
  })
  assertAborted(result, four, { reason: "malformed-payload", culprits: [2], silent: [3] })
})
