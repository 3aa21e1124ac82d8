import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Element, Secret, secp256k1, sha256 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { branchPoint } from "../src/dkls/ot/base-ot.ts"
import { hashToPoint } from "../src/dkls/ot/hash-to-point.ts"
import {
  BASE_OT_RECEIVER_MESSAGE_LENGTH,
  BASE_OT_SENDER_MESSAGE_LENGTH,
  type BaseOtReceiver,
  baseOtReceive,
  baseOtReceiverCodec,
  baseOtSend,
  baseOtSenderCodec,
  receiverSeeds,
  senderSeeds,
} from "../src/dkls/ot/index.ts"
import { named } from "./dkls-ot-fixture.ts"

const context = named("context")
const choice = () => new Secret(named("delta", 16))
const receiver = baseOtReceive(context, choice(), named("receiver"))
const sender = baseOtSend(context, named("sender"))
const receiverState = encode(baseOtReceiverCodec, receiver.state)
const senderState = encode(baseOtSenderCodec, sender.state)
const atSender = (message: Bytes, at = context) =>
  senderSeeds(at, decode(baseOtSenderCodec, senderState), message)
const atReceiver = (message: Bytes, at = context) =>
  receiverSeeds(at, decode(baseOtReceiverCodec, receiverState), message)

// What fixed randomness gives; a change makes old peers and old states unreadable.
const GOLDEN = {
  point: "023d4321d657903224b06051eb2fe69f0e1bd5b1e12f1976f09b39fa5ed2705228",
  receiver: "c03055166f7c29de71706772dd1d399f7db8b8ad2f3f690a2044012ad2569964",
  sender: "06d491867571cad3fb9e5726e9e1ca7579804d520bc47ac6839bada266dda89d",
  seeds: "574124172bc3eb319e5311c16eb55aca8039c1a108a8685438a4e516781b2a00",
}

function seedsOf(seeds: Secret): string[] {
  return Array.from({ length: 128 }, (_, k) => toHex(seeds.expose().subarray(16 * k, 16 * k + 16)))
}

function replaced(message: Bytes, start: number, part: Uint8Array): Bytes {
  const copy = message.slice()
  copy.set(part, start)
  return copy
}

const bitOf = (bytes: Uint8Array, index: number) => (bytes[index >> 3]! >> (index & 7)) & 1

describe("128 base transfers", () => {
  const { zero, one } = atSender(receiver.message)
  const [zeros, ones, chosen] = [zero, one, atReceiver(sender.message)].map(seedsOf) as [
    string[],
    string[],
    string[],
  ]

  it("give the receiver exactly the seeds it chose", () => {
    const bits = named("delta", 16)
    for (let k = 0; k < 128; k++) {
      const [own, other] = bitOf(bits, k) === 0 ? [zeros, ones] : [ones, zeros]
      assert.equal(chosen[k], own[k])
      assert.notEqual(chosen[k], other[k])
    }
  })

  it("give 256 distinct seeds", () => {
    assert.equal(new Set([...zeros, ...ones]).size, 256)
  })

  it("have kept their wire format", () => {
    assert.equal(toHex(sha256(receiver.message)), GOLDEN.receiver)
    assert.equal(toHex(sha256(sender.message)), GOLDEN.sender)
    assert.equal(toHex(sha256(zero.expose(), one.expose())), GOLDEN.seeds)
  })

  it("give unrelated seeds when the two ends disagree about the context", () => {
    const elsewhere = seedsOf(atReceiver(sender.message, named("another")))
    const all = new Set([...zeros, ...ones])
    assert.equal(elsewhere.filter((seed) => all.has(seed)).length, 0)
  })

  it("give unrelated seeds when a message came from another run", () => {
    const other = baseOtSend(context, named("another sender"))
    const all = new Set([...zeros, ...ones])
    assert.equal(seedsOf(atReceiver(other.message)).filter((seed) => all.has(seed)).length, 0)
  })

  it("have messages of the documented lengths, and states that come back", () => {
    assert.equal(receiver.message.length, BASE_OT_RECEIVER_MESSAGE_LENGTH)
    assert.equal(sender.message.length, BASE_OT_SENDER_MESSAGE_LENGTH)
    assert.deepEqual([BASE_OT_RECEIVER_MESSAGE_LENGTH, BASE_OT_SENDER_MESSAGE_LENGTH], [8448, 4224])
    const decoded = decode(baseOtReceiverCodec, receiverState)
    assert.deepEqual(encode(baseOtReceiverCodec, decoded), receiverState)
    assert.deepEqual(encode(baseOtSenderCodec, decode(baseOtSenderCodec, senderState)), senderState)
  })
})

describe("the receiver's message", () => {
  it("repeats no point, not even under repeated randomness in another context", () => {
    const again = baseOtReceive(named("another"), choice(), named("receiver"))
    const points = [receiver.message, again.message].flatMap((message) =>
      Array.from({ length: 256 }, (_, k) => toHex(message.subarray(33 * k, 33 * k + 33))),
    )
    assert.equal(new Set(points).size, 512)
  })

  it("does the same curve work and hashing for both choices", () => {
    // Each r_b is determined by the other: both branches satisfy M_b = r_b + H_b(r_(1-b)).
    for (const bits of [new Uint8Array(16), new Uint8Array(16).fill(255)]) {
      const run = baseOtReceive(context, new Secret(bits.slice()), named("receiver"))
      const a = decode(baseOtReceiverCodec, encode(baseOtReceiverCodec, run.state))
      const branch = bits[0]! & 1
      const points = [run.message.slice(0, 33), run.message.slice(33, 66)] as Element[]
      const sum = secp256k1.add(
        points[branch]!,
        branchPoint(context, 0, branch, points[1 - branch]!),
      )
      const exponent = secp256k1.decodeScalar(a.exponents.expose().subarray(0, 32))
      assert.deepEqual(sum, secp256k1.multiplyBase(exponent))
    }
  })
})

const NOT_POINTS: Readonly<Record<string, Bytes>> = {
  identity: new Uint8Array(33),
  "an x-coordinate off the curve": concat(Uint8Array.of(2), new Uint8Array(31), Uint8Array.of(5)),
  "an x-coordinate above the field": concat(Uint8Array.of(2), new Uint8Array(32).fill(255)),
  "an uncompressed prefix": concat(Uint8Array.of(4), named("x")),
}

describe("a malformed message", () => {
  for (const [what, point] of Object.entries(NOT_POINTS)) {
    it(`is refused with a DecodeError for ${what}`, () => {
      for (const index of [0, 1, 128, 255]) {
        const message = replaced(receiver.message, 33 * index, point)
        assert.throws(() => atSender(message), DecodeError)
      }
      for (const index of [0, 127]) {
        assert.throws(() => atReceiver(replaced(sender.message, 33 * index, point)), DecodeError)
      }
    })
  }

  it("is refused with a DecodeError when it is shorter or longer", () => {
    const longer = (message: Bytes) => Uint8Array.of(...message, 2)
    for (const message of [receiver.message.subarray(33), longer(receiver.message)]) {
      assert.throws(() => atSender(message), DecodeError)
    }
    for (const message of [sender.message.subarray(33), longer(sender.message)]) {
      assert.throws(() => atReceiver(message), DecodeError)
    }
  })

  it("is refused when it makes a key the identity, in either branch", () => {
    for (const branch of [0, 1]) {
      // r_b = -H_b(r_(1-b)), so that M_b = 0 and its seed would be known to anyone.
      const start = 66 * 5
      const other = receiver.message.slice(start + 33 * (1 - branch)).subarray(0, 33) as Element
      const point = secp256k1.negate(branchPoint(context, 5, branch, other))
      const message = replaced(receiver.message, start + 33 * branch, point)
      assert.throws(() => atSender(message), /key is the identity/)
    }
  })
})

describe("what a caller gets wrong", () => {
  it("throws", () => {
    const short = named("short", 31)
    const wrong = /context is not 32 bytes/
    assert.throws(() => baseOtReceive(short, choice(), named("receiver")), wrong)
    assert.throws(() => baseOtSend(short, named("sender")), wrong)
    assert.throws(() => atSender(receiver.message, short), wrong)
    assert.throws(() => atReceiver(sender.message, short), wrong)
    assert.throws(() => baseOtReceive(context, choice(), short), /randomness is not 32 bytes/)
    assert.throws(() => baseOtSend(context, short), /randomness is not 32 bytes/)
    const bits = new Secret(named("delta", 15))
    assert.throws(() => baseOtReceive(context, bits, named("receiver")), /choice is not 16 bytes/)
  })

  it("finds a state gone after its one use", () => {
    const atBoth: [BaseOtReceiver, ReturnType<typeof baseOtSend>["state"]] = [
      decode(baseOtReceiverCodec, receiverState),
      decode(baseOtSenderCodec, senderState),
    ]
    receiverSeeds(context, atBoth[0], sender.message)
    senderSeeds(context, atBoth[1], receiver.message)
    assert.throws(() => receiverSeeds(context, atBoth[0], sender.message), /after it was wiped/)
    assert.throws(() => senderSeeds(context, atBoth[1], receiver.message), /after it was wiped/)
    const [{ exponents, choice: chosen }, { exponents: own }] = atBoth
    for (const spent of [exponents, chosen, own]) assert.throws(() => spent.expose(), /wiped/)
  })

  it("leaves the choice to its owner", () => {
    const bits = choice()
    baseOtReceive(context, bits, named("receiver"))
    assert.deepEqual(bits.expose(), named("delta", 16))
  })
})

describe("hashing to the curve", () => {
  it("gives points of both signs, all different, and always the same for one digest", () => {
    const points = Array.from({ length: 200 }, (_, n) => hashToPoint(named(`point ${n}`)))
    assert.equal(new Set(points.map(toHex)).size, 200)
    const even = points.filter((point) => point[0] === 2).length
    assert.ok(even > 60 && even < 140, `${even} of 200 are even`)
    for (const point of points) assert.deepEqual(secp256k1.decodeElement(point), point)
    assert.equal(toHex(hashToPoint(new Uint8Array(32))), GOLDEN.point)
  })

  it("depends on transfer, branch and context", () => {
    const other = secp256k1.generator
    const points = [
      branchPoint(context, 0, 0, other),
      branchPoint(context, 1, 0, other),
      branchPoint(context, 0, 1, other),
      branchPoint(named("another"), 0, 0, other),
      branchPoint(context, 0, 0, secp256k1.negate(other)),
    ]
    assert.equal(new Set(points.map(toHex)).size, 5)
  })
})
