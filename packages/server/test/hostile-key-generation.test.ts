import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type CallAnswer,
  decodeRequest,
  type Event,
  eventCodec,
  protocolStepInput,
} from "@lockkeeper/api"
import { decode, encode } from "@lockkeeper/encoding"
import { headerCodec, messageCodec, signMessage } from "@lockkeeper/protocols"
import type { ServerSecrets } from "../src/directory/server-secrets.ts"
import { createKey, signWith } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const NO_MESSAGES = { messages: [] }

type ActPayload = Extract<Parameters<TestSession["call"]>[0], { kind: "act" }>

/** The owner's session, with somebody who sees each step before its server does. */
function overheard(session: TestSession, hear: (payload: ActPayload) => Promise<void>) {
  const call: TestSession["call"] = async (payload) => {
    if (payload.kind === "act") await hear(payload)
    return session.call(payload)
  }
  return Object.assign(Object.create(session) as TestSession, { call })
}

for (const stolen of [2, 3, 4, 5]) {
  test(`step ${stolen} of a key generation is taken from the account that opened it alone`, async () => {
    const cluster = await startCluster()
    const alice = new TestOwner(cluster)
    await alice.register("hers")
    const sessions = await alice.login("hers", alice.servers)
    const mallory = new TestOwner(cluster, "mallory")
    await mallory.register("his")
    const [, theirs] = await mallory.login("his", mallory.servers)

    // A corrupt holder sees the request and what others publish, and slows the owner's link to 2.
    const answers: CallAnswer[] = []
    const heard = sessions.map((session) =>
      overheard(session, async ({ request, step, input }) => {
        if (session.to.identifier !== 2 || step !== Math.min(stolen, 4)) return
        const { operation, body, servers } = decodeRequest(request)
        const own = mallory.sign(mallory.request(operation, body, { servers }))
        const payload = { kind: "act", request: own, step: stolen, input: input.slice() } as const
        answers.push(await (theirs as TestSession).call(payload))
      }),
    )
    const certificate = await createKey(alice, heard, "ed25519")
    const [answer] = answers
    assert.ok(answer?.kind === "refused")
    assert.equal(answer.error.code, "out-of-order")
    const message = Uint8Array.of(1)
    await signWith(alice, sessions.slice(0, 2), certificate, message)
  })
}

for (const broken of [2, 3, 4, 5]) {
  test(`step ${broken} of a key generation that aborts says so, is logged once and ends the run`, async () => {
    const alice = new TestOwner(await startCluster())
    await alice.register("hers")
    const sessions = await alice.login("hers", alice.servers)
    const [first] = sessions as [TestSession]
    const { store } = first.to
    const answers: CallAnswer[] = []
    const entries: Event[] = []
    const call: TestSession["call"] = async (payload) => {
      if (payload.kind !== "act" || payload.step !== Math.min(broken, 4)) return first.call(payload)
      const from = ((await store.logPosition())?.index ?? -1) + 1
      const spoilt = { ...payload, step: broken, input: encode(protocolStepInput, NO_MESSAGES) }
      answers.push(await first.call(spoilt), await first.call(spoilt))
      for (const { event } of await store.entries(from, 9)) entries.push(decode(eventCodec, event))
      return answers[0] as CallAnswer
    }
    const spoiling = Object.assign(Object.create(first) as TestSession, { call })
    await assert.rejects(createKey(alice, [spoiling, ...sessions.slice(1)], "ed25519"))
    const codes = answers.map((a) => (a.kind === "refused" ? a.error.code : a.kind))
    assert.deepEqual(codes, ["aborted", "out-of-order"])
    assert.deepEqual(
      entries.map(({ operation, step, outcome }) => [operation, step, outcome]),
      [
        ["keys.create", broken, "aborted"],
        ["keys.create", broken, "refused"],
      ],
    )
    assert.deepEqual(await store.scan("protocol-sessions", "live-", "", 9), [])
  })
}

test("a dealer that seals shares to fewer than all is recorded in the commit of the abort", async () => {
  const cluster = await startCluster()
  const alice = new TestOwner(cluster)
  await alice.register("hers")
  const sessions = await alice.login("hers", alice.servers)
  const [first] = sessions as [TestSession]
  const { identity } = cluster.secrets[1] as ServerSecrets
  const call: TestSession["call"] = async (payload) => {
    if (payload.kind !== "act" || payload.step !== 3) return first.call(payload)
    const { messages } = decode(protocolStepInput, payload.input)
    const told = messages.map((encoded) => {
      const message = decode(messageCodec, encoded)
      const header = decode(headerCodec, message.header.bytes)
      if (header.sender !== 2) return encoded
      // Signed again as it was delivered here, with the part for this server alone.
      const { broadcast, sealed } = message
      const draft = { previousDigest: header.previousDigest, broadcast, sealed }
      return encode(messageCodec, signMessage(identity, header, draft))
    })
    return first.call({ ...payload, input: encode(protocolStepInput, { messages: told }) })
  }
  const spoiling = Object.assign(Object.create(first) as TestSession, { call })
  await assert.rejects(createKey(alice, [spoiling, ...sessions.slice(1)], "ed25519"))
  const { store, server } = first.to
  const entries = await store.entries(0, 64)
  const events = entries.map(({ event }) => decode(eventCodec, event))
  const [aborted, ...more] = events.filter(({ outcome }) => outcome === "aborted")
  assert.deepEqual(more, [])
  const [incident] = server.incidents.all()
  assert.deepEqual([aborted?.reason, aborted?.culprits], ["wrong-recipients", [2]])
  assert.deepEqual(aborted?.incidents, [{ number: 1, evidence: incident?.digest }])
  assert.deepEqual([incident?.servers, incident?.source], [[2], "own"])
  assert.deepEqual(server.incidents.quarantined, [2])
  assert.equal((await store.scan("incidents", "", "", 9)).length, 1)
})
