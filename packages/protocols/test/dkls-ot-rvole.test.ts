import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { secp256k1 } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import {
  rvoleFinish,
  rvoleReceiverCodec,
  rvoleReceiverMessageLength,
  rvoleSend,
  rvoleSenderMessageLength,
} from "../src/dkls/ot/index.ts"
import { inputsNamed, named, pairNamed, receiveNamed } from "./dkls-ot-fixture.ts"

const { first, second } = pairNamed("pair")

describe("a batch of multiplications", () => {
  for (const count of [1, 2, 3, 16]) {
    it(`gives both ends additive shares of every product, ${count} at a time`, () => {
      const receiverContext = named(`receiver context ${count}`)
      const senderContext = named(`sender context ${count}`)
      const inputs = inputsNamed(`inputs ${count}`, count)
      const received = receiveNamed(first, receiverContext, count)
      const options = { receiverContext, senderContext, inputs, randomness: named("mask") }
      const sent = rvoleSend(second, options, received.message)
      assert.ok(sent !== null)
      assert.equal(received.message.length, rvoleReceiverMessageLength(count))
      assert.equal(sent.message.length, rvoleSenderMessageLength(count))
      const state = decode(rvoleReceiverCodec, encode(rvoleReceiverCodec, received.state))
      const finished = rvoleFinish(first, state, { senderContext }, sent.message)
      assert.ok(finished !== null)
      inputs.forEach(({ r, sk }, k) => {
        const chi = received.chi[k]!
        const u = secp256k1.addScalars(sent.cu[k]!, finished.du[k]!)
        const v = secp256k1.addScalars(sent.cv[k]!, finished.dv[k]!)
        assert.deepEqual(u, secp256k1.multiplyScalars(r, chi))
        assert.deepEqual(v, secp256k1.multiplyScalars(sk, chi))
      })
      assert.equal(finished.du.length, count)
    })
  }
})
