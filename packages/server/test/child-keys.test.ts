import assert from "node:assert/strict"
import { test } from "node:test"
import { deriveBody, LockKeeperError, MAX_CHILDREN, signBody, signStepInput } from "@lockkeeper/api"
import { secp256k1, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, encode, fromHex, toHex, u32, utf8 } from "@lockkeeper/encoding"
import { deriveChild, frost, type KeyCertificate } from "@lockkeeper/protocols"
import { bitcoinInputDigest } from "@lockkeeper/transactions"
import { ecdsaDigest, frostContent } from "../src/content.ts"
import { actAt, refusal } from "./ecdsa-flows.ts"
import { createKey, signWith } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"
import { BIP86_KEY, taprootPsbt } from "./psbts.ts"

async function ready() {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const derive = async (keyId: Bytes, path: readonly number[], at: readonly TestSession[]) => {
    const request = owner.sign(owner.request("keys.derive", encode(deriveBody, { keyId, path })))
    for (const session of at) await actAt(session, request)
  }
  return { owner, sessions, derive }
}

test("a child of an Ed25519 key signs once it is registered, and not before", async () => {
  const { owner, sessions, derive } = await ready()
  const certificate: KeyCertificate = await createKey(owner, sessions, "ed25519")
  const pair = sessions.slice(0, 2)
  const path = [3, 1]
  const message = utf8("a message")
  const early = signWith(owner, pair, certificate, message, path)
  assert.equal(await refusal(early), "not-found body.path")
  await derive(certificate.public.keyId, path, sessions)
  const signature = await signWith(owner, pair, certificate, message, path)
  const { verifyingKey } = deriveChild(certificate.public, path)
  assert.ok(verifySignature(verifyingKey, message, signature))
  assert.ok(!verifySignature(certificate.public.verifyingKey, message, signature))
  // Its sibling is not registered with it, nor is its parent.
  for (const other of [[3, 2], [3], [3, 1, 0]]) {
    assert.equal(
      await refusal(signWith(owner, pair, certificate, message, other)),
      "not-found body.path",
    )
  }
})

test("a key has a bounded number of children, and the bound is the key's own", async () => {
  const { owner, sessions, derive } = await ready()
  const [first] = sessions as [TestSession]
  const { keyId } = (await createKey(owner, sessions, "ed25519")).public
  await derive(keyId, [0], [first])
  const { store } = first.to
  const id = toHex(keyId)
  const count = await store.read("children", id)
  assert.ok(count)
  const value = encode(u32, MAX_CHILDREN)
  const ifVersion = count.version
  await store.commit([{ kind: "put", table: "children", id, ifVersion, value }])
  assert.equal(await refusal(derive(keyId, [1], [first])), "rate-limited body.path")
  // One that is registered, and the key itself, take no room.
  await derive(keyId, [0], [first])
  await derive(keyId, [], [first])
  const other = await createKey(owner, sessions, "ed25519")
  await derive(other.public.keyId, [1], [first])
})

test("a Taproot input is signed for its own key and Merkle root alone", () => {
  const key = secp256k1.decodeElement(fromHex(`02${BIP86_KEY}`))
  const psbt = taprootPsbt()
  const taproot = { kind: "bitcoin-input", psbt, input: 0 } as const
  const { digest } = bitcoinInputDigest({ psbt, input: 0, publicKey: key })
  const empty = new Uint8Array(0)
  const found = frostContent("bip340", taproot, empty, key)
  assert.deepEqual(found, { message: digest, tweak: { kind: "key-path" } })
  const refuses = (run: () => unknown, field: string): void => {
    assert.throws(run, (error) => error instanceof LockKeeperError && error.field === field)
  }
  refuses(() => frostContent("bip340", taproot, null, key), "body.merkleRoot")
  refuses(() => frostContent("bip340", taproot, digest, key), "body.merkleRoot")
  const segwit = { ...taproot, input: 1 }
  refuses(() => frostContent("bip340", segwit, null, key), "body.content")
  refuses(() => ecdsaDigest(taproot, key), "body.content")
  refuses(() => frostContent("ed25519", taproot, null, key), "body.content")
  const short = { kind: "message", message: digest.slice(1) } as const
  refuses(() => frostContent("bip340", short, null, key), "body.content.message")
  refuses(
    () => frostContent("bip340", { kind: "evm-message", message: empty }, null, key),
    "body.content",
  )
  const odd = { kind: "message", message: digest } as const
  refuses(() => frostContent("bip340", odd, digest.slice(1), key), "body.merkleRoot")
})

test("an ECDSA key does not sign with FROST", async () => {
  const { owner, sessions } = await ready()
  const certificate = await createKey(owner, sessions, "ecdsa-secp256k1")
  const digest = new Uint8Array(32).fill(1)
  const signing = signWith(owner, sessions.slice(0, 2), certificate, digest)
  assert.equal(await refusal(signing), "invalid-request body.keyId")
  const { keyId } = certificate.public
  const content = { kind: "message", message: digest } as const
  const body = encode(signBody, { keyId, path: [], merkleRoot: null, content })
  const signingPackage = encode(frost.signingPackageCodec, {
    ...{ keyId, keyEpoch: 1, rosterEpoch: 1, requestDigest: digest, attempt: 1, message: digest },
    ...{ tweak: frost.NO_TWEAK, path: [], commitments: [] },
  })
  const input = encode(signStepInput, { signingPackage, prepare: 0 })
  const request = owner.sign(owner.request("sign", body))
  assert.equal(
    await refusal(actAt(sessions[0] as TestSession, request, 1, input)),
    "invalid-request body.keyId",
  )
})
