import assert from "node:assert/strict"
import { test } from "node:test"
import {
  commitmentList,
  createKeyBody,
  keyListing,
  OWNER_DEVICE,
  prepareBody,
  protocolStepInput,
  requestDigest,
  showKeyBody,
  signBody,
  signStepInput,
} from "@lockkeeper/api"
import { Secret, type SigningKey, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, equalBytes, utf8 } from "@lockkeeper/encoding"
import {
  dkg,
  frost,
  type KeyPackage,
  type Message,
  messageCodec,
  type Outcome,
} from "@lockkeeper/protocols"
import { startCluster } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)
const MESSAGE = utf8("message")
const SEALED = new Uint8Array(99).fill(7)
const STEPS = { open: 1, reveal: 2, verdict: 3, answer: 5 } as const

function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok)
  return outcome.value
}

function isOf(a: Message, b: Message): boolean {
  return equalBytes(a.header.bytes, b.header.bytes)
}

async function ownerWithSessions() {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  return { owner, sessions: await owner.login("right", owner.servers) }
}

/**
 * A run in which the owner's device takes part; what the first server refuses ends it.
 *
 * @param speaker - who signs the opening that servers are shown as the device's.
 */
async function generate(
  owner: TestOwner,
  sessions: readonly TestSession[],
  speaker = owner.key as SigningKey,
): Promise<KeyPackage | string> {
  const identity = owner.key as SigningKey
  const { roster } = owner.cluster
  const { minSigners, rosterEpoch } = roster
  const holders = sessions.map(({ to }) => to.identifier)
  const keyId = owner.randomness.bytes(32)
  const custody = { kind: "self", sealedShare: SEALED } as const
  const common = { keyId, keyType: "ed25519", minSigners, attempt: 1 } as const
  const body = encode(createKeyBody, { ...common, custody, label: "", holders })
  const request = owner.sign(owner.request("keys.create", body, { servers: holders }))
  const additive = new Map([[OWNER_DEVICE, identity.publicKey]])
  const params = { ...common, participants: holders, additive, rosterEpoch }
  const verifyKeys = new Map(roster.members.map((m) => [m.identifier, m.identityKey]))
  const self = { signer: identity, verifyKeys }
  const bytes = (length: number) => owner.randomness.bytes(length)
  const opened = value(
    dkg.dkgOpen(params, OWNER_DEVICE, self, bytes(dkg.openRandomnessLength(params, OWNER_DEVICE))),
  )
  const asSpoken = value(
    dkg.dkgOpen(
      ...([params, OWNER_DEVICE, { ...self, signer: speaker }] as const),
      bytes(dkg.openRandomnessLength(params, OWNER_DEVICE)),
    ),
  )
  const shown = (messages: readonly Message[]) =>
    speaker === identity
      ? messages
      : messages.map((one) => (isOf(one, opened.message) ? asSpoken.message : one))
  let judged: dkg.DkgJudged | null = null
  let revealed: dkg.DkgRevealed | null = null
  const own = (step: dkg.DkgStep, messages: readonly Message[]): Message => {
    if (step === "open") return opened.message
    if (step === "reveal") {
      const random = bytes(dkg.revealRandomnessLength(params, OWNER_DEVICE))
      const made = value(dkg.dkgReveal(opened.state, messages, self, random))
      revealed = made.state
      return made.message
    }
    const made = value(dkg.dkgVerdict(revealed as dkg.DkgRevealed, messages, self))
    judged = made.state
    return made.message
  }
  const ask = async (session: TestSession, step: number, messages: readonly Message[]) => {
    const input = encode(protocolStepInput, {
      messages: shown(messages).map((m) => encode(messageCodec, m)),
    })
    return session.call({ kind: "act", request, step, input })
  }
  let task = dkg.dkgCoordinate(params, verifyKeys)
  while (task.kind === "ask") {
    const { step, deliveries, waiting } = task
    const mine = own(step, deliveries.get(OWNER_DEVICE) ?? [])
    const responses = [{ from: OWNER_DEVICE, message: mine }]
    for (const session of sessions) {
      const from = session.to.identifier
      const answer = await ask(session, STEPS[step], deliveries.get(from) ?? [])
      if (answer.kind === "refused") return `${step} ${answer.error.message}`
      const { output } = expectKind(answer, "act")
      responses.push({ from, message: decode(messageCodec, output) })
    }
    task = dkg.dkgAdvance(waiting, responses)
  }
  assert.equal(task.kind, "activate")
  for (const session of sessions) {
    const messages = task.deliveries.get(session.to.identifier) ?? []
    expectKind(await ask(session, 4, messages), "act")
  }
  const toDevice = task.deliveries.get(OWNER_DEVICE) ?? []
  return value(dkg.dkgActivate(judged as unknown as dkg.DkgJudged, toDevice, self)).key
}

test("a device signs as its account does, or the servers make no key", async () => {
  const { owner, sessions } = await ownerWithSessions()
  const stranger = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(1)))
  const refused = await generate(owner, sessions, stranger)
  assert.equal(refused, "reveal The protocol aborted: wrong-signature; nobody is blamed.")
})

test("every holder keeps the owner's sealed share as it came, and tells it to its owner", async () => {
  const { owner, sessions } = await ownerWithSessions()
  const key = (await generate(owner, sessions)) as KeyPackage
  const { keyId } = key.public
  const request = owner.sign(owner.request("keys.show", encode(showKeyBody, { keyId })))
  for (const session of sessions) {
    const answer = await session.call({ kind: "act", request, step: 1, input: EMPTY })
    const { custody } = decode(keyListing, expectKind(answer, "act").output)
    assert.deepEqual(custody, { kind: "self", sealedShare: SEALED })
  }
})

test("no server gives its part of a signature in which the device has none", async () => {
  const { owner, sessions } = await ownerWithSessions()
  const key = (await generate(owner, sessions)) as KeyPackage
  const { keyId, rosterEpoch } = key.public
  const prepare = owner.sign(
    owner.request("sign.prepare", encode(prepareBody, { keyId, keyEpoch: 1, count: 3 })),
  )
  const commitments: Bytes[][] = []
  for (const session of sessions) {
    const answer = await session.call({ kind: "act", request: prepare, step: 1, input: EMPTY })
    commitments.push([...decode(commitmentList, expectKind(answer, "act").output)])
  }
  const commit = (identity: SigningKey, signed: KeyPackage) => {
    const randomness = owner.randomness.bytes(96)
    return frost.commit({ key: signed, identity, rosterEpoch, randomness }).message
  }
  const asks = async (nth: number, devices: readonly Message[]): Promise<string> => {
    const body = encode(signBody, {
      ...{ keyId, path: [], content: { kind: "message", message: MESSAGE }, merkleRoot: null },
    })
    const request = owner.sign(owner.request("sign", body))
    const servers = commitments.map((some) => decode(messageCodec, some[nth] as Bytes))
    const signingPackage = encode(frost.signingPackageCodec, {
      ...{ keyId, keyEpoch: 1, rosterEpoch, requestDigest: requestDigest(request), attempt: 1 },
      ...{ message: MESSAGE, tweak: frost.NO_TWEAK, path: [] },
      commitments: [...servers, ...devices],
    })
    const input = encode(signStepInput, { signingPackage, prepare: 0 })
    const [session] = sessions as [TestSession]
    const answer = await session.call({ kind: "act", request, step: 1, input })
    return answer.kind === "refused" ? answer.error.message : answer.kind
  }
  assert.match(await asks(0, []), /aborted: missing-additive-signer; nobody/)
  const stranger = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(1)))
  assert.match(await asks(1, [commit(stranger, key)]), /aborted: wrong-signature; nobody/)
  assert.equal(await asks(2, [commit(owner.key as SigningKey, key)]), "act")
})

test("a key whose type signs with no device is refused to who asks for one", async () => {
  const { owner, sessions } = await ownerWithSessions()
  const [session] = sessions as [TestSession]
  const holders = sessions.map(({ to }) => to.identifier)
  const { minSigners } = owner.cluster.roster
  const body = encode(createKeyBody, {
    ...{ keyId: owner.randomness.bytes(32), keyType: "ecdsa-secp256k1", label: "", minSigners },
    ...{ holders, attempt: 1, custody: { kind: "self", sealedShare: SEALED } },
  })
  const request = owner.sign(owner.request("keys.create", body, { servers: holders }))
  const input = encode(protocolStepInput, { messages: [] })
  const answer = await session.call({ kind: "act", request, step: 1, input })
  assert.equal(answer.kind, "refused")
  assert.deepEqual([answer.error.code, answer.error.field], ["invalid-request", "body.custody"])
})
