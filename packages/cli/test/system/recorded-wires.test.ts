import assert from "node:assert/strict"
import { getRandomValues } from "node:crypto"
import { after, before, describe, it } from "node:test"
import { eventCodec } from "@lockkeeper/api"
import { Secret, signingKeyFromSeed, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, decode, equalBytes, utf8 } from "@lockkeeper/encoding"
import { candidateChannels, readHello, sessionsOf, tryFrames } from "./attacker.ts"
import { type Canary, type Haystack, search, spellings } from "./canaries.ts"
import { deployBehindRelays, type RelayedDeployment } from "./deployment.ts"
import { type Stolen, secretsOf, steal } from "./stolen.ts"

const NAME = "canary-name-of-an-owner"
const PASSWORDS = ["canary horse battery staple", "canary new password 2", "canary wrong guess"]
const MESSAGE = utf8("canary message that is signed, 32 bytes and more")

describe("three servers behind relays that end TLS and record everything", () => {
  let deployment: RelayedDeployment
  let stolen: readonly Stolen[]
  let wires: readonly Haystack[]
  /** Everything random that the client drew, in order. */
  const draws: Bytes[] = []
  const randomness = {
    bytes(length: number): Bytes {
      const drawn = getRandomValues(new Uint8Array(length))
      draws.push(drawn.slice())
      return drawn
    },
  }

  before(async () => {
    deployment = await deployBehindRelays()
    await ownersDay(deployment)
    wires = deployment.relays.map((relay, i) => ({ where: `wire ${i + 1}`, bytes: relay.seen }))
    stolen = await Promise.all([1, 2, 3].map((id) => steal(deployment.directory, id)))
  })
  after(() => deployment.stop())

  /** Register, log in, make keys, sign, list, change the password, guess wrongly, log out. */
  async function ownersDay({ connect }: RelayedDeployment): Promise<void> {
    const [password = "", next = "", wrong = ""] = PASSWORDS
    const keeper = await connect({ dependencies: { randomness } })
    await keeper.register({ name: NAME, password })
    const session = await keeper.login({ name: NAME, password })
    const { key } = await session.keys.create({ type: "ed25519", label: "canary label" })
    const { key: coins } = await session.keys.create({ type: "bip340", label: "coins" })
    for (let i = 0; i < 3; i++) await session.sign({ keyId: key.keyId, message: MESSAGE })
    await session.sign({ keyId: coins.keyId, message: MESSAGE.slice(0, 32), taproot: "key-path" })
    assert.equal((await session.keys.list()).keys.length, 2)
    await session.changePassword({ current: password, next })
    await session.sign({ keyId: key.keyId, message: MESSAGE })
    await assert.rejects(keeper.login({ name: NAME, password: wrong }), { code: "wrong-password" })
    await session.logout()
    const again = await keeper.login({ name: NAME, password: next })
    await again.keys.list()
    await again.logout()
    keeper.close()
  }

  /** What an owner and the servers keep from everybody between them. */
  function secrets(): Canary[] {
    const text = [NAME, ...PASSWORDS, "canary label"].map((t) => ({ name: t, bytes: utf8(t) }))
    // Between client and servers not even the ids of an event are to be seen.
    const serverSecrets = stolen.flatMap(secretsOf).map(({ name, bytes }) => ({ name, bytes }))
    return [...text, { name: "message", bytes: MESSAGE }, ...accountKeys(), ...serverSecrets]
  }

  function accountKeys(): Canary[] {
    const record = stolen[0]?.accounts[0]?.active
    const { signingPublicKey } = (record as NonNullable<typeof record>).registration.keys
    const at = draws.findIndex(
      (draw) =>
        draw.length === 32 &&
        equalBytes(signingKeyFromSeed(Secret.copyOf(draw)).publicKey, signingPublicKey),
    )
    // The storage key is drawn right before the seed of the key that signs requests.
    assert.ok(at >= 1, "the account's signing seed is among what the client drew")
    const [storageKey, seed] = [draws[at - 1] as Bytes, draws[at] as Bytes]
    assert.equal(storageKey.length, 32)
    return [
      { name: "storage key", bytes: storageKey },
      { name: "account's signing seed", bytes: seed },
    ]
  }

  it("learn no password, name, message, share, key or event", (t) => {
    const canaries = secrets()
    assert.ok(stolen.every(({ keys, accounts }) => keys.length === 2 && accounts.length === 1))
    const operations = stolen.flatMap(({ entries }) =>
      entries.map(({ event }) => decode(eventCodec, event).operation),
    )
    for (const operation of ["account.register", "login.finish", "keys.create", "sign"]) {
      assert.ok(operations.includes(operation), `${operation} was logged`)
    }
    assert.deepEqual(search(wires, canaries), [])
    const size = wires.reduce((sum, { bytes }) => sum + bytes.length, 0)
    t.diagnostic(`${canaries.length} secrets, each in every spelling: 0 found in ${size} bytes`)
  })

  it("do not even see the randomness that the client drew", (t) => {
    const long = draws.filter(({ length }) => length >= 16)
    const canaries = long.map((bytes, i) => ({ name: `draw ${i}`, bytes }))
    const found = canaries.filter(({ bytes }) =>
      wires.some((wire) => Buffer.from(wire.bytes).includes(Buffer.from(bytes.slice(0, 16)))),
    )
    assert.ok(long.length > 25)
    assert.deepEqual(found, [])
    t.diagnostic(`${long.length} draws: 0 found`)
  })

  it("would be caught with a single secret, in whatever spelling", (t) => {
    const [wire] = wires as [Haystack]
    let caught = 0
    for (const canary of secrets().filter(({ name }) =>
      /password|horse|share|storage/.test(name),
    )) {
      for (const [, planted] of spellings(canary.bytes)) {
        const bytes = Buffer.concat([wire.bytes, planted, wire.bytes.subarray(0, 100)])
        assert.notDeepEqual(search([{ where: "planted", bytes }], [canary]), [])
        caught++
      }
    }
    t.diagnostic(`${caught} planted secrets: all found`)
  })

  it("open every hello but no answer and no frame, given all long-term keys afterwards", (t) => {
    const sessions = sessionsOf(deployment.relays.flatMap(({ exchanges }) => exchanges))
    const known = stolen.flatMap(({ seeds, opaqueKey, channelSecret, keys, accounts }) => [
      channelSecret,
      ...seeds.map(([, seed]) => seed),
      opaqueKey.privateKey.expose(),
      ...keys.map(({ signingShare }) => signingShare.expose()),
      ...accounts.flatMap(({ active }) => (active === null ? [] : [active.share.expose()])),
    ])
    let [tried, frames] = [0, 0]
    for (const session of sessions) {
      const { channelSecret } = stolen[session.server - 1] as Stolen
      const hello = readHello(session, channelSecret)
      assert.ok(hello, "whoever has the static key reads the hello")
      if ("name" in hello.opened) assert.equal(hello.opened.name, NAME)
      const result = tryFrames(session, candidateChannels(session, channelSecret, known))
      assert.deepEqual(result.opened, [])
      tried += result.tried
      frames += session.frames.length
    }
    assert.ok(sessions.length >= 12 && frames > 100)
    t.diagnostic(
      `${sessions.length} sessions: every hello opened; of ${frames} frames none, ${tried} tries`,
    )
  })

  it("would open the answers with a client's one-session key: the attack is real", (t) => {
    const sessions = sessionsOf(deployment.relays.flatMap(({ exchanges }) => exchanges))
    const seeds = draws.filter(({ length }) => length === 96).map((draw) => draw.slice(0, 32))
    const keys = seeds.map((seed) => ({ seed, publicKey: xwingKeyPair(seed.slice()).publicKey }))
    let later = 0
    for (const session of sessions) {
      const { channelSecret } = stolen[session.server - 1] as Stolen
      const clientKey = readHello(session, channelSecret)?.clientKey as Bytes
      const seed = keys.find(({ publicKey }) => equalBytes(publicKey, clientKey))?.seed as Bytes
      const { opened } = tryFrames(session, candidateChannels(session, channelSecret, [seed]))
      assert.equal(opened[0]?.counter, 0, "the answer opens")
      later += opened.length - 1
    }
    assert.ok(later > 20)
    t.diagnostic(`${sessions.length} answers and ${later} later frames opened`)
  })
})
