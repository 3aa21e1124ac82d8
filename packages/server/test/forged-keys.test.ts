import assert from "node:assert/strict"
import { test } from "node:test"
import { keyListing, reshareOpenOutput } from "@lockkeeper/api"
import {
  edwards25519,
  type Identifier,
  interpolate,
  type Scalar,
  Secret,
  sha256,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import {
  confirmKey,
  type KeyCertificate,
  keyCertificateCodec,
  type PublicKeyPackage,
  sharing,
} from "@lockkeeper/protocols"
import {
  deriveSecrets,
  generateSeeds,
  type ServerSecrets,
} from "../src/directory/server-secrets.ts"
import { keyRow } from "../src/keys.ts"
import { agreeOnKey, describeKey } from "../src/resharing/key-records.ts"
import { seededRandomness } from "./memory-cluster.ts"
import { driveMove, goOnTo, moveFor, type Shape, startMoves } from "./move-flows.ts"
import { Coordinator, type ReshareWorld, refusalOf, serverOf } from "./reshare-flows.ts"

const TWO_OF_THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const THREE_OF_FIVE: Shape = { holders: [1, 2, 3, 4, 5], minSigners: 3 }

function scalar(name: string): Scalar {
  const bytes = sha256(utf8(name))
  bytes.fill(0, 31)
  return edwards25519.decodeScalar(bytes)
}

/** A key that its holders made up by themselves, and list as the owner's. */
async function forge(
  world: ReshareWorld,
  holders: readonly Identifier[],
  rosterEpoch: number,
): Promise<ReshareWorld> {
  const shares = new Map(holders.map((id) => [id, scalar(`share of ${id}`)]))
  const pkg: PublicKeyPackage = {
    ...{ keyId: new Uint8Array(32).fill(9), keyType: "ed25519", group: "edwards25519" },
    ...{ keyEpoch: 1, rosterEpoch, minSigners: holders.length, additive: new Map() },
    verifyingKey: edwards25519.multiplyBase(interpolate(edwards25519, shares)),
    verifyingShares: new Map(
      [...shares].map(([id, share]) => [id, edwards25519.multiplyBase(share)]),
    ),
  }
  const own = (id: Identifier) => world.cluster.secrets[id - 1] as ServerSecrets
  const confirmations = new Map(holders.map((id) => [id, confirmKey(own(id).identity, pkg)]))
  const forged: KeyCertificate = { public: pkg, confirmations }
  for (const [identifier, share] of shares) await put(world, identifier, share, forged)
  return { ...world, certificates: [forged] }
}

async function put(
  world: ReshareWorld,
  identifier: Identifier,
  share: Scalar,
  forged: KeyCertificate,
): Promise<void> {
  const { accountId } = world.owner
  const { public: pkg } = forged
  const { keyId } = pkg
  const keyPackage = { identifier, signingShare: Secret.copyOf(share), public: pkg }
  const certificate = encode(keyCertificateCodec, forged)
  const facts = {
    label: "mine",
    custody: { kind: "custodial" },
    state: "active",
    createdAt: 5,
  } as const
  const row = encode(keyRow, { accountId, state: "active", keyPackage })
  const listing = encode(keyListing, { keyId, ...facts, certificate })
  const listingId = `${toHex(accountId)}-${toHex(keyId)}`
  await serverOf(world, identifier).store.commit([
    { kind: "put", table: "keys", id: toHex(keyId), ifVersion: "absent", value: row },
    { kind: "put", table: "account-keys", id: listingId, ifVersion: "absent", value: listing },
  ])
}

/** What a server that holds no share makes of what these tell it of the world's key. */
async function toldBy(
  world: ReshareWorld,
  tellers: readonly Identifier[],
  joiner: Identifier,
): Promise<Bytes | null> {
  const { public: pkg } = world.certificates[0] as KeyCertificate
  const told = new Map<Identifier, Bytes>()
  for (const id of tellers) {
    const record = await describeKey(serverOf(world, id).store, pkg.keyId)
    assert.ok(record)
    told.set(id, record)
  }
  const { self, store } = serverOf(world, joiner)
  const now = world.cluster.clock.time
  return agreeOnKey({ self, now }, store, sharing.sharingOfKey(pkg), told, pkg.minSigners)
}

/** What each server says of a run that deals the world's key to all holders. */
async function opened(
  world: ReshareWorld,
  dealers: readonly Identifier[],
): Promise<readonly unknown[]> {
  const attempt = await moveFor(world, { dealers })
  const answers: unknown[] = []
  for (const id of new Set([...dealers, ...attempt.params.holders])) {
    const answer = decode(reshareOpenOutput, await new Coordinator(world, attempt).open(id))
    answers.push(answer.kind === "unfit" ? answer.entries : answer.kind)
  }
  return answers
}

const UNFIT = [{ index: 0, reason: "wrong-participants" }]

async function assertRefused(world: ReshareWorld, liars: readonly Identifier[]): Promise<void> {
  const answers = await opened(world, liars)
  assert.ok(answers.length >= 3)
  for (const answer of answers) assert.deepEqual(answer, UNFIT)
  assert.equal(await toldBy(world, liars, 6), null)
}

test("as many as the lower threshold make no key of their own while the threshold rises", async () => {
  const world = await startMoves(TWO_OF_THREE, ["ed25519"])
  await goOnTo(world, THREE_OF_FIVE)
  await assertRefused(await forge(world, [4, 5], 2), [4, 5])
  assert.deepEqual(await opened(world, [1, 2]), Array(5).fill("message"))
  assert.ok(await toldBy(world, [1, 2], 6))
})

test("a key of a roster that the chain does not reach back to is dealt to nobody", async () => {
  const world = await startMoves(TWO_OF_THREE, ["ed25519"])
  const { cluster } = world
  await goOnTo(world, THREE_OF_FIVE)
  cluster.rostersBefore = []
  await goOnTo(world, THREE_OF_FIVE, { transition: cluster.roster.transition })
  await assertRefused(world, [1, 2])
})

test("nor do those that leave while it falls", async () => {
  const world = await startMoves(THREE_OF_FIVE, ["ed25519"])
  await goOnTo(world, TWO_OF_THREE)
  await assertRefused(await forge(world, [4, 5], 2), [4, 5])
  await assertRefused(await forge(world, [3, 6], 2), [3, 6])
  assert.deepEqual(await opened(world, [1, 4, 5]), Array(5).fill("message"))
  assert.ok(await toldBy(world, [1, 4, 5], 6))
})

/** Another server under the number of one, with all that the one had. */
async function goOnWithout(world: ReshareWorld, gone: Identifier, to: Shape): Promise<void> {
  const { cluster } = world
  const own = deriveSecrets(generateSeeds(seededRandomness("another one")))
  Object.assign(cluster, { secrets: cluster.secrets.with(gone - 1, own) })
  const keys = {
    identityKey: own.identity.publicKey,
    channelKey: own.channelPublic,
    opaqueKey: own.keyExchange.publicKey,
  }
  const members = cluster.roster.members.map((one) =>
    one.identifier === gone ? { ...one, ...keys } : one,
  )
  await goOnTo(world, to, { members })
}

test("another server under a dealer's number deals nothing at the threshold of before", async () => {
  const world = await startMoves(TWO_OF_THREE, ["ed25519"])
  await goOnWithout(world, 2, THREE_OF_FIVE)
  assert.deepEqual(await opened(world, [1, 2]), Array(5).fill(UNFIT))
  assert.deepEqual(await opened(world, [1, 3]), Array(5).fill("message"))
})

test("another server under a holder's number tells joiners nothing of what was dealt before", async () => {
  const world = await startMoves({ holders: [1, 2, 3], minSigners: 2 }, ["ed25519"])
  const { cluster, owner } = world
  const [certificate] = world.certificates
  assert.ok(certificate)
  const { keyId } = certificate.public
  // Server 1 and the one in the place of 2 tell the same lie.
  await goOnWithout(world, 2, { holders: [1, 2, 3, 4, 5], minSigners: 3 })
  for (const id of [1, 2]) {
    const { store } = serverOf(world, id)
    const name = `${toHex(owner.accountId)}-${toHex(keyId)}`
    const row = await store.read("account-keys", name)
    assert.ok(row)
    const value = encode(keyListing, { ...decode(keyListing, row.value), label: "a lie" })
    await store.commit([
      { kind: "put", table: "account-keys", id: name, ifVersion: row.version, value },
    ])
  }
  const tried = async (tellers: readonly Identifier[]) => {
    const refusals: string[] = []
    cluster.clock.time += 1000
    const coordinator = new Coordinator(world, await moveFor(world, { dealers: [1, 3] }))
    await driveMove(
      coordinator,
      async (id, step, go) => {
        if (step !== "verdict") return go()
        if (id >= 4) refusals.push(await refusalOf(go()))
        return null
      },
      undefined,
      async (id) => id <= 3,
      tellers,
    )
    return refusals
  }
  assert.deepEqual(await tried([1, 2]), Array(2).fill("conflict input.records.0"))
  assert.deepEqual(await tried([1, 2, 3]), Array(2).fill("conflict input.records.0"))
})
