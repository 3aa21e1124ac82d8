import assert from "node:assert/strict"
import { test } from "node:test"
import { encodeRosterChain, OWNER_DEVICE } from "@lockkeeper/api"
import { groupByName, type Identifier, Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import {
  confirmAddition,
  confirmKey,
  type KeyCertificate,
  type PublicKeyPackage,
  reshare,
  sharing,
} from "@lockkeeper/protocols"
import { openListing } from "../src/key-info.ts"
import { trustRoster } from "../src/trust.ts"
import type { TestCluster } from "./cluster.ts"
import { goOnTo, logIn, type Shape, startMoving } from "./moving-cluster.ts"

const TWO_OF_THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const THREE_OF_FIVE: Shape = { holders: [1, 2, 3, 4, 5], minSigners: 3 }
/** Custodial keys do not depend on it. */
const OWNER = new Uint8Array(32)
const FACTS = {
  label: "mine",
  custody: { kind: "custodial" },
  state: "active",
  createdAt: 5,
} as const

/** What the owner makes of a listing that these servers made up by themselves; null where it is believed. */
function reasonFor(
  cluster: TestCluster,
  like: PublicKeyPackage,
  liars: readonly Identifier[],
  rosterEpoch: number,
): string | null {
  const { generator } = groupByName(like.group)
  const verifyingShares = new Map(liars.map((id) => [id, generator]))
  const made = { rosterEpoch, minSigners: liars.length, verifyingKey: generator, verifyingShares }
  const pkg: PublicKeyPackage = { ...like, ...made }
  const sign = (id: Identifier) => confirmKey(cluster.server(id).self.identity, pkg)
  const confirmations = new Map(liars.map((id) => [id, sign(id)]))
  return reasonOf(cluster, { public: pkg, confirmations })
}

function ownerOf({ public: { additive } }: KeyCertificate): Bytes {
  return additive.get(OWNER_DEVICE)?.identityKey ?? OWNER
}

function reasonOf(
  { rosterChain, pin }: Pick<TestCluster, "rosterChain" | "pin">,
  certificate: Parameters<typeof openListing>[2] & { readonly public: PublicKeyPackage },
): string | null {
  const facts = { keyId: certificate.public.keyId, ...FACTS }
  const reader = { trust: trustRoster(rosterChain, pin), owner: OWNER }
  const opened = openListing(reader, facts, certificate)
  return "reason" in opened ? opened.reason : null
}

test("servers that join while the threshold rises show no key of their own as an owner's", async () => {
  const { cluster, keys } = await startMoving(TWO_OF_THREE, ["ed25519"])
  const [key] = keys
  assert.ok(key)
  await goOnTo(cluster, THREE_OF_FIVE)
  const { certificate } = key
  assert.equal(reasonFor(cluster, certificate.public, [4, 5], 2), "wrong-threshold")
  // Named after a roster that does not list them, or after none.
  assert.equal(reasonFor(cluster, certificate.public, [4, 5], 1), "unknown-sender")
  assert.equal(reasonFor(cluster, certificate.public, [4, 5], 9), "wrong-roster-epoch")
  // What was made as the roster of then asked for is believed until it has moved.
  assert.equal(reasonOf(cluster, certificate), null)
})

test("servers that leave while it falls show none either", async () => {
  const { cluster, keys } = await startMoving(THREE_OF_FIVE, ["ed25519"])
  const [key] = keys
  assert.ok(key)
  await goOnTo(cluster, TWO_OF_THREE)
  const { certificate } = key
  assert.equal(reasonFor(cluster, certificate.public, [4, 5], 2), "wrong-participants")
  assert.equal(reasonFor(cluster, certificate.public, [4, 5], 1), "wrong-threshold")
  assert.equal(reasonOf(cluster, certificate), null)
})

test("a key of a roster that the chain does not reach back to is believed no more", async () => {
  const { cluster, keys } = await startMoving(TWO_OF_THREE, ["ed25519"])
  const [key] = keys
  assert.ok(key)
  await cluster.changeRoster({ refreshHours: 24 })
  const { pin, signed } = cluster
  const rosterChain = encodeRosterChain([signed])
  assert.equal(reasonOf(cluster, key.certificate), null)
  assert.equal(reasonOf({ rosterChain, pin }, key.certificate), "wrong-roster-epoch")
})

test("a key that is said to be in another custody than its certificate has it is not believed", async () => {
  const { cluster } = await startMoving(TWO_OF_THREE, [])
  const session = await logIn(cluster)
  const trust = trustRoster(cluster.rosterChain, cluster.pin)
  const custodies = {
    custodial: { kind: "custodial" },
    self: { kind: "self", sealedShare: new Uint8Array(99) },
  } as const
  for (const custody of ["custodial", "self"] as const) {
    const { key } = await session.keys.create({ type: "ed25519", custody })
    const { keyId, certificate } = key
    const owner = ownerOf(certificate)
    for (const said of ["custodial", "self"] as const) {
      const facts = { keyId, ...FACTS, custody: custodies[said] }
      const opened = openListing({ trust, owner }, facts, certificate)
      const reason = "reason" in opened ? opened.reason : null
      assert.equal(reason, said === custody ? null : "wrong-custody", `${said} for ${custody}`)
    }
  }
})

test("all servers together show no key of theirs as one that the owner's device has a share of", async () => {
  const { cluster } = await startMoving(TWO_OF_THREE, [])
  const session = await logIn(cluster)
  const { key } = await session.keys.create({ type: "ed25519", custody: "self" })
  const { public: before, confirmations: made } = key.certificate
  const group = groupByName(before.group)
  const { generator } = group
  const said = (
    change: Partial<PublicKeyPackage>,
    confirmations: KeyCertificate["confirmations"],
  ) => {
    const verifyingShares = new Map(key.holders.map((id) => [id, generator]))
    // They know its secret: what the device has is subtracted from the sharing.
    const theirs = { keyEpoch: 2, verifyingKey: group.multiplyBase(group.scalarFromInteger(77)) }
    const pkg: PublicKeyPackage = { ...before, ...theirs, verifyingShares, ...change }
    const root = sharing.sharingDigest(sharing.sharingOfKey(pkg))
    const outcome = { rosterEpoch: pkg.rosterEpoch, size: 1, root }
    const sign = (id: Identifier) =>
      reshare.confirmOutcome(cluster.server(id).self.identity, outcome)
    const signed = key.holders.map((id) => [id, sign(id)] as const)
    const certificate: KeyCertificate = {
      public: pkg,
      confirmations: new Map([...signed, ...confirmations]),
      batch: { index: 0, size: 1, path: [] },
    }
    const custody = { kind: "self", sealedShare: new Uint8Array(99) } as const
    const trust = trustRoster(cluster.rosterChain, cluster.pin)
    const reader = { trust, owner: ownerOf(key.certificate) }
    const opened = openListing(reader, { keyId: key.keyId, ...FACTS, custody }, certificate)
    return "reason" in opened ? opened.reason : null
  }
  const own = new Map([[OWNER_DEVICE, made.get(OWNER_DEVICE) as Bytes]])
  const { verifyingKey } = before
  assert.equal(said({ verifyingKey }, own), null)
  assert.equal(said({ verifyingKey }, new Map()), "missing-confirmation")
  assert.equal(said({}, new Map()), "missing-confirmation")
  assert.equal(said({}, own), "wrong-confirmation")
  const five = group.multiplyBase(group.scalarFromInteger(5))
  const stranger = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(1)))
  const device = { publicShare: generator, identityKey: stranger.publicKey }
  const additive = new Map([[OWNER_DEVICE, device]])
  const pkg = { ...before, verifyingKey: five, additive }
  const theirs = new Map([[OWNER_DEVICE, confirmAddition(stranger, pkg)]])
  assert.equal(said({ verifyingKey: five, additive }, theirs), "wrong-custody")
})
