import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  acceptHello,
  advanceChannel,
  answerHello,
  type Channel,
  type Direction,
  finishHello,
  openFrame,
  sealFrame,
  startHello,
  wipeChannel,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import { flipped, seeded, testServer } from "./fixtures.ts"

const server = testServer(1)
const target = { server: 1, rosterEpoch: 1, channelKey: server.member.channelKey }
const text = utf8("content")

function connected(label: string): { client: Channel; server: Channel } {
  const { state, hello } = startHello(target, seeded(label, 96), () => new Uint8Array(1))
  const accepted = acceptHello(server.channelSecret, hello)
  const answered = accepted && answerHello(accepted, server.identity, seeded(`${label} s`, 80))
  assert.ok(answered)
  const answer = answered.seal(new Uint8Array(1))
  const finished = finishHello(state, server.member.identityKey, answer)
  assert.ok(finished)
  return { client: finished.channel, server: answered.channel }
}

describe("a frame", () => {
  const { client, server: atServer } = connected("one")

  it("opens in its session, phase, direction and counter", () => {
    const toServer = sealFrame(client, "to-server", 7, text)
    assert.deepEqual(openFrame(atServer, "to-server", 7, toServer), text)
    const toClient = sealFrame(atServer, "to-client", 7, text)
    assert.deepEqual(openFrame(client, "to-client", 7, toClient), text)
  })

  it("does not open at another counter", () => {
    const frame = sealFrame(client, "to-server", 7, text)
    for (const counter of [0, 6, 8, 7 + 2 ** 32]) {
      assert.equal(openFrame(atServer, "to-server", counter, frame), null, String(counter))
    }
  })

  it("does not open in the other direction", () => {
    const frame = sealFrame(client, "to-server", 7, text)
    assert.equal(openFrame(atServer, "to-client", 7, frame), null)
  })

  it("does not open in another session, even with the same keys", () => {
    const frame = sealFrame(client, "to-server", 7, text)
    const sessionId = flipped(atServer.sessionId, 0)
    assert.equal(openFrame({ ...atServer, sessionId }, "to-server", 7, frame), null)
    assert.equal(openFrame(connected("two").server, "to-server", 7, frame), null)
  })

  it("does not open in another phase, even with the same keys", () => {
    const frame = sealFrame(client, "to-server", 7, text)
    assert.equal(openFrame({ ...atServer, phase: 1 }, "to-server", 7, frame), null)
  })

  it("does not open with any bit flipped, cut or lengthened", () => {
    const frame = sealFrame(client, "to-server", 7, text)
    for (let i = 0; i < frame.length; i++) {
      assert.equal(openFrame(atServer, "to-server", 7, flipped(frame, i, i % 8)), null)
    }
    assert.equal(openFrame(atServer, "to-server", 7, frame.slice(0, -1)), null)
    assert.equal(openFrame(atServer, "to-server", 7, new Uint8Array([...frame, 0])), null)
    assert.equal(openFrame(atServer, "to-server", 7, new Uint8Array(0)), null)
  })

  it("is as long for every content of one size class", () => {
    const lengths = new Set<number>()
    for (const size of [0, 1, 100, 252]) {
      lengths.add(sealFrame(client, "to-server", 7, new Uint8Array(size)).length)
    }
    assert.deepEqual([...lengths], [256 + 16])
    assert.equal(sealFrame(client, "to-server", 7, new Uint8Array(253)).length, 512 + 16)
  })

  it("carries any content unchanged", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.constantFrom<Direction>("to-server", "to-client"),
        (content, counter, direction) => {
          const frame = sealFrame(client, direction, counter, content)
          assert.deepEqual(openFrame(atServer, direction, counter, frame), content.slice())
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe("the second phase", () => {
  it("is shared by those who mixed in the same secret, and by nobody else", () => {
    const { client, server: atServer } = connected("phase")
    const right = advanceChannel(client, new Secret(seeded("password", 64)))
    const same = advanceChannel(atServer, new Secret(seeded("password", 64)))
    const frame = sealFrame(right, "to-server", 1, text)
    assert.deepEqual(openFrame(same, "to-server", 1, frame), text)
    const wrong = advanceChannel(connected("phase").server, new Secret(seeded("guess", 64)))
    assert.equal(openFrame(wrong, "to-server", 1, frame), null)
    assert.equal(right.phase, 1)
  })

  it("does not open frames of the first, whose keys are gone", () => {
    const { client, server: atServer } = connected("gone")
    const before = sealFrame(client, "to-server", 1, text)
    const after = advanceChannel(atServer, new Secret(seeded("password", 64)))
    assert.equal(openFrame(after, "to-server", 1, before), null)
    assert.equal(openFrame({ ...after, phase: 0 }, "to-server", 1, before), null)
    assert.throws(() => openFrame(atServer, "to-server", 1, before), /wiped/)
  })

  it("leaves nothing to seal with once wiped", () => {
    const { client } = connected("wiped")
    wipeChannel(client)
    assert.throws(() => sealFrame(client, "to-server", 1, text), /wiped/)
    assert.doesNotMatch(JSON.stringify(connected("printed")), /[0-9a-f]{32}/)
  })
})
