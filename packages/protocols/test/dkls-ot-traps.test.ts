import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Secret, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import { blockHash, bytesOf, wordsOf } from "../src/dkls/ot/block-hash.ts"
import {
  type PairSetup,
  RVOLE_RECEIVER_RANDOMNESS,
  type RvoleInput,
  rvoleFinish,
  rvoleReceive,
  rvoleSend,
} from "../src/dkls/ot/index.ts"
import { inputsNamed, named, pairNamed, receiveNamed } from "./dkls-ot-fixture.ts"

const { first: receiver, second: sender } = pairNamed("pair")
const senderContext = named("sender context")

function ones(bytes: Uint8Array): number {
  let total = 0
  for (const byte of bytes) for (let bit = 0; bit < 8; bit++) total += (byte >> bit) & 1
  return total
}

function difference(a: Uint8Array, b: Uint8Array): Uint8Array {
  assert.equal(a.length, b.length)
  return a.map((byte, k) => byte ^ b[k]!)
}

/** Within seven standard deviations of a fair coin: wrong once in 2^38 runs, and all are fixed. */
function assertFair(bytes: Uint8Array, what: string): void {
  const bits = bytes.length * 8
  const deviation = Math.abs(ones(bytes) - bits / 2) / (Math.sqrt(bits) / 2)
  assert.ok(deviation < 7, `${what}: ${deviation.toFixed(1)} standard deviations`)
}

const assertUnrelated = (a: Uint8Array, b: Uint8Array, what: string) =>
  assertFair(difference(a, b), what)

function received(setup: PairSetup, context: string, randomness = "same randomness") {
  const { state, chi, message } = receiveNamed(setup, named(context), 2, randomness)
  return { choice: state.choice.expose(), chi: chi.map(toHex), message }
}

/** The values that the sender sends, without the check behind them. */
function corrections(
  context: string,
  at: Bytes,
  inputs = inputsNamed("inputs", 2),
  mask = "mask",
): Bytes {
  const receiverContext = named(context)
  const { message } = receiveNamed(receiver, receiverContext, 2)
  const randomness = named(mask)
  const options = { receiverContext, senderContext: at, inputs, randomness }
  const sent = rvoleSend(sender, options, message)
  assert.ok(sent !== null)
  return sent.message.subarray(0, 2 * 416 * 96)
}

describe("choice bits", () => {
  it("are fair coins, together and each by itself", () => {
    const runs = Array.from({ length: 400 }, (_, n) =>
      receiveNamed(receiver, named(`run ${n}`), 1, `randomness ${n}`).state.choice.expose(),
    )
    assertFair(Uint8Array.from(runs.flatMap((choice) => [...choice])), "all")
    for (let bit = 0; bit < 544; bit++) {
      const column = new Uint8Array(50)
      runs.forEach((choice, n) => {
        column[n >> 3]! |= ((choice[bit >> 3]! >> (bit & 7)) & 1) << (n & 7)
      })
      assertFair(column, `bit ${bit}`)
    }
  })

  it("are unrelated for two senders, and twice for one, even under repeated randomness", () => {
    const once = received(receiver, "context")
    const again = received(receiver, "another context")
    const other = received(pairNamed("another pair").first, "context")
    for (const run of [again, other]) {
      assertUnrelated(once.choice, run.choice, "choice")
      assert.equal(new Set([...once.chi, ...run.chi]).size, 4)
    }
    // And they do depend on the randomness.
    assertUnrelated(once.choice, received(receiver, "context", "fresh").choice, "fresh")
  })
})

describe("the receiver's message", () => {
  it("looks uniform, whatever the choice", () => {
    assertFair(received(receiver, "context").message, "message")
  })

  it("masks the same choice with unrelated columns in two sessions", () => {
    const one = received(receiver, "one")
    const two = received(receiver, "two")
    // With columns expanded alike, u ^ u' would be x ^ x' in every column.
    const columns = difference(one.message, two.message).subarray(0, 128 * 120)
    const choices = difference(one.choice, two.choice)
    for (let c = 0; c < 128; c++) {
      const masked = difference(columns.subarray(c * 120, (c + 1) * 120), choices)
      assertFair(masked, `column ${c}`)
    }
  })

  it("has unrelated columns even where all base transfers gave the same seeds", () => {
    const repeated = (seed: string) =>
      new Secret(Uint8Array.from(Array.from({ length: 128 }, () => [...named(seed, 16)]).flat()))
    const setup = { ...receiver, zeroSeeds: repeated("zero"), oneSeeds: repeated("one") }
    const { message } = received(setup, "context")
    for (let c = 0; c < 127; c++) {
      const column = message.subarray(c * 120, (c + 1) * 120)
      assertUnrelated(column, message.subarray((c + 1) * 120, (c + 2) * 120), `column ${c}`)
    }
  })
})

describe("the extension hash", () => {
  const inputs = wordsOf(named("row", 16))
  const hashOf = (key: string, first: number, blocks = 6) =>
    bytesOf(blockHash(named(key, 16))(inputs, first, blocks))

  it("gives one row unrelated pads at another index, block or session", () => {
    const pads = hashOf("session", 7)
    assertUnrelated(pads, hashOf("session", 8), "index")
    assertUnrelated(pads, hashOf("another session", 7), "session")
    const blocks = [0, 1, 2, 3, 4, 5].map((b) => toHex(pads.subarray(16 * b, 16 * b + 16)))
    assert.equal(new Set(blocks).size, 6)
    // Neither half of the tweak may stand for the other.
    assertUnrelated(hashOf("session", 1, 1), hashOf("session", 0, 2).subarray(16), "tweak")
  })

  it("uses the index of the row in the whole batch, not in the item", () => {
    const rows = wordsOf(Uint8Array.from([...named("row", 16), ...named("row", 16)]))
    const pads = bytesOf(blockHash(named("session", 16))(rows, 0, 6))
    assert.deepEqual(pads.subarray(0, 96), hashOf("session", 0))
    assert.deepEqual(pads.subarray(96), hashOf("session", 1))
  })

  it("is keyed with both contexts", () => {
    const sent = corrections("context", senderContext)
    assertUnrelated(sent, corrections("context", named("another")), "sender context")
    assertUnrelated(sent, corrections("another", senderContext), "receiver context")
  })
})

describe("the sender's message", () => {
  it("hides the inputs: zero and random ones give corrections that look alike", () => {
    const zero = { r: secp256k1.zero, sk: secp256k1.zero }
    assertFair(corrections("context", senderContext, [zero, zero]), "zero")
    assertFair(corrections("context", senderContext), "random")
  })

  it("shares no pad with another answer to the same message, of other inputs or randomness", () => {
    const inputs = inputsNamed("inputs", 2)
    const once = corrections("context", senderContext, inputs)
    // With one pad, the difference of two corrections is that of the inputs, or of the masks.
    const [first, second] = inputs as [RvoleInput, RvoleInput]
    const { r } = first
    for (const changed of [
      { ...first, r: second.r },
      { ...first, sk: r },
    ]) {
      const other = corrections("context", senderContext, [changed, second])
      assertUnrelated(once, other, "inputs")
    }
    assertUnrelated(once, corrections("context", senderContext, inputs, "fresh"), "randomness")
    assert.ok(equalBytes(once, corrections("context", senderContext, inputs)))
  })

  it("masks what it combines afresh in every session and item", () => {
    const zero = { r: secp256k1.zero, sk: secp256k1.zero }
    const combined = ["one", "two"].flatMap((context) => {
      const receiverContext = named(context)
      const { message } = receiveNamed(receiver, receiverContext, 2)
      const options = { receiverContext, senderContext, inputs: [zero, zero] }
      const sent = rvoleSend(sender, { ...options, randomness: named("mask") }, message)
      // With zero inputs, what is combined is the mask itself.
      const tail = sent!.message.subarray(2 * 416 * 96)
      return [tail.subarray(0, 32), tail.subarray(32, 64)].map(toHex)
    })
    assert.equal(new Set(combined).size, 4)
  })
})

describe("the outputs", () => {
  it("are unrelated shares: each end's alone looks uniform for zero inputs", () => {
    const zero = { r: secp256k1.zero, sk: secp256k1.zero }
    const shares = Array.from({ length: 40 }, (_, n) => {
      const receiverContext = named(`output ${n}`)
      const { state, message } = receiveNamed(receiver, receiverContext, 1)
      const options = { receiverContext, senderContext, inputs: [zero], randomness: named("mask") }
      const sent = rvoleSend(sender, options, message)!
      const finished = rvoleFinish(receiver, state, { senderContext }, sent.message)!
      assert.deepEqual(finished.du[0], secp256k1.negateScalar(sent.cu[0]!))
      return [...sent.cu[0]!, ...finished.dv[0]!]
    })
    assertFair(Uint8Array.from(shares.flat()), "shares")
  })

  it("give chi that is uniform and never repeats", () => {
    const chi = Array.from({ length: 100 }, (_, n) =>
      rvoleReceive(receiver, named(`chi ${n}`), 1, named("fixed", RVOLE_RECEIVER_RANDOMNESS(1))),
    ).map((run) => run.chi[0]!)
    assert.equal(new Set(chi.map(toHex)).size, 100)
    assertFair(Uint8Array.from(chi.flatMap((scalar) => [...scalar])), "chi")
  })
})
