import assert from "node:assert/strict"
import { describe, test } from "node:test"
import {
  deriveBody,
  eventCodec,
  KEY_TYPES,
  type KeyListing,
  type KeyType,
  keyListing,
  type Operation,
  prepareBody,
  prepareEcdsaBody,
  showKeyBody,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import {
  actAt,
  at,
  type EcdsaWorld,
  inputFor,
  NO_MESSAGES,
  prepareSet,
  presignAt,
  presignRequest,
  refusal,
  runBulk,
  setUpPairs,
  shareAt,
  signEcdsaWith,
  signRequestOf,
} from "./ecdsa-flows.ts"
import { createKey, prepareToSign, signWith } from "./flows.ts"
import { type ClusterOptions, startCluster } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const DAY_MS = 86_400_000
const MESSAGE = new Uint8Array(32).fill(7)

interface OwnerWorld {
  readonly owner: TestOwner
  readonly sessions: readonly TestSession[]
  readonly certificate: KeyCertificate
}

async function setUp(keyType: KeyType, options: ClusterOptions = {}): Promise<OwnerWorld> {
  const owner = new TestOwner(await startCluster(options))
  await owner.register("correct horse")
  const sessions = await owner.login("correct horse", owner.servers)
  return { owner, sessions, certificate: await createKey(owner, sessions, keyType) }
}

type Change = "keys.suspend" | "keys.resume" | "keys.deactivate"

function asked({ owner, certificate }: OwnerWorld, operation: Operation, body?: Bytes) {
  const { keyId } = certificate.public
  return owner.sign(owner.request(operation, body ?? encode(showKeyBody, { keyId })))
}

/** Changes the state at one server, and gives the listing that it answers. */
async function change(world: OwnerWorld, session: TestSession, what: Change): Promise<KeyListing> {
  return decode(keyListing, await actAt(session, asked(world, what)))
}

async function everywhere(world: OwnerWorld, what: Change): Promise<void> {
  for (const session of world.sessions) await change(world, session, what)
}

/** What each server refuses a request with. */
async function refusals(
  { sessions }: OwnerWorld,
  ask: (session: TestSession) => Promise<unknown>,
): Promise<readonly string[]> {
  const said: string[] = []
  for (const session of sessions) said.push(await refusal(ask(session)))
  return said
}

const DENIED = Array.from({ length: 3 }, () => "permission-denied keyId")
const EXPIRED = Array.from({ length: 3 }, () => "expired keyId")

/** What uses a key's shares: everything is prepared first, and asked for after `between`. */
async function usesRefusedAfter(
  world: OwnerWorld,
  between: () => Promise<void>,
  expected: readonly string[],
): Promise<void> {
  const { owner, sessions, certificate } = world
  const { keyId, keyType } = certificate.public
  const derive = encode(deriveBody, { keyId, path: [3] })
  if (keyType !== "ecdsa-secp256k1") {
    const { request, input } = await prepareToSign(owner, sessions, certificate, MESSAGE)
    await between()
    assert.deepEqual(await refusals(world, (s) => actAt(s, request, 1, input)), expected, "sign")
    const prepare = encode(prepareBody, { keyId, keyEpoch: 1, count: 1 })
    const uses = [["keys.derive", derive] as const, ["sign.prepare", prepare] as const]
    for (const [operation, body] of uses) {
      const ask = (session: TestSession) => actAt(session, asked(world, operation, body))
      assert.deepEqual(await refusals(world, ask), expected, operation)
    }
    return
  }
  const ecdsa: EcdsaWorld = {
    ...{ owner, certificate },
    sessions: new Map(sessions.map((session) => [session.to.identifier, session])),
  }
  await setUpPairs(ecdsa)
  const all = [1, 2, 3]
  const sets = [
    [1, 2],
    [2, 3],
  ]
  for (const set of sets) await presignAt(ecdsa, set)
  const ready = [await prepareSet(ecdsa, sets[0] ?? []), await prepareSet(ecdsa, sets[1] ?? [])]
  const running = presignRequest(ecdsa, [1, 2])
  const { outputs } = await runBulk(ecdsa.sessions, [1, 2], running, { last: 1 })
  await between()
  for (const [i, id] of all.entries()) {
    const prepared = ready[id === 3 ? 1 : 0]
    assert.ok(prepared)
    const said = await refusal(shareAt(ecdsa, id, signRequestOf(ecdsa), prepared))
    assert.equal(said, expected[i], `ecdsa.sign at ${id}`)
  }
  const prepare = encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers: [1, 2], count: 1 })
  for (const [operation, body] of [
    ["keys.derive", derive],
    ["ecdsa.prepare", prepare],
    ["pool.status", encode(showKeyBody, { keyId })],
  ] as const) {
    const ask = (session: TestSession) => actAt(session, asked(world, operation, body))
    assert.deepEqual(await refusals(world, ask), expected, operation)
  }
  const opening = actAt(at(ecdsa.sessions, 1), presignRequest(ecdsa, [1, 2]), 1, NO_MESSAGES)
  assert.equal(await refusal(opening), expected[0], "presign")
  const next = actAt(at(ecdsa.sessions, 2), running, 2, inputFor(2, outputs))
  assert.equal(await refusal(next), expected[1], "a run of presigning that was under way")
}

for (const keyType of KEY_TYPES) {
  describe(`a key of type ${keyType}`, () => {
    test("signs nothing at any server while it is suspended, with nothing prepared before", async () => {
      const world = await setUp(keyType)
      await usesRefusedAfter(world, () => everywhere(world, "keys.suspend"), DENIED)
      await everywhere(world, "keys.resume")
      const { owner, sessions, certificate } = world
      if (keyType === "ecdsa-secp256k1") {
        const ecdsa = {
          owner,
          certificate,
          sessions: new Map(sessions.map((s) => [s.to.identifier, s])),
        }
        await presignAt(ecdsa, [1, 3])
        await signEcdsaWith(ecdsa, await prepareSet(ecdsa, [1, 3]))
      } else await signWith(owner, sessions, certificate, MESSAGE)
    })

    test("signs nothing at any server once it is deactivated, and never again", async () => {
      const world = await setUp(keyType)
      await usesRefusedAfter(world, () => everywhere(world, "keys.deactivate"), DENIED)
      for (const back of ["keys.resume", "keys.suspend"] as const) {
        assert.deepEqual(await refusals(world, (session) => change(world, session, back)), DENIED)
      }
    })

    test("signs nothing at any server once it is older than the roster lets keys sign", async () => {
      const world = await setUp(keyType, { cryptoperiodDays: 1 })
      const { clock } = world.owner.cluster
      const made = clock.time
      // Sessions and nonces do not last that long, so the key is made older and not the clock later.
      const age = async (ms: number) => {
        for (const { to } of world.sessions) {
          const { accountId } = world.owner
          const prefix = Buffer.from(accountId).toString("hex")
          const [row] = await to.store.scan("account-keys", prefix, "", 1)
          assert.ok(row)
          const value = encode(keyListing, {
            ...decode(keyListing, row.value),
            createdAt: made - ms,
          })
          const put = {
            kind: "put",
            table: "account-keys",
            id: row.id,
            ifVersion: row.version,
          } as const
          await to.store.commit([{ ...put, value }])
        }
      }
      if (keyType !== "ecdsa-secp256k1") {
        await age(DAY_MS - 1)
        await signWith(world.owner, world.sessions, world.certificate, MESSAGE)
      }
      await usesRefusedAfter(world, () => age(DAY_MS), EXPIRED)
    })
  })
}

describe("the state of a key", () => {
  test("is the owner's to change, each way, once more without effect, and is listed and logged", async () => {
    const world = await setUp("ed25519")
    const [session] = world.sessions as [TestSession]
    for (const [what, state] of [
      ["keys.resume", "active"],
      ["keys.suspend", "suspended"],
      ["keys.suspend", "suspended"],
      ["keys.resume", "active"],
      ["keys.suspend", "suspended"],
      ["keys.deactivate", "deactivated"],
      ["keys.deactivate", "deactivated"],
    ] as const) {
      assert.equal((await change(world, session, what)).state, state)
      const shown = decode(keyListing, await actAt(session, asked(world, "keys.show")))
      assert.equal(shown.state, state)
    }
    const { store } = session.to
    const last = await store.logPosition()
    const [entry] = await store.entries((last?.index ?? 1) - 1, 1)
    assert.ok(entry)
    const { operation, note, outcome } = decode(eventCodec, entry.event)
    assert.deepEqual(
      [operation, note, outcome],
      ["keys.deactivate", "deactivated to deactivated", "done"],
    )
  })

  test("is nobody else's: another account's key is not found", async () => {
    const world = await setUp("ed25519")
    const bob = new TestOwner(world.owner.cluster, "bob")
    await bob.register("another horse")
    const [session] = await bob.login("another horse", bob.servers)
    assert.ok(session)
    const { keyId } = world.certificate.public
    const request = bob.sign(bob.request("keys.suspend", encode(showKeyBody, { keyId })))
    assert.equal(await refusal(actAt(session, request)), "not-found keyId")
  })

  for (const keyType of ["ed25519", "ecdsa-secp256k1"] as const) {
    test(`ends a signature with ${keyType} that was being made when it changed`, async () => {
      class RacingRows extends MemoryRowStore {
        first: (() => Promise<unknown>) | null = null

        override async commit(batch: Parameters<MemoryRowStore["commit"]>[0]) {
          const first = this.first
          this.first = null
          await first?.()
          return super.commit(batch)
        }
      }
      const rows = new RacingRows()
      const world = await setUp(keyType, { rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
      const { owner, sessions, certificate } = world
      const [session] = sessions as [TestSession]
      const suspended = () => change(world, session, "keys.suspend")
      if (keyType === "ed25519") {
        const { request, input } = await prepareToSign(owner, sessions, certificate, MESSAGE)
        rows.first = suspended
        assert.equal(await refusal(actAt(session, request, 1, input)), "conflict ")
        return
      }
      const ecdsa = {
        owner,
        certificate,
        sessions: new Map(sessions.map((s) => [s.to.identifier, s])),
      }
      await setUpPairs(ecdsa)
      await presignAt(ecdsa, [1, 2])
      const prepared = await prepareSet(ecdsa, [1, 2])
      rows.first = suspended
      assert.equal(await refusal(shareAt(ecdsa, 1, signRequestOf(ecdsa), prepared)), "conflict ")
    })
  }
})
