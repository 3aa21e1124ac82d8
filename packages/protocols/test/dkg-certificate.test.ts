import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import {
  type AdditiveShare,
  confirmAddition,
  confirmKey,
  type KeyCertificate,
  type KeyPackage,
  keyCertificateCodec,
  keyPackageCodec,
  publicKeyPackageCodec,
  verifyKeyCertificate,
} from "../src/index.ts"
import { driveHonest, paramsFor } from "./dkg-cluster.ts"
import { identity, rosterOf, seeded } from "./messages-fixtures.ts"

const { task, keys } = driveHonest(paramsFor(2, [1, 2, 3], "bip340"), "run")
assert.ok(task.kind === "activate")
const certificate: KeyCertificate = task.certificate
const roster = rosterOf([1, 2, 3])

function deviceOf(identifier: number): AdditiveShare {
  const publicShare = certificate.public.verifyingShares.get(1)!
  return { publicShare, identityKey: identity(identifier).publicKey }
}

function refused(changed: KeyCertificate): string {
  const outcome = verifyKeyCertificate(changed, roster)
  assert.ok(!outcome.ok)
  assert.deepEqual(outcome.abort.culprits, [])
  return outcome.abort.reason
}

test("a certificate stands only with everyone's signature on the same package", () => {
  assert.ok(verifyKeyCertificate(certificate, roster).ok)
  const { public: pkg, confirmations } = certificate
  const without = new Map([...confirmations].slice(1))
  assert.equal(refused({ public: pkg, confirmations: without }), "missing-confirmation")
  const extra = new Map(confirmations).set(4, confirmKey(identity(4), pkg))
  assert.equal(refused({ public: pkg, confirmations: extra }), "unexpected-confirmation")
  const swapped = new Map(confirmations).set(1, confirmations.get(2)!)
  assert.equal(refused({ public: pkg, confirmations: swapped }), "wrong-confirmation")
  const unknown = verifyKeyCertificate(certificate, rosterOf([1, 2]))
  assert.ok(!unknown.ok && unknown.abort.reason === "unknown-sender")
})

test("every field of the package is under the signatures", () => {
  const { public: pkg } = certificate
  const [one, two] = [pkg.verifyingShares.get(1)!, pkg.verifyingShares.get(2)!]
  const changes: readonly Partial<KeyCertificate["public"]>[] = [
    { keyId: seeded("another", 32) },
    { keyType: "frost-secp256k1" },
    { keyEpoch: 2 },
    { rosterEpoch: 8 },
    { minSigners: 3 },
    { verifyingKey: one },
    { verifyingShares: new Map(pkg.verifyingShares).set(1, two) },
  ]
  for (const change of changes) {
    const changed = { ...certificate, public: { ...pkg, ...change } }
    assert.equal(refused(changed), "wrong-confirmation", Object.keys(change)[0])
  }
  const additive = { ...certificate, public: { ...pkg, additive: new Map([[9, deviceOf(9)]]) } }
  assert.equal(refused(additive), "missing-confirmation")
})

test("an additive participant confirms like a holder", () => {
  const device = 50_000
  const pkg = { ...certificate.public, additive: new Map([[device, deviceOf(device)]]) }
  const signers = [1, 2, 3, device]
  const confirmations = new Map(signers.map((i) => [i, confirmKey(identity(i), pkg)]))
  confirmations.set(device, confirmAddition(identity(device), pkg))
  assert.ok(verifyKeyCertificate({ public: pkg, confirmations }, rosterOf([1, 2, 3])).ok)
})

test("an additive participant under a server's number confirms with the server's key alone", () => {
  const pkg = { ...certificate.public, additive: new Map([[4, deviceOf(50_000)]]) }
  const confirmations = new Map([1, 2, 3].map((i) => [i, confirmKey(identity(i), pkg)]))
  confirmations.set(4, confirmAddition(identity(50_000), pkg))
  const outcome = verifyKeyCertificate({ public: pkg, confirmations }, rosterOf([1, 2, 3, 4]))
  assert.ok(!outcome.ok)
  assert.deepEqual(
    [outcome.abort.reason, outcome.abort.field],
    ["wrong-confirmation", "confirmations.4"],
  )
})

test("packages and certificates are canonical, and impossible ones have no decoding", () => {
  const encoded = encode(keyCertificateCodec, certificate)
  assert.deepEqual(encode(keyCertificateCodec, decode(keyCertificateCodec, encoded)), encoded)
  const key = keys.get(1) as KeyPackage
  const stored = encode(keyPackageCodec, key)
  assert.deepEqual(encode(keyPackageCodec, decode(keyPackageCodec, stored)), stored)
  assert.equal(String(decode(keyPackageCodec, stored).signingShare), "[redacted]")

  const { public: pkg } = certificate
  const impossible = [
    { ...pkg, minSigners: 0 },
    { ...pkg, minSigners: 4 },
    { ...pkg, additive: new Map([[1, deviceOf(9)]]) },
  ]
  for (const wrong of impossible) {
    const bytes = encode(publicKeyPackageCodec, wrong)
    assert.throws(() => decode(publicKeyPackageCodec, bytes), DecodeError)
  }
  const stranger = encode(keyPackageCodec, { ...key, identifier: 4 })
  assert.throws(() => decode(keyPackageCodec, stranger), DecodeError)
  const unreduced = new Uint8Array(stored)
  unreduced.fill(0xff, -32)
  assert.throws(() => decode(keyPackageCodec, unreduced), DecodeError)
})
