import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { partialSignatureCodec } from "../src/dkls/codec.ts"
import {
  checkDigest,
  checkOrder,
  type EcdsaOrder,
  ecdsaNonce,
  ecdsaOrderCodec,
  ecdsaSign,
  nonceIn,
  type PartialSignature,
  type Presignature,
  presignatureCertificateCodec,
  presignatureCodec,
  recordDigest,
  verifyPresignatureCertificate,
} from "../src/dkls/index.ts"
import { orderDigest } from "../src/dkls/online/order.ts"
import {
  type AbortReason,
  encodeEvidence,
  headerCodec,
  LIMITS,
  type Message,
  verifyEvidence,
} from "../src/index.ts"
import { combine, orderFor, presign, shareOf, sharesFor, verdictsOf } from "./dkls-cluster.ts"
import { abortOf, makeCluster, participant, ROSTER_EPOCH, seeded, value } from "./frost-fixture.ts"
import { resign, withSealedPart } from "./frost-tamper.ts"
import { flip } from "./messages-fixtures.ts"

const group = secp256k1
const cluster = makeCluster({ keyType: "ecdsa-secp256k1", additive: [9] })
const signers = [1, 2, 9]
const { verifyKeys, public: key } = cluster
const batch = presign(cluster, signers, { count: 8 })

/** Presignatures as storage gives them back: a fresh copy for each test, of one place in the batch. */
function taken(index: number): Presignature[] {
  return [...batch.values()].map((each) =>
    decode(presignatureCodec, encode(presignatureCodec, each[index]!)),
  )
}

function session(index = 0, seed = "order") {
  const presignatures = taken(index)
  const order = orderFor(cluster, presignatures[0]!, { seed, path: [3, 1] })
  return { presignatures, order, first: presignatures[0]! }
}

function honestShares(index = 0, seed = "order") {
  const { presignatures, order, first } = session(index, seed)
  return { order, first, shares: sharesFor(cluster, presignatures, order) }
}

const plus = (scalar: Scalar): Scalar => group.addScalars(scalar, group.one)

function lies(
  message: Message,
  sender: Identifier,
  change: (share: PartialSignature) => PartialSignature,
): Message {
  const share = change(decode(partialSignatureCodec, message.broadcast))
  return resign(cluster, sender, message, { broadcast: encode(partialSignatureCodec, share) })
}

test("each value of a share that its signer makes wrong names it, and all liars at once", () => {
  const changes: readonly ((share: PartialSignature) => PartialSignature)[] = [
    (share) => ({ ...share, u: plus(share.u) }),
    (share) => ({ ...share, w: plus(share.w) }),
    (share) => ({ ...share, u: group.zero, w: group.zero }),
    (share) => ({ ...share, u: share.w, w: share.u }),
  ]
  const { order, first, shares } = honestShares()
  for (const change of changes) {
    for (const liars of [[2], [9], [1, 9], signers]) {
      const wrong = new Map(shares)
      for (const liar of liars) wrong.set(liar, lies(shares.get(liar)!, liar, change))
      const abort = abortOf(combine(cluster, first, order, wrong))
      assert.deepEqual([abort.reason, abort.culprits], ["invalid-partial-signature", liars])
      assert.deepEqual(
        verdictsOf(abort, cluster),
        liars.map((culprit) => ({ valid: true, culprit, reason: "invalid-partial-signature" })),
      )
    }
  }
})

test("shares that add up to nothing make no signature, and their signer is named", () => {
  const { order, first, shares } = honestShares()
  const read = (id: Identifier) => decode(partialSignatureCodec, shares.get(id)!.broadcast)
  for (const name of ["u", "w"] as const) {
    const others = group.addScalars(read(1)[name], read(9)[name])
    const change = (share: PartialSignature) => ({ ...share, [name]: group.negateScalar(others) })
    const wrong = new Map(shares).set(2, lies(shares.get(2)!, 2, change))
    const abort = abortOf(combine(cluster, first, order, wrong))
    assert.deepEqual([abort.reason, abort.culprits], ["invalid-partial-signature", [2]])
  }
})

test("a body that is none names its signer, and so does another R beside a wrong share", () => {
  const { order, first, shares } = honestShares()
  const broken = resign(cluster, 2, shares.get(2)!, { broadcast: Uint8Array.of(1) })
  const other = lies(shares.get(2)!, 2, (share) => ({ ...share, nonce: key.verifyingKey }))
  const wrong = lies(shares.get(1)!, 1, (share) => ({ ...share, w: plus(share.w) }))
  for (const [message, culprits] of [
    [[broken], [2]],
    [
      [other, wrong],
      [1, 2],
    ],
  ] as const) {
    const all = new Map(shares)
    all.set(2, message[0])
    if (message[1]) all.set(1, message[1])
    const abort = abortOf(combine(cluster, first, order, all))
    assert.deepEqual([abort.reason, abort.culprits], ["invalid-partial-signature", culprits])
    assert.equal(
      verdictsOf(abort, cluster).every(({ valid }) => valid),
      true,
    )
  }
})

test("a share that answers no such order, or comes from elsewhere, blames nobody", () => {
  const { order, first, shares } = honestShares()
  const elsewhere = honestShares(0, "another order").shares
  const share = shares.get(2)!
  const forged = {
    ...share,
    header: { ...share.header, signature: flip(share.header.signature, 1) },
  }
  const cases: readonly (readonly [Message, AbortReason])[] = [
    [elsewhere.get(2)!, "wrong-session"],
    [shares.get(1)!, "unknown-sender"],
    [forged, "wrong-signature"],
    [{ ...share, broadcast: flip(share.broadcast, 40) }, "part-mismatch"],
    [withSealedPart(cluster, 2, share), "unexpected-part"],
    [resign(cluster, 2, share, { header: { previousDigest: seeded("echo") } }), "echo-mismatch"],
    [resign(cluster, 2, share, { header: { step: 6 } }), "wrong-step"],
    [resign(cluster, 2, share, { header: { attempt: 2 } }), "wrong-attempt"],
    [resign(cluster, 2, share, { header: { rosterEpoch: 8 } }), "wrong-roster-epoch"],
  ]
  // Another share is wrong as well, so that there is no signature and each has to be judged.
  const liar = lies(shares.get(9)!, 9, (s) => ({ ...s, w: plus(s.w) }))
  for (const [message, reason] of cases) {
    const all = new Map(shares).set(2, message)
    const found = combine(cluster, first, order, all)
    if (!found.ok) {
      assert.deepEqual([found.abort.reason, found.abort.culprits], [reason, []])
      assert.deepEqual(found.abort.silent, [2])
    }
    const both = abortOf(combine(cluster, first, order, all.set(9, liar)))
    assert.deepEqual([both.culprits, both.silent], [[9], [2]])
  }
  const silent = new Map(shares)
  silent.delete(2)
  const missing = abortOf(combine(cluster, first, order, silent))
  assert.deepEqual([missing.reason, missing.silent], ["missing-messages", [2]])
})

test("two servers shown different delta inputs make no signature, and neither is blamed", () => {
  const other = honestShares(1, "one")
  const changed: EcdsaOrder[] = [
    { ...other.order, requestDigest: seeded("another request") },
    { ...other.order, attempt: 2 },
    { ...other.order, digest: seeded("another digest") },
    { ...other.order, path: [3, 2] },
    { ...other.order, nonces: orderFor(cluster, other.first, { seed: "fresh nonces" }).nonces },
  ]
  for (const order of changed) {
    const misled = value(shareOf(cluster, taken(1)[1]!, order))
    const shares = new Map(other.shares).set(2, misled)
    for (const asked of [other.order, order]) {
      const abort = abortOf(combine(cluster, other.first, asked, shares))
      assert.equal(abort.reason, order.attempt === 2 ? "wrong-attempt" : "wrong-session")
      assert.deepEqual([abort.culprits, abort.evidence], [[], []])
    }
    // Each is judged by the order that it signed, and both are right by that.
    const own = sharesFor(cluster, taken(1), order)
    assert.deepEqual(own.get(2), misled)
    assert.ok(combine(cluster, other.first, order, own).ok)
  }
})

test("a presignature is used once: signing wipes it, whether a share came of it or not", () => {
  const { presignatures, order } = session(2)
  const [first, second] = presignatures as [Presignature, Presignature]
  assert.ok(shareOf(cluster, first, order).ok)
  const again = { ...order, digest: seeded("another message") }
  assert.throws(() => shareOf(cluster, first, again), /after it was wiped/)
  const refused = shareOf(cluster, second, { ...order, presignatureId: seeded("another id") })
  assert.equal(abortOf(refused).reason, "wrong-presignature")
  for (const secret of [first.phi, second.phi, second.u, second.v]) {
    assert.throws(() => secret.expose(), /after it was wiped/)
  }
})

test("a digest that cannot be signed is refused before anything is taken", () => {
  const order = group.scalarToInteger(group.negateScalar(group.one)) + 1n
  const bytesOf = (n: bigint) =>
    Uint8Array.from(Buffer.from(n.toString(16).padStart(64, "0"), "hex"))
  const refused: readonly Bytes[] = [
    new Uint8Array(32),
    new Uint8Array(32).fill(0xff),
    bytesOf(order),
    new Uint8Array(31).fill(1),
    new Uint8Array(33).fill(1),
    new Uint8Array(0),
  ]
  for (const digest of refused) {
    assert.equal(abortOf(checkDigest(digest)).reason, "wrong-digest")
    const asked = { ...session(3).order, digest }
    assert.equal(abortOf(checkOrder(asked, { public: key, verifyKeys })).reason, "wrong-digest")
  }
  for (const digest of [group.one as Bytes, bytesOf(order - 1n)]) {
    assert.ok(checkDigest(digest).ok)
    const presignatures = taken(3)
    const asked = orderFor(cluster, presignatures[0]!, { digest })
    const shares = sharesFor(cluster, presignatures, asked)
    assert.ok(combine(cluster, presignatures[0]!, asked, shares).ok)
  }
})

test("an order that does not fit key, signers, nonces or presignature is refused for its own reason", () => {
  const { order } = session(4)
  const nonce = (identifier: Identifier, change: object) => {
    const { keyId, keyEpoch } = key
    const place = { identifier, keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH }
    const input = { ...place, randomness: seeded("fresh"), ...change }
    return ecdsaNonce(input, { signer: participant(cluster, identifier).identity })
  }
  const withNonce = (at: number, message: Message): EcdsaOrder => ({
    ...order,
    nonces: order.nonces.map((own, i) => (i === at ? message : own)),
  })
  const old = order.nonces[1]!
  const cases: readonly (readonly [EcdsaOrder, AbortReason, string])[] = [
    [{ ...order, keyId: seeded("another key") }, "wrong-key", "keyId"],
    [{ ...order, keyEpoch: 2 }, "wrong-key-epoch", "keyEpoch"],
    [{ ...order, rosterEpoch: 8 }, "wrong-roster-epoch", "nonces.0"],
    [{ ...order, signers: [1, 9] }, "too-few-signers", "signers"],
    [{ ...order, signers: [1, 2] }, "missing-additive-signer", "signers"],
    [{ ...order, signers: [2, 1, 9] }, "wrong-participants", "signers"],
    [{ ...order, signers: [1, 1, 9] }, "wrong-participants", "signers"],
    [{ ...order, signers: [1, 2, 3, 9] }, "wrong-participants", "signers"],
    [{ ...order, signers: [1, 7, 9] }, "not-a-participant", "signers"],
    [{ ...order, signers: [1, 3, 9] }, "wrong-nonces", "nonces.1"],
    [{ ...order, nonces: order.nonces.slice(1) }, "wrong-nonces", "nonces"],
    [{ ...order, nonces: [...order.nonces].reverse() }, "wrong-nonces", "nonces.0"],
    [{ ...order, path: [2 ** 31] }, "wrong-child", "path"],
    [{ ...order, path: new Array(11).fill(0) }, "wrong-child", "path"],
    [withNonce(1, nonce(2, { keyEpoch: 3 })), "wrong-nonces", "nonces.1"],
    [withNonce(1, nonce(2, { keyId: seeded("other") })), "wrong-nonces", "nonces.1"],
    [withNonce(1, nonce(2, { rosterEpoch: 8 })), "wrong-roster-epoch", "nonces.1"],
    [withNonce(1, nonce(1, {})), "wrong-nonces", "nonces.1"],
    [withNonce(1, { ...old, broadcast: flip(old.broadcast, 0) }), "part-mismatch", "nonces.1"],
    [withNonce(1, withSealedPart(cluster, 2, old)), "wrong-nonces", "nonces.1"],
  ]
  for (const [asked, reason, field] of cases) {
    const found = abortOf(checkOrder(asked, { public: key, verifyKeys }))
    assert.deepEqual([found.reason, found.field, found.culprits], [reason, field, []])
    assert.equal(abortOf(shareOf(cluster, taken(4)[0]!, asked)).reason, reason)
  }
  assert.deepEqual(nonceIn(order, 2), decodedSession(order.nonces[1]!))
  assert.equal(nonceIn(order, 3), null)
})

function decodedSession(message: Message): Bytes {
  return decode(headerCodec, message.header.bytes).sessionId
}

test("a presignature of another id, epoch, roster, key or set is refused and stays unused", () => {
  const { order } = session(5)
  const [presignature] = taken(5) as [Presignature]
  const { certificate } = presignature
  const record = certificate.record
  const others = new Map([...record.signers].slice(0, 2))
  for (const [change, field] of [
    [{ keyId: seeded("another key") }, "keyId"],
    [{ keyEpoch: 2 }, "keyEpoch"],
    [{ rosterEpoch: 8 }, "rosterEpoch"],
    [{ verifyingKey: record.nonce }, "verifyingKey"],
    [{ signers: others }, "signers"],
    [{ signers: new Map([...record.signers, [3, record.signers.get(2)!]]) }, "signers"],
    [{ signers: new Map([...others, [3, record.signers.get(2)!]]) }, "signers"],
  ] as const) {
    const [own] = taken(5) as [Presignature]
    const changed = { ...own, certificate: { ...certificate, record: { ...record, ...change } } }
    const found = abortOf(shareOf(cluster, changed, order))
    assert.deepEqual([found.reason, found.field], ["wrong-presignature", field])
  }
  const theirs = { ...taken(5)[1]!, identifier: 1 }
  const { identity: signer } = participant(cluster, 2)
  const asTwo = { public: key, identifier: 2, identity: { signer, verifyKeys } }
  assert.equal(abortOf(ecdsaSign(theirs, order, asTwo)).reason, "not-a-signer")
  const schnorr = { ...key, keyType: "bip340" } as const
  const asked = abortOf(checkOrder(order, { public: schnorr, verifyKeys }))
  assert.equal(asked.reason, "wrong-key-type")
  const { keyId, keyEpoch } = key
  const place = { identifier: 1, keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH }
  const short = { ...place, randomness: seeded("short", 31) }
  assert.throws(() => ecdsaNonce(short, { signer }), /not 32 bytes/)
})

test("a certificate that not every signer has confirmed measures nobody", () => {
  const { order, first, shares } = honestShares(6)
  const wrong = new Map(shares).set(
    2,
    lies(shares.get(2)!, 2, (s) => ({ ...s, u: plus(s.u) })),
  )
  const { certificate } = first
  assert.deepEqual(
    value(verifyPresignatureCertificate(certificate, verifyKeys)),
    certificate.record,
  )
  const { confirmations, batch: digests } = certificate
  const bad: readonly (readonly [Partial<typeof certificate>, AbortReason])[] = [
    [{ confirmations: new Map([...confirmations].slice(1)) }, "missing-confirmation"],
    [
      { confirmations: new Map([...confirmations, [3, seeded("signature", 64)]]) },
      "unexpected-confirmation",
    ],
    [
      { confirmations: new Map([...confirmations, [2, seeded("signature", 64)]]) },
      "wrong-confirmation",
    ],
    [{ batch: [...digests].reverse() }, "wrong-presignature"],
    [{ batch: [] }, "wrong-presignature"],
    [{ batch: digests.map((d, i) => (i === 0 ? flip(d, 0) : d)) }, "wrong-confirmation"],
  ]
  for (const [change, reason] of bad) {
    const changed = { ...first, certificate: { ...certificate, ...change } }
    const abort = abortOf(combine(cluster, changed, order, wrong))
    assert.deepEqual([abort.reason, abort.culprits, abort.evidence], [reason, [], []])
  }
  const strangers = new Map([...verifyKeys].slice(1))
  const unknown = abortOf(verifyPresignatureCertificate(certificate, strangers))
  assert.equal(unknown.reason, "unknown-sender")
})

test("evidence of a wrong share proves nothing with any byte altered, and nothing of a right one", () => {
  const { order, first, shares } = honestShares(7)
  const wrong = new Map(shares).set(
    2,
    lies(shares.get(2)!, 2, (s) => ({ ...s, u: plus(s.u) })),
  )
  const [evidence] = abortOf(combine(cluster, first, order, wrong)).evidence
  const encoded = encodeEvidence(evidence!)
  assert.ok(encoded.length <= LIMITS.evidence)
  for (let at = 0; at < encoded.length; at += 7) {
    assert.ok(!verifyEvidence(flip(encoded, at), verifyKeys).valid, `byte ${at}`)
  }
  const { certificate } = first
  const keyCertificate = cluster.certificate
  for (const share of shares.values()) {
    const right = { kind: "dkls-share", keyCertificate, certificate, order, share } as const
    const verdict = verifyEvidence(encodeEvidence(right), verifyKeys)
    assert.deepEqual(verdict, { valid: false, why: "the share is good" })
  }
  // 2 signs a share of one presignature for an order of another.
  const [mine] = taken(6) as [Presignature]
  const elsewhere = { ...order, presignatureId: mine.id }
  const lied = resign(cluster, 2, wrong.get(2)!, { header: { sessionId: orderDigest(elsewhere) } })
  const garbled = { ...wrong.get(2)!, header: { ...lied.header, bytes: seeded("no header") } }
  for (const [asked, share, why] of [
    [elsewhere, lied, "order: wrong-presignature"],
    [order, garbled, "share: malformed-header"],
  ] as const) {
    const found = { kind: "dkls-share", keyCertificate, certificate, order: asked, share } as const
    const verdict = verifyEvidence(encodeEvidence(found), verifyKeys)
    assert.deepEqual(verdict, { valid: false, why })
  }
  const stranger = { ...order, requestDigest: seeded("another request") }
  const share = shares.get(2)!
  const reframed = {
    kind: "dkls-share",
    keyCertificate,
    certificate,
    order: stranger,
    share,
  } as const
  const verdict = verifyEvidence(encodeEvidence(reframed), verifyKeys)
  assert.deepEqual(verdict, { valid: false, why: "share: wrong-session" })
})

test("codecs give back what they were given, and refuse shares that are no scalars", () => {
  const { order } = session(0)
  const [presignature] = taken(0) as [Presignature]
  const encoded = encode(presignatureCodec, presignature)
  assert.deepEqual(encode(presignatureCodec, decode(presignatureCodec, encoded)), encoded)
  const unreduced = new Uint8Array(encoded)
  unreduced.fill(0xff, encoded.length - 32)
  assert.throws(() => decode(presignatureCodec, unreduced), /not below the group order/)
  const ordered = encode(ecdsaOrderCodec, order)
  assert.deepEqual(encode(ecdsaOrderCodec, decode(ecdsaOrderCodec, ordered)), ordered)
  const certificate = encode(presignatureCertificateCodec, presignature.certificate)
  assert.ok(certificate.length <= 32_768)
  assert.deepEqual(presignature.id, recordDigest(presignature.certificate.record))
  assert.equal(String(presignature.phi), "[redacted]")
})
