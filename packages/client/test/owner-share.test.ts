import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { keyListing, LockKeeperError, OWNER_DEVICE } from "@lockkeeper/api"
import { edwards25519, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { PublicKeyPackage } from "@lockkeeper/protocols"
import { IncidentLog } from "../src/incidents.ts"
import type { KeyInfo } from "../src/key-info.ts"
import { openOwnerShare, sealOwnerShare } from "../src/owner-share.ts"
import { OwnerShares } from "../src/owner-shares.ts"
import type { Principal } from "../src/principal.ts"
import { seededRandomness, TestCluster } from "./cluster.ts"
import { TestDevice } from "./device-secrets.ts"
import { refused } from "./refusals.ts"
import { scriptedPrincipal } from "./scripted-principal.ts"

const filled = (byte: number): Bytes => new Uint8Array(32).fill(byte)
const secret = (byte: number): Secret => new Secret(filled(byte))
const place = { accountId: filled(1), keyId: filled(2) }
const device = new TestDevice(seededRandomness("a device"))
const SHARE = edwards25519.scalarFromInteger(12_345)

async function sealed(devices: TestDevice | null = device): Promise<Bytes> {
  const sealing = { place, storageKey: secret(3), devices }
  return sealOwnerShare(sealing, Secret.copyOf(SHARE), filled(4))
}

async function opens(encoded: Bytes, change: object = {}): Promise<string> {
  const sealing = { place, storageKey: secret(3), devices: device, ...change }
  const outcome = await openOwnerShare(sealing, encoded)
  if (typeof outcome === "string") return outcome
  assert.deepEqual(outcome.expose(), SHARE)
  return "opened"
}

describe("a sealed owner's share", () => {
  it("opens for its account, key, storage key and device, and for no others", async () => {
    for (const devices of [device, null]) {
      const encoded = await sealed(devices)
      assert.equal(await opens(encoded), "opened")
      assert.equal(await opens(encoded, { storageKey: secret(9) }), "altered")
      const otherKey = { ...place, keyId: filled(9) }
      assert.equal(await opens(encoded, { place: otherKey }), "altered")
    }
    const encoded = await sealed()
    const nobody = new TestDevice(seededRandomness("another device"))
    assert.equal(await opens(encoded, { devices: nobody }), "no-device-secret")
    await nobody.deriveOrMake(place.accountId, filled(5))
    assert.equal(await opens(encoded, { devices: nobody }), "other-device-secret")
    const unprotected = await sealed(null)
    assert.equal(await opens(unprotected, { devices: nobody }), "opened")
    const other = { ...place, accountId: filled(9) }
    assert.equal(await opens(unprotected, { place: other }), "altered")
  })

  it("shows any change of any byte", async () => {
    const encoded = await sealed()
    for (const [i, byte] of encoded.entries()) {
      const changed = encoded.with(i, byte ^ 1)
      assert.notEqual(await opens(changed), "opened", `byte ${i}`)
    }
    assert.equal(await opens(encoded.slice(1)), "malformed")
    assert.equal(await opens(encoded.with(0, 2)), "malformed")
  })

  it("has nothing of the share in it, nor of what it is sealed under", async () => {
    const encoded = Buffer.from(await sealed())
    assert.equal(encoded.indexOf(Buffer.from(SHARE)), -1)
    assert.equal(encoded.indexOf(Buffer.from(filled(3))), -1)
  })
})

/** Keys' owner, towards servers that each list a key with this sealed share. */
async function ownerOf(copies: (server: number) => Bytes | null) {
  const cluster = await TestCluster.start()
  const key = keyOf()
  const scripted = scriptedPrincipal(cluster, (server) => {
    const sealedShare = copies(server)
    if (sealedShare === null) return null
    return encode(keyListing, {
      ...{ keyId: key.keyId, label: "", custody: { kind: "self", sealedShare } },
      ...{ state: "active", createdAt: 1, certificate: new Uint8Array(0) },
    })
  })
  const { accountId } = place
  const own = { accountId, keys: { storageKey: secret(3), signingSeed: secret(8) } }
  const principal = Object.assign(scripted, own) as Principal
  const { signal } = new AbortController()
  return { principal, key, signal, incidents: new IncidentLog(principal.servers) }
}

async function fetched(copies: (server: number) => Bytes | null) {
  const { principal, key, signal, incidents } = await ownerOf(copies)
  try {
    const share = await new OwnerShares(principal).of(key, { signal, incidents })
    assert.deepEqual(share.expose(), SHARE)
    return {
      error: null,
      incidents: incidents.all.map(({ server, reason }) => `${server} ${reason}`),
    }
  } catch (error) {
    assert.ok(error instanceof LockKeeperError)
    const all = incidents.all.map(({ server, reason }) => `${server} ${reason}`)
    return { error, incidents: all.sort() }
  }
}

function keyOf(): KeyInfo {
  const publicShare = edwards25519.multiplyBase(SHARE)
  const additive = new Map([[OWNER_DEVICE, { publicShare, identityKey: filled(7) }]])
  const pkg: Pick<PublicKeyPackage, "group" | "additive"> = { group: "edwards25519", additive }
  const key = { keyId: place.keyId, holders: [1, 2, 3], certificate: { public: pkg } }
  return key as unknown as KeyInfo
}

describe("an owner's share from the servers", () => {
  const another = (share: number) => {
    const sealing = { place, storageKey: secret(3), devices: null }
    const scalar = edwards25519.scalarFromInteger(share)
    return sealOwnerShare(sealing, new Secret(scalar), filled(6))
  }

  it("is the one that the certificate speaks of, and no other that the owner sealed", async () => {
    const wrong = await another(54_321)
    const { error, incidents } = await fetched(() => wrong)
    assert.deepEqual([error?.code, error?.field], ["untrusted-server", "sealedShare"])
    assert.deepEqual(
      incidents,
      [1, 2, 3].map((one) => `${one} wrong-share owner's share`),
    )
  })

  it("is taken from whoever shows it, and the others are said to show another", async () => {
    const [right, wrong] = [await another(12_345), await another(54_321)]
    const { incidents, error } = await fetched((server) => (server === 3 ? right : wrong))
    assert.equal(error, null)
    for (const one of incidents) assert.match(one, /^[12] wrong-share owner's share$/)
  })

  it("is each caller's own: two that sign at once leave each other's as they are", async () => {
    const right = await another(12_345)
    const { principal, key, ...context } = await ownerOf(() => right)
    const shares = new OwnerShares(principal)
    const first = await Promise.all([shares.of(key, context), shares.of(key, context)])
    const later = await shares.of(key, context)
    for (const share of [...first, later]) assert.deepEqual(share.expose(), SHARE)
    shares.clear()
    for (const share of [...first, later]) assert.deepEqual(share.expose(), SHARE)
  })

  it("is not found where no server answers", async () => {
    const { error } = await fetched(() => null)
    assert.equal(error?.code, "not-enough-servers")
  })

  it("names the device's secret where that alone is missing", async () => {
    const elsewhere = new TestDevice(seededRandomness("elsewhere"))
    await elsewhere.deriveOrMake(place.accountId, filled(5))
    const cluster = await TestCluster.start()
    const keeper = await cluster.connect({}, { deviceSecrets: elsewhere })
    await keeper.register({ name: "alice", password: "right" })
    const session = await keeper.login({ name: "alice", password: "right" })
    const { key } = await session.keys.create({ type: "ed25519", custody: "self" })
    const login = { name: "alice", password: "right" }
    const here = await (await cluster.connect()).login(login)
    const message = filled(9)
    const error = await refused(() => here.sign({ keyId: key.keyId, message }), "not-found")
    assert.equal(error.field, "deviceSecret")
  })
})
