import assert from "node:assert/strict"
import { test } from "node:test"
import { xwingKeyPair } from "@lockkeeper/crypto"
import { concat, utf8 } from "@lockkeeper/encoding"
import {
  openFirst,
  openNext,
  reopenFirst,
  type SealedPlace,
  type Slot,
  sealFirst,
  sealNext,
} from "../src/index.ts"
import { seeded } from "./messages-fixtures.ts"

const slot: Slot = {
  protocol: "dkg",
  step: 2,
  attempt: 1,
  sessionId: seeded("session", 32),
  rosterEpoch: 1,
  sender: 1,
}
const place: SealedPlace = { slot, recipient: 2 }
const { publicKey, secretKey } = xwingKeyPair(seeded("sealing key", 32))
const randomness = seeded("encapsulation", 64)
const payload = utf8("a share")

test("only the recipient's key opens a sealed part", () => {
  const { part } = sealFirst(place, publicKey, randomness, payload)
  assert.deepEqual(openFirst(place, secretKey, part)?.payload, payload)
  const other = xwingKeyPair(seeded("other key", 32)).secretKey
  assert.equal(openFirst(place, other, part), null)
})

const elsewhere: readonly (readonly [string, SealedPlace])[] = [
  ["recipient", { slot, recipient: 3 }],
  ["sender", { slot: { ...slot, sender: 3 }, recipient: 2 }],
  ["session", { slot: { ...slot, sessionId: seeded("other", 32) }, recipient: 2 }],
  ["step", { slot: { ...slot, step: 3 }, recipient: 2 }],
  ["attempt", { slot: { ...slot, attempt: 2 }, recipient: 2 }],
  ["protocol", { slot: { ...slot, protocol: "frost" }, recipient: 2 }],
  ["rosterEpoch", { slot: { ...slot, rosterEpoch: 2 }, recipient: 2 }],
]
for (const [field, wrong] of elsewhere) {
  test(`a sealed part does not open for another ${field}`, () => {
    const { part } = sealFirst(place, publicKey, randomness, payload)
    assert.equal(openFirst(wrong, secretKey, part), null)
  })
}

test("any changed byte of a sealed part keeps it shut", () => {
  const { part } = sealFirst(place, publicKey, randomness, payload)
  for (let i = 0; i < part.length; i += i < 1110 ? 111 : 1) {
    const changed = new Uint8Array(part)
    changed[i] = (changed[i] as number) ^ 1
    assert.equal(openFirst(place, secretKey, changed), null, `byte ${i}`)
  }
})

test("later parts count up under one encapsulation and open only in order", () => {
  const first = sealFirst(place, publicKey, randomness, payload)
  const later = { slot: { ...slot, step: 3 }, recipient: 2 }
  const second = sealNext(first.channel, later, utf8("second"))
  const third = sealNext(second.channel, later, utf8("third"))
  const opened = openFirst(place, secretKey, first.part)
  assert.ok(opened)
  assert.equal(openNext(opened.channel, later, third.part), null)
  const next = openNext(opened.channel, later, second.part)
  assert.deepEqual(next?.payload, utf8("second"))
  assert.deepEqual(openNext(next.channel, later, third.part)?.payload, utf8("third"))
  assert.equal(openNext(opened.channel, place, first.part), null)
  assert.equal(openFirst(later, secretKey, second.part), null)
})

test("revealed randomness shows exactly what was sealed, and nothing else passes for it", () => {
  const { part } = sealFirst(place, publicKey, randomness, payload)
  assert.deepEqual(reopenFirst(place, publicKey, randomness, part), { kind: "payload", payload })
  const other = reopenFirst(place, publicKey, seeded("other randomness", 64), part)
  assert.equal(other.kind, "other-randomness")
  const damaged = new Uint8Array(part)
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 1
  assert.equal(reopenFirst(place, publicKey, randomness, damaged).kind, "does-not-open")
  assert.equal(reopenFirst(place, publicKey, randomness, utf8("junk")).kind, "does-not-open")
})

test("a later part with an encapsulation, a first one without, and short ones stay shut", () => {
  const first = sealFirst(place, publicKey, randomness, payload)
  const second = sealNext(first.channel, place, utf8("second"))
  const opened = openFirst(place, secretKey, first.part)
  assert.ok(opened)
  const encapsulation = first.part.subarray(1, 1121)
  const dressed = concat(Uint8Array.of(1), encapsulation, second.part.subarray(1))
  assert.equal(openNext(opened.channel, place, dressed), null)
  const bare = concat(Uint8Array.of(0), first.part.subarray(1121))
  assert.equal(openFirst(place, secretKey, bare), null)
  for (const length of [0, 1, 15]) {
    const short = concat(
      first.part.subarray(0, 1125),
      Uint8Array.of(0, 0, 0, length),
      new Uint8Array(length),
    )
    assert.equal(openFirst(place, secretKey, short), null)
    assert.equal(reopenFirst(place, publicKey, randomness, short).kind, "does-not-open")
  }
})
