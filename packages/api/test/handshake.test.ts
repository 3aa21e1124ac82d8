import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  acceptHello,
  answerHello,
  CHANNEL_VERSION,
  finishHello,
  MAX_HELLO,
  openFrame,
  sealFrame,
  startHello,
} from "@lockkeeper/api"
import { type Bytes, DecodeError, equalBytes, utf8 } from "@lockkeeper/encoding"
import { flipped, seeded, testServer } from "./fixtures.ts"

const server = testServer(1)
const other = testServer(2)
const target = { server: 1, rosterEpoch: 1, channelKey: server.member.channelKey }
const payload = utf8("first payload")

function hello(label = "client") {
  return startHello(target, seeded(label, 96), () => payload.slice())
}

function answer(helloBytes: Bytes, label = "server") {
  const accepted = acceptHello(server.channelSecret, helloBytes)
  assert.ok(accepted)
  const answered = answerHello(accepted, server.identity, seeded(label, 80))
  assert.ok(answered)
  return { accepted, channel: answered.channel, bytes: answered.seal(utf8("welcome")) }
}

/** What a handler does with a hello: null and a DecodeError are both refusals. */
function opens(helloBytes: Bytes): boolean {
  try {
    return acceptHello(server.channelSecret, helloBytes) !== null
  } catch (error) {
    assert.ok(error instanceof DecodeError, `${error}`)
    return false
  }
}

describe("the session handshake", () => {
  it("gives both sides the payloads and one channel", () => {
    const { state, hello: bytes } = hello()
    const { accepted, channel, bytes: answered } = answer(bytes)
    assert.deepEqual(accepted.payload, payload)
    assert.equal(accepted.server, 1)
    assert.equal(accepted.rosterEpoch, 1)
    assert.equal(accepted.version, CHANNEL_VERSION)
    const finished = finishHello(state, server.member.identityKey, answered)
    assert.ok(finished)
    assert.deepEqual(finished.payload, utf8("welcome"))
    assert.deepEqual(finished.channel.sessionId, channel.sessionId)
    const frame = sealFrame(finished.channel, "to-server", 1, utf8("hi"))
    assert.deepEqual(openFrame(channel, "to-server", 1, frame), utf8("hi"))
  })

  it("shows both sides the same binding, which differs from hello to hello", () => {
    const seen: Bytes[] = []
    for (const label of ["a", "b"]) {
      const { hello: bytes } = startHello(target, seeded(label, 96), ({ transcript }) => {
        seen.push(transcript)
        return payload.slice()
      })
      const accepted = acceptHello(server.channelSecret, bytes)
      assert.deepEqual(accepted?.binding.transcript, seen.at(-1))
    }
    assert.equal(equalBytes(seen[0] as Bytes, seen[1] as Bytes), false)
  })

  it("gives other keys at each answer to one hello", () => {
    const { hello: bytes } = hello()
    const first = answer(bytes, "first")
    const second = answer(bytes, "second")
    const frame = sealFrame(first.channel, "to-client", 1, utf8("hi"))
    assert.equal(
      openFrame({ ...second.channel, sessionId: first.channel.sessionId }, "to-client", 1, frame),
      null,
    )
  })

  it("does not open at a server with another channel key", () => {
    assert.equal(acceptHello(other.channelSecret, hello().hello), null)
  })

  it("refuses an answer by another server", () => {
    const { state, hello: bytes } = hello()
    assert.equal(finishHello(state, other.member.identityKey, answer(bytes).bytes), null)
  })

  it("refuses an answer to another hello", () => {
    const { state } = hello("mine")
    const { bytes } = answer(hello("theirs").hello)
    assert.equal(finishHello(state, server.member.identityKey, bytes), null)
  })

  it("refuses a hello with any byte of any field altered", () => {
    const { hello: bytes } = hello()
    assert.ok(opens(bytes))
    // version 0, server 1-2, rosterEpoch 3-6, client key to 1222, encapsulation to 2342, payload.
    const offsets = [0, 1, 2, 3, 6, 7, 600, 1190, 1222, 1223, 1800, 2310, 2342, 2343, 2346, 2347]
    for (const offset of [...offsets, bytes.length - 17, bytes.length - 1]) {
      assert.equal(opens(flipped(bytes, offset)), false, `byte ${offset}`)
    }
  })

  it("refuses a hello that is cut, lengthened or oversized", () => {
    const { hello: bytes } = hello()
    assert.equal(opens(bytes.slice(0, -1)), false)
    assert.equal(opens(new Uint8Array([...bytes, 0])), false)
    assert.equal(opens(new Uint8Array(0)), false)
    assert.throws(
      () => startHello(target, seeded("x", 96), () => new Uint8Array(13_000)),
      RangeError,
    )
    const largest = startHello(target, seeded("x", 96), () => new Uint8Array(12_284))
    assert.ok(largest.hello.length <= MAX_HELLO)
    assert.ok(opens(largest.hello))
  })

  it("does not answer a client key that is no X-Wing key", () => {
    const accepted = acceptHello(server.channelSecret, hello().hello)
    assert.ok(accepted)
    const clientKey = new Uint8Array(1216).fill(255)
    assert.equal(answerHello({ ...accepted, clientKey }, server.identity, seeded("s", 80)), null)
  })

  it("refuses an answer with any byte of any field altered", () => {
    const { hello: bytes } = hello()
    const { bytes: answered } = answer(bytes)
    // session id 0-15, encapsulation to 1135, signature to 1199, length, sealed payload.
    const offsets = [0, 15, 16, 700, 1104, 1135, 1136, 1199, 1200, 1204, answered.length - 1]
    for (const offset of offsets) {
      const { state } = hello()
      let result: unknown
      try {
        result = finishHello(state, server.member.identityKey, flipped(answered, offset))
      } catch (error) {
        assert.ok(error instanceof DecodeError, `${error}`)
        result = null
      }
      assert.equal(result, null, `byte ${offset}`)
    }
    assert.ok(finishHello(hello().state, server.member.identityKey, answered))
  })

  it("wipes the client's one-session secret, so that a recorded answer opens once", () => {
    const { state, hello: bytes } = hello()
    const { bytes: answered } = answer(bytes)
    assert.ok(finishHello(state, server.member.identityKey, answered))
    assert.throws(() => finishHello(state, server.member.identityKey, answered), /wiped/)
  })

  it("overwrites the payload it sealed", () => {
    const content = payload.slice()
    startHello(target, seeded("x", 96), () => content)
    assert.deepEqual(content, new Uint8Array(payload.length))
  })
})
