import assert from "node:assert/strict"
import { test } from "node:test"
import { changePasswordBody, type SignedRequest } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import {
  prepareSet,
  presignAt,
  setUpPairs,
  shareAt,
  signEcdsaWith,
  signRequestOf,
} from "./ecdsa-flows.ts"
import { createKey } from "./flows.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

/** What a server still holds of the secrets it looked into while it did something. */
async function leftBy<T>(run: () => Promise<T>) {
  const left = new Set<Secret>()
  const wiped = new Set<Secret>()
  const { expose, wipe } = Secret.prototype
  Secret.prototype.expose = function () {
    left.add(this)
    return expose.call(this)
  }
  Secret.prototype.wipe = function () {
    left.delete(this)
    wiped.add(this)
    wipe.call(this)
  }
  try {
    return { value: await run(), left, wiped }
  } finally {
    Object.assign(Secret.prototype, { expose, wipe })
  }
}

/** Fails unless everything but the server's own and its session's keys was wiped. */
async function leavesNothing<T>(
  kept: ReadonlySet<Secret>,
  what: string,
  run: () => Promise<T>,
): Promise<T> {
  const { value, left } = await leftBy(run)
  assert.equal([...left].filter((secret) => !kept.has(secret)).length, 0, what)
  return value
}

async function ready() {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const [session] = sessions as [TestSession]
  return { owner, sessions, session, server: session.to }
}

function show(owner: TestOwner): SignedRequest {
  return owner.sign(owner.request("account.show", EMPTY))
}

function keysOf(server: TestServer): readonly Secret[] {
  const { channelSecret, loginServer } = server.self
  return [channelSecret, loginServer.fakes.seed, loginServer.ake.privateKey]
}

/** What stays for longer than a request, found by a request that reads no secret but those. */
async function keptBy({ server, session, owner }: Awaited<ReturnType<typeof ready>>) {
  const frames = [1, 2].map(() =>
    session.seal({ kind: "act", request: show(owner), step: 1, input: EMPTY }),
  )
  const kept = new Set(keysOf(server))
  const seen: Set<Secret>[] = []
  for (const frame of frames) seen.push((await leftBy(() => server.server.call(frame))).left)
  for (const secret of seen[0] ?? []) if (seen[1]?.has(secret)) kept.add(secret)
  return kept
}

/** The owner's session, whose server's every step is watched. */
function watched(session: TestSession, kept: ReadonlySet<Secret>, watch: (n: number) => void) {
  const call: TestSession["call"] = async (payload) => {
    const frame = session.seal(payload)
    const answer = await leavesNothing(kept, `step of ${payload.kind}`, () =>
      session.to.server.call(frame),
    )
    watch(payload.kind === "act" ? payload.step : 0)
    return session.open(frame.counter, answer)
  }
  return Object.assign(Object.create(session) as TestSession, { call })
}

test("every step of a key generation wipes its state and the one before", async () => {
  const given = await ready()
  const kept = await keptBy(given)
  const steps: number[] = []
  // One server is watched; the others' steps must not run at the same time as its.
  let turn = Promise.resolve()
  const inTurn = (session: TestSession): TestSession => {
    const call: TestSession["call"] = (payload) => {
      const answer = turn.then(() => session.call(payload))
      turn = answer.then(() => undefined)
      return answer
    }
    return Object.assign(Object.create(session) as TestSession, { call })
  }
  const [first, ...others] = given.sessions as [TestSession]
  const sessions = [watched(first, kept, (step) => steps.push(step)), ...others].map(inTurn)
  await createKey(given.owner, sessions, "ed25519")
  assert.deepEqual(steps.slice(0, 4), [1, 2, 3, 4])
})

test("a dealing is wiped when it is stored, repeated or refused", async () => {
  const given = await ready()
  const { owner, server } = given
  const kept = await keptBy(given)
  const bob = new TestOwner(owner.cluster, "bob")
  const keys = () => ({
    storageKey: new Secret(new Uint8Array(32)),
    signingSeed: new Secret(new Uint8Array(32)),
  })
  const { dealings } = bob.deal("his", 1, keys())
  const encoded = (at: number) =>
    encode(opaque.accountDealingCodec, dealings.get(at) as opaque.AccountDealing)
  const issuedAt = owner.cluster.clock.time
  const { session } = await bob.open(server, { kind: "register", issuedAt, name: "bob" })
  const probe = session.seal({ kind: "login-finish", ke3: EMPTY })
  const channelKeys = await leftBy(() => server.server.call(probe))
  const call = watched(session, new Set([...kept, ...channelKeys.left]), () => undefined)
  const kinds: string[] = []
  for (const dealing of [encoded(2), encoded(1), encoded(1)]) {
    kinds.push((await call.call({ kind: "register-deal", dealing })).kind)
  }
  const nobody = encode(opaque.confirmationsCodec, new Map())
  kinds.push((await call.call({ kind: "register-activate", confirmations: nobody })).kind)
  assert.deepEqual(kinds, ["refused", "register-deal", "register-deal", "refused"])
})

test("a dealing of a password change is wiped when it is stored or refused", async () => {
  const given = await ready()
  const { owner, session } = given
  const kept = await keptBy(given)
  assert.ok(owner.keys !== null)
  const { registration, dealings } = owner.deal("new", 2, owner.keys)
  const body = encode(changePasswordBody, {
    opaqueVersion: 2,
    registrationDigest: opaque.registrationDigest(registration),
  })
  const request = owner.sign(owner.request("account.change-password", body))
  const call = watched(session, kept, () => undefined)
  const kinds: string[] = []
  for (const server of [2, 1]) {
    const dealing = dealings.get(server) as opaque.AccountDealing
    const input: Bytes = encode(opaque.accountDealingCodec, dealing)
    kinds.push((await call.call({ kind: "act", request, step: 1, input })).kind)
  }
  assert.deepEqual(kinds, ["refused", "act"])
})

test("the account that a request was held against is wiped whether or not it is authorised", async () => {
  const { owner, session, server } = await ready()
  const sound = show(owner)
  for (const request of [sound, { ...sound, signature: new Uint8Array(64) }]) {
    const frame = session.seal({ kind: "act", request, step: 1, input: EMPTY })
    const { wiped } = await leftBy(() => server.server.call(frame))
    // Nothing looks into these, so only that they are wiped can be seen: a share, a masking key.
    assert.equal(wiped.size, 2)
  }
})

test("a hello that is refused leaves no key of its session", async () => {
  const given = await ready()
  const { owner, server } = given
  const kept = await keptBy(given)
  const issuedAt = owner.cluster.clock.time
  const stale = owner.hello(server, { kind: "register", issuedAt: 0, name: "x" }).hello
  await leavesNothing(kept, "stale", () => server.server.open(stale))
  const sound = owner.hello(server, { kind: "register", issuedAt, name: "x" }).hello
  await server.server.open(sound)
  await leavesNothing(kept, "replayed", () => assert.rejects(server.server.open(sound)))
  const torn = sound.slice()
  torn[torn.length - 1] = (torn[torn.length - 1] as number) ^ 1
  await leavesNothing(kept, "torn", () => assert.rejects(server.server.open(torn)))
})

test("setting pairs up, presigning and signing with ECDSA leave nothing behind", async () => {
  const given = await ready()
  const certificate = await createKey(given.owner, given.sessions, "ecdsa-secp256k1")
  const kept = await keptBy(given)
  let calls = 0
  const count = () => {
    calls += 1
  }
  const [first, ...others] = given.sessions as [TestSession]
  const sessions = new Map(
    [watched(first, kept, count), ...others].map((one) => [one.to.identifier, one] as const),
  )
  const world = { owner: given.owner, sessions, certificate }
  await setUpPairs(world)
  await presignAt(world, [1, 2])
  await signEcdsaWith(world, await prepareSet(world, [1, 2]))
  const spent = await prepareSet(world, [1, 2])
  const order = { ...spent, presignature: new Uint8Array(32) }
  const [refused] = await Promise.allSettled([shareAt(world, 1, signRequestOf(world), order)])
  assert.equal(refused?.status, "rejected")
  assert.equal(calls, 4 + 5 + 1 + 1 + 1 + 1)
})
