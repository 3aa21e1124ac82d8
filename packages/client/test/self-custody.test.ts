import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { keyListing, OWNER_DEVICE } from "@lockkeeper/api"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import {
  edwards25519,
  groupByName,
  interpolate,
  type Scalar,
  Secret,
  sha256,
  verifySignature,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { frost } from "@lockkeeper/protocols"
import { keyRow } from "@lockkeeper/server/rows"
import { signWrongly } from "./cheats.ts"
import { seededRandomness, TestCluster } from "./cluster.ts"
import { TestDevice } from "./device-secrets.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }
const QUICK = { callMs: 6_000, hedgeMs: 1_000, keyGenerationStepMs: 6_000 }

/** Every server's copy of the owner's share, changed in place. */
async function alterCopies(
  cluster: TestCluster,
  { accountId }: Session,
  { keyId }: KeyInfo,
  servers: readonly number[],
  change: (sealed: Bytes) => Bytes,
): Promise<void> {
  const id = `${toHex(accountId)}-${toHex(keyId)}`
  for (const server of servers) {
    const { store } = cluster.server(server)
    const row = await store.read("account-keys", id)
    assert.ok(row)
    const listing = decode(keyListing, row.value)
    assert.equal(listing.custody.kind, "self")
    const custody = { kind: "self", sealedShare: change(listing.custody.sealedShare) } as const
    const value = encode(keyListing, { ...listing, custody })
    const put = { kind: "put", table: "account-keys", id, ifVersion: row.version, value } as const
    await store.commit([put])
  }
}

function flipped(sealed: Bytes): Bytes {
  return sealed.map((byte, i) => (i === sealed.length - 1 ? byte ^ 1 : byte))
}

function isWiped(secret: Secret): boolean {
  try {
    secret.expose()
    return false
  } catch {
    return true
  }
}

function isReduced(bytes: Bytes): boolean {
  try {
    return !edwards25519.isZeroScalar(edwards25519.decodeScalar(bytes))
  } catch {
    return false
  }
}

describe("keys in self custody", () => {
  let cluster: TestCluster
  let keeper: LockKeeper
  let session: Session
  let ed25519: KeyInfo

  before(async () => {
    cluster = await TestCluster.start()
    keeper = await cluster.connect(QUICK)
    await keeper.register(OWNER)
    session = await keeper.login(OWNER)
    const made = await session.keys.create({ type: "ed25519", custody: "self", label: "mine" })
    assert.deepEqual(made.incidents, [])
    ed25519 = made.key
  })
  after(() => session.logout())

  async function signs(by: Session, key = ed25519, path: readonly number[] = []) {
    const message = sha256(utf8("by device and servers"))
    const { signature, signers, publicKey, incidents } = await by.sign({ key, message, path })
    assert.ok(frost.verify(key.certificate.public, message, signature, frost.NO_TWEAK, path))
    if (key.keyType === "ed25519") assert.ok(verifySignature(publicKey, message, signature))
    assert.equal(signers.length, 2)
    assert.ok(signers.every((one) => key.holders.includes(one)))
    return incidents
  }

  it("sign with the device and t servers, children too, and say whose they are", async () => {
    assert.deepEqual(await signs(session), [])
    await session.keys.derive(ed25519.keyId, [4])
    assert.deepEqual(await signs(session, ed25519, [4]), [])
    const { key } = await session.keys.create({ type: "bip340", custody: "self" })
    assert.deepEqual(await signs(session, key), [])
    const message = sha256(utf8("taproot"))
    const spent = await session.sign({ key, message, taproot: "key-path" })
    const { public: pkg } = key.certificate
    assert.ok(frost.verify(pkg, message, spent.signature, { kind: "key-path" }))
    const { keys } = await session.keys.list()
    assert.deepEqual([...new Set(keys.map(({ custody }) => custody))], ["self"])
    assert.match(ed25519.custodyMeaning, /cannot sign without it, however many/)
  })

  it("are not what all servers together share", async () => {
    const shares = new Map<number, Scalar>()
    for (const [id, { store }] of cluster.servers) {
      const row = await store.read("keys", toHex(ed25519.keyId))
      assert.ok(row)
      shares.set(id, decode(keyRow, row.value).keyPackage.signingShare.expose() as Scalar)
    }
    const { verifyingKey, additive, group } = ed25519.certificate.public
    const field = groupByName(group)
    const shared = field.multiplyBase(interpolate(field, shares))
    assert.notDeepEqual(shared, verifyingKey)
    const device = additive.get(OWNER_DEVICE)
    assert.ok(device)
    assert.deepEqual(edwards25519.add(shared, device.publicShare), verifyingKey)
  })

  it("leave no copy of the owner's share in memory after logout", async (t) => {
    const wiped: Scalar[] = []
    const mine = await (await cluster.connect(QUICK)).login(OWNER)
    const { wipe } = Secret.prototype
    t.mock.method(Secret.prototype, "wipe", function (this: Secret) {
      if (this.length === 32 && !isWiped(this)) wiped.push(this.expose().slice() as Scalar)
      wipe.call(this)
    })
    const { key } = await mine.keys.create({ type: "ed25519", custody: "self" })
    await mine.logout()
    const known = key.certificate.public.additive.get(OWNER_DEVICE)?.publicShare
    const isShare = (scalar: Scalar) =>
      isReduced(scalar) && toHex(edwards25519.multiplyBase(scalar)) === toHex(known as Bytes)
    // Its polynomial's constant, its own share of that, the share it confirmed, and what signs.
    assert.equal(wiped.filter(isShare).length, 4)
  })

  it("sign in a later session on the device, which fetches its share from one server", async () => {
    const later = await keeper.login(OWNER)
    assert.deepEqual(await signs(later), [])
    await later.logout()
  })

  it("do not sign where the device's secret is not", async () => {
    const device = new TestDevice(seededRandomness("another device"))
    const elsewhere = await (await cluster.connect(QUICK, { deviceSecrets: device })).login(OWNER)
    const error = await refused(() => signs(elsewhere), "not-found")
    assert.equal(error.field, "deviceSecret")
    assert.match(error.message, /no secret/)
    await device.deriveOrMake(elsewhere.accountId, new Uint8Array(1))
    const other = await refused(() => signs(elsewhere), "not-found")
    assert.match(other.message, /sealed on another device/)
    await elsewhere.logout()
  })

  it("sign anywhere with the password where no device's secret was asked for", async () => {
    const open = { type: "ed25519", custody: "self", deviceSecret: false } as const
    const { key } = await session.keys.create(open)
    const device = new TestDevice(seededRandomness("a third device"))
    const elsewhere = await (await cluster.connect(QUICK, { deviceSecrets: device })).login(OWNER)
    assert.deepEqual(await signs(elsewhere, key), [])
    await elsewhere.logout()
  })

  it("sign with another holder's copy of the share where one's was altered", async () => {
    await alterCopies(cluster, session, ed25519, [1, 2], flipped)
    const later = await keeper.login(OWNER)
    await signs(later)
    await later.logout()
    await alterCopies(cluster, session, ed25519, [3], flipped)
    const none = await keeper.login(OWNER)
    const error = await refused(() => signs(none), "untrusted-server")
    assert.equal(error.field, "sealedShare")
    await none.logout()
    await alterCopies(cluster, session, ed25519, [1, 2, 3], flipped)
  })

  it("are not opened by another key's share", async () => {
    const { key } = await session.keys.create({ type: "ed25519", custody: "self" })
    const copies: Bytes[] = []
    await alterCopies(cluster, session, key, [1], (sealed) => {
      copies.push(sealed)
      return sealed
    })
    const { key: target } = await session.keys.create({ type: "ed25519", custody: "self" })
    await alterCopies(cluster, session, target, [1, 2, 3], () => copies[0] as Bytes)
    const later = await keeper.login(OWNER)
    const error = await refused(() => signs(later, target), "untrusted-server")
    assert.equal(error.field, "sealedShare")
    await later.logout()
  })

  it("sign while a server is down, and name one that signs wrongly", async () => {
    cluster.wire(1).down = true
    for (let i = 0; i < 3; i++) await signs(session)
    cluster.wire(1).down = false
    await cluster.restart(2)
    await signs(session)
    const { key } = await session.keys.create({ type: "ed25519", custody: "self" })
    await signWrongly(cluster.server(3), key.keyId)
    const named = new Set<string>()
    for (let i = 0; i < 4; i++) {
      for (const { kind, server, evidence } of await signs(session, key)) {
        if (evidence !== null) named.add(`${kind} ${server}`)
      }
    }
    assert.deepEqual([...named], ["proven 3"])
  })

  it("outlive a change of the password", async () => {
    const next = "battery staple"
    await session.changePassword({ current: OWNER.password, next })
    const later = await keeper.login({ ...OWNER, password: next })
    const { key } = await later.keys.create({ type: "ed25519", custody: "self" })
    assert.deepEqual(await signs(later, key), [])
    await later.changePassword({ current: next, next: OWNER.password })
    const again = await keeper.login(OWNER)
    await signs(again, key)
    await again.logout()
    await later.logout()
  })

  it("are made of no other kind, and with nothing that their custody has no use for", async () => {
    const cases = [
      [{ type: "ed25519", custody: "alone" as "self" }, "custody"],
      [{ type: "ed25519", deviceSecret: true }, "deviceSecret"],
      [{ type: "ecdsa-secp256k1", custody: "self" }, "custody"],
    ] as const
    for (const [options, field] of cases) {
      const error = await refused(() => session.keys.create(options), "invalid-request")
      assert.equal(error.field, field)
    }
  })
})
