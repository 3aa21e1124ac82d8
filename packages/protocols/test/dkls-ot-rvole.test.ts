import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Scalar, secp256k1, sha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import fc from "fast-check"
import { gadget } from "../src/dkls/ot/gadget.ts"
import {
  type PairSetup,
  RVOLE_RECEIVER_RANDOMNESS,
  type RvoleInput,
  rvoleFinish,
  rvoleReceiverCodec,
  rvoleReceiverMessageLength,
  rvoleSend,
  rvoleSenderMessageLength,
} from "../src/dkls/ot/index.ts"
import { inputsNamed, named, pairNamed, receiveNamed } from "./dkls-ot-fixture.ts"
import {
  GADGET,
  ORDER,
  referenceChoice,
  referenceFinish,
  referenceReceive,
  referenceSend,
} from "./dkls-ot-reference.ts"

const { first, second } = pairNamed("pair")
// SHA-256 of what fixed randomness gives; a change makes old peers and old states unreadable.
const GOLDEN = {
  receiver: "216d7511f3126efe066cf5f9f46379fdd18ee8485ce6cca7b354dee882c52a7e",
  sender: "d6b6a093a535158606d86f845eda9aeabbcbb5cee7e960731f9326fb4bcb6a84",
  state: "5d901646458fcdfe156fe796b8f94c9494a82601614ed5e3c066992988aa8cce",
}
const digestOf = (content: Bytes) => toHex(sha256(content))
const integers = (scalars: readonly Scalar[]) => scalars.map((s) => secp256k1.scalarToInteger(s))

interface Run {
  readonly receiver: PairSetup
  readonly sender: PairSetup
  readonly receiverContext: Bytes
  readonly senderContext: Bytes
  readonly inputs: readonly RvoleInput[]
}

function run({ receiver, sender, receiverContext, senderContext, inputs }: Run) {
  const received = receiveNamed(receiver, receiverContext, inputs.length)
  const randomness = named("mask")
  const options = { receiverContext, senderContext, inputs, randomness }
  const sent = rvoleSend(sender, options, received.message)
  assert.ok(sent !== null)
  // The state goes through its encoding, as it does through a store.
  const state = decode(rvoleReceiverCodec, encode(rvoleReceiverCodec, received.state))
  const finished = rvoleFinish(receiver, state, { senderContext }, sent.message)
  assert.ok(finished !== null)
  return { received, options, sent, finished }
}

function assertProducts(inputs: readonly RvoleInput[], done: ReturnType<typeof run>): void {
  const { received, sent, finished } = done
  assert.equal(received.chi.length, inputs.length)
  inputs.forEach(({ r, sk }, k) => {
    const chi = received.chi[k]!
    const u = secp256k1.addScalars(sent.cu[k]!, finished.du[k]!)
    const v = secp256k1.addScalars(sent.cv[k]!, finished.dv[k]!)
    assert.deepEqual(u, secp256k1.multiplyScalars(r, chi))
    assert.deepEqual(v, secp256k1.multiplyScalars(sk, chi))
  })
}

const contexts = (name: string) => ({
  receiverContext: named(`${name} receiver`),
  senderContext: named(`${name} sender`),
})

describe("a batch of multiplications", () => {
  for (const count of [1, 2, 3, 8, 16]) {
    it(`gives both ends additive shares of every product, ${count} at a time`, () => {
      const inputs = inputsNamed(`inputs ${count}`, count)
      const done = run({ receiver: first, sender: second, ...contexts(`run ${count}`), inputs })
      assertProducts(inputs, done)
      assert.equal(done.received.message.length, rvoleReceiverMessageLength(count))
      assert.equal(done.sent.message.length, rvoleSenderMessageLength(count))
    })
  }

  it("works in the other direction of the pair", () => {
    const inputs = inputsNamed("back", 2)
    assertProducts(inputs, run({ receiver: second, sender: first, ...contexts("back"), inputs }))
  })

  it("multiplies the extreme scalars", () => {
    const extremes = [0n, 1n, ORDER - 1n, ORDER - 2n].map((n) => secp256k1.scalarFromInteger(n))
    const inputs = extremes.map((r, k) => ({ r, sk: extremes[3 - k]! }))
    assertProducts(inputs, run({ receiver: first, sender: second, ...contexts("ends"), inputs }))
  })

  it("has the message lengths of the README", () => {
    assert.equal(rvoleReceiverMessageLength(1), 128 * 68 + 48)
    assert.equal(rvoleReceiverMessageLength(8), 128 * (52 * 8 + 16) + 48)
    assert.equal(rvoleSenderMessageLength(1), 416 * 96 + 96)
    assert.equal(rvoleSenderMessageLength(8), 8 * (416 * 96 + 32) + 64)
  })
})

describe("the multiplication", () => {
  it("equals a plain bigint implementation, byte for byte", () => {
    const property = fc.property(fc.string(), fc.constantFrom(1, 2), (name, count) => {
      const inputs = inputsNamed(name, count)
      const { receiverContext, senderContext } = contexts(name)
      const done = run({ receiver: first, sender: second, receiverContext, senderContext, inputs })
      const extension = { setupDigest: first.setupDigest, context: receiverContext, count }
      const randomness = named("receive", RVOLE_RECEIVER_RANDOMNESS(count))
      const choice = referenceChoice(extension, randomness)
      const received = referenceReceive(first, receiverContext, count, choice)
      assert.equal(digestOf(done.received.message), digestOf(received.message))
      assert.deepEqual(done.received.state.receiverDigest, received.digest)
      const sent = referenceSend(second, done.options, received.message)
      assert.equal(digestOf(done.sent.message), digestOf(sent.message))
      assert.deepEqual(integers(done.sent.cu), sent.cu)
      assert.deepEqual(integers(done.sent.cv), sent.cv)
      const options = { receiverContext, senderContext, count }
      const finished = referenceFinish(first, received, options, sent.message)
      assert.deepEqual(integers(done.finished.du), finished.du)
      assert.deepEqual(integers(done.finished.dv), finished.dv)
      // chi = <g, beta>
      done.received.chi.forEach((chi, k) => {
        const bits = choice >> BigInt(416 * k)
        const sum = GADGET.reduce((total, g, j) => total + ((bits >> BigInt(j)) & 1n) * g, 0n)
        assert.equal(secp256k1.scalarToInteger(chi), sum % ORDER)
      })
    })
    fc.assert(property, { numRuns: Number(process.env.LOCKKEEPER_OT_RUNS ?? 5) })
  })

  it("has kept its wire format", () => {
    const inputs = inputsNamed("golden", 1)
    const done = run({ receiver: first, sender: second, ...contexts("golden"), inputs })
    assert.equal(digestOf(done.received.message), GOLDEN.receiver)
    assert.equal(digestOf(done.sent.message), GOLDEN.sender)
    assert.equal(
      digestOf(encode(rvoleReceiverCodec, receiveNamed(first, named("x"), 2).state)),
      GOLDEN.state,
    )
  })

  it("has a gadget of 416 distinct scalars", () => {
    assert.equal(new Set(gadget().map(toHex)).size, 416)
  })
})
