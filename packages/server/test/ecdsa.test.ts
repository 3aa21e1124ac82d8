import assert from "node:assert/strict"
import { before, test } from "node:test"
import { MAX_PRESIGNATURES, pairStates, type SignContent } from "@lockkeeper/api"
import { type Bytes, decode, equalBytes } from "@lockkeeper/encoding"
import { deriveChild, ecdsa } from "@lockkeeper/protocols"
import { bitcoinInputDigest } from "@lockkeeper/transactions"
import {
  actAt,
  at,
  DIGEST,
  deriveChildAt,
  type EcdsaWorld,
  EMPTY,
  prepareAt,
  prepareSet,
  presignAt,
  readyAt,
  refusal,
  setUpPairs,
  shareAt,
  signEcdsaWith,
  signRequestOf,
  startEcdsa,
  statusAt,
} from "./ecdsa-flows.ts"
import { p2wpkhPsbt } from "./psbts.ts"
import { EVM_CONTENTS } from "./signed-contents.ts"

let world: EcdsaWorld

before(async () => {
  world = await startEcdsa()
})

const SETS = [
  [1, 2],
  [1, 3],
  [2, 3],
] as const

for (const signers of SETS) {
  test(`servers ${signers.join(" and ")} presign a batch and sign with it`, async () => {
    await presignAt(world, signers)
    for (const server of signers) assert.equal(await readyAt(world, server, signers), 2)
    const signature = await signEcdsaWith(world, await prepareSet(world, signers))
    const { verifyingKey } = world.certificate.public
    assert.ok(ecdsa.verifyEcdsa(verifyingKey, DIGEST, signature))
    for (const server of signers) assert.equal(await readyAt(world, server, signers), 1)
  })
}

test("a registered child signs, and its key is the one that everyone derives", async () => {
  const path = [44, 0, 7]
  await presignAt(world, [1, 2])
  const prepared = await prepareSet(world, [1, 2])
  const signing = { content: { kind: "message", message: DIGEST } as const, path }
  const unregistered = shareAt(world, 1, signRequestOf(world, signing), prepared)
  assert.equal(await refusal(unregistered), "not-found body.path")
  await deriveChildAt(world, path)
  // A second time changes nothing.
  await deriveChildAt(world, path)
  const signature = await signEcdsaWith(world, prepared, DIGEST, signing)
  const child = deriveChild(world.certificate.public, path)
  assert.deepEqual(signature.publicKey, child.verifyingKey)
  assert.ok(ecdsa.verifyEcdsa(child.verifyingKey, DIGEST, signature))
})

/** One input of a PSBT that spends an output of the key. */
function bitcoinInput(): { content: SignContent; digest: Bytes } {
  const publicKey = world.certificate.public.verifyingKey
  const psbt = p2wpkhPsbt(publicKey)
  const input = bitcoinInputDigest({ psbt, input: 0, publicKey })
  return { content: { kind: "bitcoin-input", psbt, input: 0 }, digest: input.digest }
}

test("every kind of content is signed as other implementations have its digest", async () => {
  const known = [...EVM_CONTENTS, { name: "a P2WPKH input", ...bitcoinInput() }]
  assert.equal(known.length, 7)
  await presignAt(world, [1, 2], 8)
  for (const { name, content, digest } of known) {
    const prepared = await prepareSet(world, [1, 2])
    const signature = await signEcdsaWith(world, prepared, digest, { content })
    const { verifyingKey } = world.certificate.public
    assert.ok(ecdsa.verifyEcdsa(verifyingKey, digest, signature), name)
  }
})

test("an answer brings what the next signature takes", async () => {
  await presignAt(world, [1, 3], 2)
  const prepared = await prepareSet(world, [1, 3])
  const next = await prepareAt(world, 1, [1, 3], 3)
  assert.equal(next.nonces.length, 3)
  assert.ok(next.presignatures.length > 0)
  // Offered to one caller: nobody else is offered the same for a minute.
  const others = await prepareAt(world, 1, [1, 3], 16)
  const offered = [prepared.presignature, ...next.presignatures]
  for (const one of others.presignatures) {
    assert.ok(!offered.some((other) => equalBytes(other, one)))
  }
  // Only the set's first signer offers any.
  assert.deepEqual((await prepareAt(world, 3, [1, 3])).presignatures, [])
  world.owner.cluster.clock.time += 60_000
  const later = await prepareAt(world, 1, [1, 3], 16)
  assert.ok(later.presignatures.some((one) => equalBytes(one, prepared.presignature)))
})

test("a pool's state says what is ready, its bounds, and how the pairs stand", async () => {
  const status = await statusAt(world, 2)
  assert.equal(status.cap, MAX_PRESIGNATURES)
  assert.equal(status.maxAgeMs, 24 * 3_600_000)
  assert.equal(status.busy, 0)
  assert.deepEqual(status.pairs, [
    { peer: 1, state: "live" },
    { peer: 3, state: "live" },
  ])
  const { owner, sessions } = world
  const shown = await actAt(at(sessions, 2), owner.sign(owner.request("pairs.show", EMPTY)))
  assert.deepEqual(decode(pairStates, shown), status.pairs)
})

test("setting pairs up again keeps those that both ends have", async () => {
  const { server, store } = at(world.sessions, 1).to
  const beforehand = await store.scan("pairs", "", "", 256)
  await setUpPairs(world)
  assert.deepEqual(await store.scan("pairs", "", "", 256), beforehand)
  assert.ok(server.counters.counts().get("pairs-set-up") === 2)
})

test("three of five servers presign a batch among all of them and sign", async () => {
  const other = await startEcdsa({ servers: 5, minSigners: 3 })
  const signers = [1, 3, 5]
  await presignAt(other, signers, 8)
  const prepared = await prepareSet(other, signers)
  const signature = await signEcdsaWith(other, prepared)
  assert.ok(ecdsa.verifyEcdsa(other.certificate.public.verifyingKey, DIGEST, signature))
  for (const server of signers) assert.equal(await readyAt(other, server, signers), 7)
  assert.equal(await readyAt(other, 2, signers), 0)
})
