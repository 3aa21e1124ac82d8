import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { partialSignatureCodec } from "../src/dkls/codec.ts"
import type { EcdsaOrder, PartialSignature, Presignature } from "../src/dkls/index.ts"
import { encodeEvidence, type Message, verifyEvidence } from "../src/index.ts"
import { combine, orderFor, presign, sharesFor, verdictsOf } from "./dkls-cluster.ts"
import { assertAbort, makeCluster, participant, seeded } from "./frost-fixture.ts"
import { rewrite } from "./messages-fixtures.ts"

// Online shares in the hands of a coordinator, who has the last signer on its side.

const group = secp256k1
const cluster = makeCluster({ keyType: "ecdsa-secp256k1" })
const signers = [1, 3]
const LIAR = 3
const other = makeCluster({ keyType: "ecdsa-secp256k1", secret: seeded("twin") })

interface Signing {
  readonly presignatures: readonly Presignature[]
  readonly order: EcdsaOrder
  readonly shares: ReadonlyMap<Identifier, Message>
}

function signings(count: number, seed = "batch"): Signing[] {
  const batch = presign(cluster, signers, { count, seed })
  return Array.from({ length: count }, (_, k) => {
    const presignatures = signers.map((signer) => batch.get(signer)![k]!)
    const order = orderFor(cluster, presignatures[0]!, { seed: `order ${k}`, path: k ? [k] : [] })
    return { presignatures, order, shares: sharesFor(cluster, presignatures, order) }
  })
}

function shareIn(message: Message): PartialSignature {
  return decode(partialSignatureCodec, message.broadcast)
}

test("a last share that makes a sum zero makes no signature, and names its signer", () => {
  for (const { presignatures, order, shares } of signings(2)) {
    const theirs = shareIn(shares.get(1)!)
    for (const change of [
      { u: group.negateScalar(theirs.u) },
      { w: group.negateScalar(theirs.w) },
      { u: group.zero as Scalar, w: group.zero as Scalar },
    ]) {
      const share = { ...shareIn(shares.get(LIAR)!), ...change }
      const broadcast = encode(partialSignatureCodec, share)
      const { identity } = participant(cluster, LIAR)
      const message = rewrite(shares.get(LIAR)!, identity, { broadcast })
      const outcome = combine(
        cluster,
        presignatures[0]!,
        order,
        new Map([...shares, [LIAR, message]]),
      )
      const abort = assertAbort(outcome, "invalid-partial-signature", { culprits: [LIAR] })
      const verdict = { valid: true, culprit: LIAR, reason: "invalid-partial-signature" }
      assert.deepEqual(verdictsOf(abort, cluster), [verdict])
    }
  }
})

test("no evidence composed of several honest signatures names anyone", () => {
  const all = signings(2)
  const orders = all.flatMap(({ order }, k) => [
    order,
    { ...order, attempt: 2 },
    { ...order, digest: seeded("another message") },
    { ...order, path: [7] },
    { ...order, requestDigest: seeded("another request") },
    { ...order, nonces: all[(k + 1) % 2]!.order.nonces },
    { ...order, presignatureId: all[(k + 1) % 2]!.order.presignatureId },
  ])
  let judged = 0
  for (const { presignatures } of all) {
    const { certificate } = presignatures[0]!
    for (const order of orders) {
      for (const share of all.flatMap(({ shares }) => [...shares.values()])) {
        for (const keyCertificate of [cluster.certificate, other.certificate]) {
          const evidence = {
            kind: "dkls-share",
            keyCertificate,
            certificate,
            order,
            share,
          } as const
          const verdict = verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
          assert.ok(!verdict.valid)
          judged += 1
        }
      }
    }
  }
  assert.equal(judged, 2 * 14 * 4 * 2)
})

test("shares of different orders and presignatures never add up, whichever are mixed", () => {
  const [a, b] = signings(2) as [Signing, Signing]
  for (const [first, second] of [
    [a, b],
    [b, a],
  ] as const) {
    const mixed = new Map([...first.shares, [LIAR, second.shares.get(LIAR)!]])
    for (const order of [first.order, { ...first.order, path: second.order.path }]) {
      const outcome = combine(cluster, first.presignatures[0]!, order, mixed)
      assert.ok(!outcome.ok)
      assert.deepEqual([outcome.abort.culprits, outcome.abort.evidence], [[], []])
    }
  }
})
