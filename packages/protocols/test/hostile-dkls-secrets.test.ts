import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { PresignStep } from "../src/dkls/index.ts"
import { type PresignRun, presignSession } from "../src/dkls/presign/params.ts"
import { openPart } from "../src/dkls/presign/sealing.ts"
import { presignStateCodec } from "../src/dkls/presign/state.ts"
import {
  exchangedSecretCodec,
  openedSecretCodec,
  publishedSecretCodec,
} from "../src/dkls/presign/task.ts"
import { digestsOf } from "../src/index.ts"
import { dealtPairs, orderFor, PresignRunner, senderOf, sharesFor } from "./dkls-cluster.ts"
import { makeCluster } from "./frost-fixture.ts"

// What is left of a run for someone who has recorded all of it: the relay, a thief of setups.

const cluster = makeCluster({ keyType: "ecdsa-secp256k1", minSigners: 3, maxSigners: 3 })
const signers = [1, 2, 3]
const pairs = dealtPairs(signers)
const honest = new PresignRunner(cluster, signers, { pairs, count: 2 }).run()

function secretAfter(step: 1 | 2 | 3 | 4, signer: Identifier): Bytes {
  const state = honest.before((step + 1) as PresignStep).states.get(signer)
  assert.ok(state)
  return decode(presignStateCodec, state).secret
}

const contains = (bytes: Uint8Array, part: Uint8Array) =>
  Buffer.from(bytes).includes(Buffer.from(part))

test("what was sealed in a run opens with its own keys and with nothing that outlives it", () => {
  const opens = new Map(honest.said[0]!.map((message) => [senderOf(message), message]))
  const run: PresignRun = { params: honest.params, openings: digestsOf(opens) }
  const sessionId = presignSession(run)
  let parts = 0
  for (const step of [2, 3] as const) {
    for (const message of honest.said[step - 1]!) {
      const sender = senderOf(message)
      for (const [recipient, part] of message.sealed) {
        const place = { sessionId, step, sender, recipient }
        for (const end of [
          pairs.get(sender)!.get(recipient)!,
          pairs.get(recipient)!.get(sender)!,
        ]) {
          assert.equal(openPart(end.pairSecret, place, part), null)
        }
        const { runSecrets } = decode(exchangedSecretCodec, secretAfter(2, recipient))
        assert.ok(openPart(runSecrets.get(sender)!, place, part))
        parts += 1
      }
    }
  }
  assert.equal(parts, 12)
})

test("a run's own keys are forgotten as soon as no step needs them", () => {
  for (const signer of signers) {
    const { ephemeral } = decode(openedSecretCodec, secretAfter(1, signer))
    const { runSecrets } = decode(exchangedSecretCodec, secretAfter(2, signer))
    assert.equal(new Set([...runSecrets.values()].map((s) => s.expose().join())).size, 2)
    for (const step of [2, 3, 4] as const) {
      assert.ok(!contains(secretAfter(step, signer), ephemeral), `key after step ${step}`)
    }
    assert.equal(decode(publishedSecretCodec, secretAfter(4, signer)).runSecrets.size, 0)
    for (const secret of runSecrets.values()) {
      assert.ok(!contains(secretAfter(4, signer), secret.expose()))
    }
  }
})

test("no scalar of a presignature leaves its signer, neither before it is used nor with its share", () => {
  const scalars = signers.flatMap((signer) => {
    const { r, phi, zeta, receivers } = decode(openedSecretCodec, secretAfter(1, signer))
    const { keyShare, products } = decode(exchangedSecretCodec, secretAfter(2, signer))
    const { u, v } = decode(publishedSecretCodec, secretAfter(3, signer))
    const chi = [...receivers.values()].flatMap((state) => state.chi)
    const shares = [...products.values()].flatMap(({ cu, cv }) => [...cu, ...cv])
    return [...r, ...phi, ...zeta.values(), ...chi, keyShare, ...shares, ...u, ...v]
  })
  // 2 each of r, phi, u, v; 2 zeta, 4 chi, the key share and 8 shares of products.
  assert.equal(scalars.length, 3 * 23)
  const presignatures = signers.map((signer) => honest.presignatures.get(signer)![0]!)
  const order = orderFor(cluster, presignatures[0]!)
  const online = [...sharesFor(cluster, presignatures, order).values()]
  for (const message of [...honest.said.flat(), ...online]) {
    for (const bytes of [message.header.bytes, message.broadcast, ...message.sealed.values()]) {
      for (const scalar of scalars) {
        assert.ok(!contains(bytes, scalar))
        assert.ok(!contains(bytes, scalar.slice().reverse()))
      }
    }
  }
})

test("the shares that each signer keeps are of the products that the sums need, and of no single one", () => {
  const group = secp256k1
  const sum = (values: readonly Parameters<typeof group.addScalars>[0][]) =>
    values.reduce((a, b) => group.addScalars(a, b), group.zero)
  for (const k of [0, 1]) {
    const kept = signers.map((signer) => ({
      ...decode(publishedSecretCodec, secretAfter(3, signer)),
      ...{ r: decode(openedSecretCodec, secretAfter(1, signer)).r },
      ...{ sk: decode(exchangedSecretCodec, secretAfter(2, signer)).keyShare },
    }))
    const phi = sum(kept.map((one) => one.phi[k]!))
    const r = sum(kept.map((one) => one.r[k]!))
    const sk = sum(kept.map((one) => one.sk))
    assert.deepEqual(group.multiplyBase(sk), cluster.public.verifyingKey)
    assert.deepEqual(sum(kept.map((one) => one.u[k]!)), group.multiplyScalars(phi, r))
    assert.deepEqual(sum(kept.map((one) => one.v[k]!)), group.multiplyScalars(phi, sk))
    for (const one of kept) {
      assert.notDeepEqual(one.u[k], group.multiplyScalars(one.phi[k]!, one.r[k]!))
      assert.notDeepEqual(one.v[k], group.multiplyScalars(one.phi[k]!, one.sk))
    }
    const { record } = honest.presignatures.get(1)![k]!.certificate
    assert.deepEqual(record.nonce, group.multiplyBase(r))
  }
})
