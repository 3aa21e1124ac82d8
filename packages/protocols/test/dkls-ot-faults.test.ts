import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { aes128KeyStream, Secret } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode, equalBytes } from "@lockkeeper/encoding"
import fc from "fast-check"
import { extendReceive } from "../src/dkls/ot/extension.ts"
import {
  type PairSetup,
  pairSetupCodec,
  RVOLE_RECEIVER_RANDOMNESS,
  RVOLE_SENDER_RANDOMNESS,
  type RvoleReceiver,
  rvoleFinish,
  rvoleReceive,
  rvoleReceiverCodec,
  rvoleSend,
} from "../src/dkls/ot/index.ts"
import { inputsNamed, named, pairNamed, receiveNamed } from "./dkls-ot-fixture.ts"
import {
  ORDER,
  referenceChoice,
  referenceReceive,
  referenceSend,
  type SenderHooks,
  toInteger,
} from "./dkls-ot-reference.ts"

const { first: receiver, second: sender } = pairNamed("pair")
const stranger = pairNamed("stranger")
const receiverContext = named("receiver context")
const senderContext = named("sender context")
const randomness = named("mask")
const inputs = inputsNamed("inputs", 1)
const received = receiveNamed(receiver, receiverContext, 1)
const stored = encode(rvoleReceiverCodec, received.state)
const options = { receiverContext, senderContext, inputs, randomness }
const answered = rvoleSend(sender, options, received.message)
assert.ok(answered !== null)
const answer = answered.message

function send(message: Bytes, changes: Partial<typeof options> = {}, setup: PairSetup = sender) {
  return rvoleSend(setup, { ...options, ...changes }, message)
}

function finish(
  message: Bytes,
  state: RvoleReceiver = decode(rvoleReceiverCodec, stored),
  context: Bytes = senderContext,
  setup: PairSetup = receiver,
) {
  return rvoleFinish(setup, state, { senderContext: context }, message)
}

/** A comparison with null would print a whole message, for every input that a property tries. */
function assertRefused(outcome: object | null, what = "accepted"): void {
  assert.ok(outcome === null, what)
}

function flipped(message: Bytes, bit: number): Bytes {
  const copy = message.slice()
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

const bitsOf = (message: Bytes) => fc.nat(message.length * 8 - 1)
const RUNS = { numRuns: 200 }

describe("a message changed on its way", () => {
  it("is refused by the sender for any one bit of the receiver's message", () => {
    const property = fc.property(bitsOf(received.message), (bit) => {
      assertRefused(send(flipped(received.message, bit)))
    })
    // The first and last bit of columns, combined choice bits and digest, and any others.
    const edges = [0, 128 * 68 * 8 - 1, 128 * 68 * 8, 128 * 68 * 8 + 127, 128 * 68 * 8 + 128]
    const examples = [...edges, received.message.length * 8 - 1].map((bit): [number] => [bit])
    fc.assert(property, { ...RUNS, examples })
  })

  it("is refused by the receiver for any one bit of the sender's message", () => {
    const property = fc.property(bitsOf(answer), (bit) => {
      assertRefused(finish(flipped(answer, bit)))
    })
    const tail = 416 * 96 * 8
    const edges = [0, tail - 1, tail, tail + 255, tail + 256, answer.length * 8 - 1]
    fc.assert(property, { ...RUNS, examples: edges.map((bit): [number] => [bit]) })
  })

  it("is refused, and nothing throws, whatever bytes take its place", () => {
    const property = fc.property(fc.string(), fc.nat(2 * answer.length), (name, length) => {
      const noise = (size: number) => aes128KeyStream(named(name, 16), size)
      for (const size of [length, received.message.length]) assertRefused(send(noise(size)))
      for (const size of [length, answer.length]) assertRefused(finish(noise(size)))
    })
    fc.assert(property, { numRuns: 50 })
  })

  it("is refused when it is shorter or longer", () => {
    for (const cut of [0, 1, 47, 48, received.message.length - 1]) {
      assertRefused(send(received.message.subarray(0, cut)))
    }
    for (const cut of [0, 1, 31, 32, answer.length - 1]) {
      assertRefused(finish(answer.subarray(0, cut)))
    }
    assertRefused(send(Uint8Array.of(...received.message, 0)))
    assertRefused(finish(Uint8Array.of(...answer, 0)))
  })
})

describe("a message of another run", () => {
  it("is refused under another receiver context, though all else is the same", () => {
    assertRefused(send(received.message, { receiverContext: named("other") }))
  })

  it("is refused for another number of multiplications", () => {
    assertRefused(send(received.message, { inputs: inputsNamed("inputs", 2) }))
    const two = receiveNamed(receiver, receiverContext, 2)
    assertRefused(send(two.message))
    assertRefused(finish(answer, two.state))
  })

  it("is refused by another pair", () => {
    assertRefused(send(received.message, {}, stranger.second))
    assertRefused(finish(answer, undefined, senderContext, stranger.first))
  })

  it("is refused by the same seeds under another setup digest", () => {
    const setupDigest = named("another digest")
    assertRefused(send(received.message, {}, { ...sender, setupDigest }))
    assertRefused(finish(answer, undefined, senderContext, { ...receiver, setupDigest }))
  })

  it("is refused in the other direction of the pair", () => {
    assertRefused(send(received.message, {}, receiver))
    assertRefused(finish(answer, undefined, senderContext, sender))
  })

  it("is refused under another sender context", () => {
    assertRefused(finish(answer, undefined, named("other")))
  })

  it("is refused as the answer to another message of the same receiver", () => {
    const other = receiveNamed(receiver, receiverContext, 1, "other randomness")
    assertRefused(finish(answer, other.state))
    const stateWith = (changes: Partial<RvoleReceiver>) => ({
      ...decode(rvoleReceiverCodec, stored),
      ...changes,
    })
    assertRefused(finish(answer, stateWith({ receiverContext: named("other") })))
    assertRefused(finish(answer, stateWith({ receiverDigest: named("other") })))
    assert.ok(finish(answer, stateWith({})) !== null)
  })
})

/** The malicious receiver of the SoftSpokenOT paper: other choice bits in one column. */
function inconsistent(column: number, row: number): Bytes {
  const extension = { setupDigest: receiver.setupDigest, context: receiverContext, count: 1 }
  const choice = referenceChoice(extension, named("receive", RVOLE_RECEIVER_RANDOMNESS(1)))
  const other = choice ^ (1n << BigInt(row))
  const choiceOf = (c: number) => (c === column ? other : choice)
  return referenceReceive(receiver, receiverContext, 1, choice, choiceOf).message
}

describe("a receiver with other choice bits in one column", () => {
  it("passes exactly when it guessed that column's bit of delta, and then gains one bit", () => {
    const delta = toInteger(sender.delta.expose())
    const verdicts = [0, 1, 2, 3, 63, 64, 126, 127].map((column) => {
      const bit = (delta >> BigInt(column)) & 1n
      const accepted = send(inconsistent(column, (column * 5) % 416)) !== null
      assert.equal(accepted, bit === 0n, `column ${column}`)
      return accepted
    })
    // Both happen here, so both are tested.
    assert.deepEqual(new Set(verdicts), new Set([true, false]))
  })

  it("is caught in the rows that only mask the check, too", () => {
    const delta = toInteger(sender.delta.expose())
    const column = [...Array(128).keys()].find((c) => (delta >> BigInt(c)) & 1n)!
    assertRefused(send(inconsistent(column, 416)))
    assertRefused(send(inconsistent(column, 543)))
  })
})

/** An answer of a sender that deviates by its hooks. */
function deviating(hooks: SenderHooks): Bytes {
  return referenceSend(sender, options, received.message, hooks).message
}

const beta = toInteger(decode(rvoleReceiverCodec, stored).choice.expose())
const chooses = (row: number) => ((beta >> BigInt(row)) & 1n) === 1n

describe("a sender with another input in one row", () => {
  it("is the honest one without its hooks", () => {
    assert.ok(equalBytes(deviating({}), answer))
  })

  for (const column of [0, 1, 2]) {
    it(`passes exactly when it guessed that row's choice bit, in column ${column}`, () => {
      const rows = [0, 1, 2, 3, 200, 413, 414, 415]
      const verdicts = rows.map((target) => {
        const row = (honest: bigint[], j: number) =>
          honest.map((value, i) => (j === target && i === column ? value + 1n : value))
        const accepted = finish(deviating({ row })) !== null
        assert.equal(accepted, !chooses(target), `row ${target}`)
        return accepted
      })
      assert.deepEqual(new Set(verdicts), new Set([true, false]))
    })
  }

  it("is caught when it uses one other input in half of the rows", () => {
    const row = (honest: bigint[], j: number) => honest.map((value) => value + BigInt(j & 1))
    assertRefused(finish(deviating({ row })))
  })

  it("is caught when what it combines is not what it multiplied", () => {
    assertRefused(finish(deviating({ combined: (u) => (u + 1n) % ORDER })))
  })
})

describe("a value that is not below the group order", () => {
  // A row whose correction nobody adds: the check does not see it, so only decoding refuses it.
  const target = [...Array(416).keys()].find((row) => !chooses(row))!
  const sends = (value: bigint) =>
    deviating({
      correction: (honest, j, column) => (j === target && column === 0 ? value : honest),
    })

  it("is refused as a correction", () => {
    assert.ok(finish(sends(5n)) !== null)
    assert.ok(finish(sends(ORDER - 1n)) !== null)
    for (const value of [ORDER, ORDER + 5n, 2n ** 256n - 1n]) {
      assertRefused(finish(sends(value)), value.toString(16))
    }
  })

  it("is refused as a combined input", () => {
    // A receiver that chooses nothing never uses u, so again only decoding refuses it.
    const choice = new Uint8Array(68)
    const extension = { setupDigest: receiver.setupDigest, context: receiverContext, count: 1 }
    const extended = extendReceive(receiver, extension, choice)
    const finishWith = (value: bigint) => {
      const state = {
        receiverContext,
        receiverDigest: extended.digest,
        choice: Secret.copyOf(choice),
        chi: received.chi,
      }
      const hooks = { combined: () => value }
      return finish(referenceSend(sender, options, extended.message, hooks).message, state)
    }
    assert.ok(finishWith(5n) !== null)
    assertRefused(finishWith(ORDER + 5n))
    assertRefused(finishWith(ORDER))
  })
})

describe("what a caller gets wrong", () => {
  const short = named("short", 31)
  const size = RVOLE_RECEIVER_RANDOMNESS(1)

  it("throws, and is never a verdict about the peer", () => {
    const receive = (context: Bytes, count: number, bytes: number) =>
      rvoleReceive(receiver, context, count, named("any", bytes))
    assert.throws(() => receive(short, 1, size), /context is not 32 bytes/)
    assert.throws(() => receive(receiverContext, 0, size), /0 multiplications/)
    assert.throws(() => receive(receiverContext, 17, size), /17 multiplications/)
    assert.throws(() => receive(receiverContext, 1.5, size), /1.5 multiplications/)
    assert.throws(() => receive(receiverContext, 1, size - 1), /randomness is not 68 bytes/)
    const message = received.message
    assert.throws(() => send(message, { receiverContext: short }), /context is not 32 bytes/)
    assert.throws(() => send(message, { senderContext: short }), /context is not 32 bytes/)
    assert.throws(() => send(message, { inputs: [] }), /0 multiplications/)
    const mask = named("any", RVOLE_SENDER_RANDOMNESS - 1)
    assert.throws(() => send(message, { randomness: mask }), /randomness is not 32 bytes/)
    assert.throws(() => finish(answer, undefined, short), /context is not 32 bytes/)
  })

  it("finds a state gone after its one use, whatever came of it", () => {
    for (const message of [answer, flipped(answer, 0), answer.subarray(1)]) {
      const state = decode(rvoleReceiverCodec, stored)
      finish(message, state)
      assert.throws(() => finish(answer, state), /used after it was wiped/)
    }
  })
})

describe("the codecs", () => {
  it("give back a state and a setup", () => {
    const state = decode(rvoleReceiverCodec, stored)
    assert.deepEqual(encode(rvoleReceiverCodec, state), stored)
    const setup = encode(pairSetupCodec, receiver)
    assert.deepEqual(encode(pairSetupCodec, decode(pairSetupCodec, setup)), setup)
    assert.equal(setup.length, 32 + 3 * 2048 + 16 + 32)
  })

  it("refuse choice bits that do not fit the multiplications, and changed lengths", () => {
    const state = decode(rvoleReceiverCodec, stored)
    const refused = (changes: Partial<RvoleReceiver>) => {
      const encoded = encode(rvoleReceiverCodec, { ...state, ...changes })
      assert.throws(() => decode(rvoleReceiverCodec, encoded), /choice bits do not fit/)
    }
    refused({ chi: [] })
    refused({ chi: [], choice: new Secret(named("short", 16)) })
    refused({ chi: [...state.chi, ...state.chi] })
    refused({ choice: new Secret(named("short", 67)) })
    const setup = encode(pairSetupCodec, receiver)
    assert.throws(() => decode(pairSetupCodec, setup.subarray(1)), DecodeError)
    assert.throws(() => decode(pairSetupCodec, Uint8Array.of(...setup, 0)), DecodeError)
  })
})
