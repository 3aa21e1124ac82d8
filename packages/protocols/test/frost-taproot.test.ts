import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { type Element, secp256k1 } from "@lockkeeper/crypto"
import { concat, fromHex, toHex } from "@lockkeeper/encoding"
import { schnorr, schnorr_FROST } from "@noble/curves/secp256k1.js"
import { bind, type SigningCommitment } from "../src/frost/binding.ts"
import { generateNonce, signatureShare } from "../src/frost/shares.ts"
import { encodeSignature, verifyForTarget } from "../src/frost/signature.ts"
import { frostBip340 } from "../src/frost/suites.ts"
import { liftX, NO_TWEAK, type Tweak, tweakScalar, xOnly } from "../src/frost/taproot.ts"
import { type SigningTarget, shareForTarget, signingTarget } from "../src/frost/target.ts"
import {
  aggregateSession,
  makeCluster,
  makeSession,
  participant,
  seeded,
  value,
} from "./frost-fixture.ts"

const VECTORS = new URL("../../../vectors/", import.meta.url)
const readText = (path: string) => readFileSync(new URL(path, VECTORS), "utf8")

const targetOf = (key: Element, tweak: Tweak = NO_TWEAK) =>
  signingTarget(frostBip340, key, tweak) as SigningTarget

/** The public key, where it is one: two vectors have an x that is on no point, or too large. */
function keyOrNull(x: string): Element | null {
  try {
    return liftX(fromHex(x.toLowerCase()))
  } catch {
    return null
  }
}

test("every BIP340 vector verifies or fails as it says", () => {
  const rows = readText("bip340/test-vectors.csv").trim().split("\n").slice(1)
  const counts = { TRUE: 0, FALSE: 0, withoutKey: 0, secretKeys: 0 }
  for (const row of rows) {
    const [, secret = "", x = "", , message = "", signature = "", result = ""] = row.split(",")
    const key = keyOrNull(x)
    if (key === null) counts.withoutKey++
    const valid =
      key !== null &&
      verifyForTarget(
        targetOf(key),
        fromHex(message.toLowerCase()),
        fromHex(signature.toLowerCase()),
      )
    assert.equal(valid, result === "TRUE", row)
    counts[result as "TRUE" | "FALSE"]++
    if (secret === "") continue
    counts.secretKeys++
    const cluster = makeCluster({
      keyType: "bip340",
      minSigners: 1,
      maxSigners: 1,
      secret: fromHex(secret.toLowerCase()),
    })
    assert.equal(toHex(xOnly(cluster.public.verifyingKey)), x.toLowerCase())
    const session = makeSession(cluster, [1], { message: fromHex(message.toLowerCase()) })
    const made = value(aggregateSession(session))
    assert.ok(schnorr.verify(made, session.package.message, fromHex(x.toLowerCase())))
  }
  assert.deepEqual(counts, { TRUE: 9, FALSE: 10, withoutKey: 2, secretKeys: 8 })
})

interface WalletVectors {
  readonly scriptPubKey: readonly {
    readonly given: { readonly internalPubkey: string }
    readonly intermediary: {
      readonly merkleRoot: string | null
      readonly tweak: string
      readonly tweakedPubkey: string
    }
  }[]
  readonly keyPathSpending: readonly {
    readonly inputSpending: readonly {
      readonly given: { readonly internalPrivkey: string; readonly merkleRoot: string | null }
      readonly intermediary: Readonly<Record<string, string>>
      readonly expected: { readonly witness: readonly string[] }
    }[]
  }[]
}

const wallet = JSON.parse(readText("bip341/wallet-test-vectors.json")) as WalletVectors

function tweakFor(merkleRoot: string | null): Tweak {
  return merkleRoot === null
    ? { kind: "key-path" }
    : { kind: "merkle-root", root: fromHex(merkleRoot) }
}

test("tweaks and output keys equal BIP341's wallet vectors", () => {
  let cases = 0
  for (const { given, intermediary } of wallet.scriptPubKey) {
    const internal = liftX(fromHex(given.internalPubkey))
    const tweak = tweakFor(intermediary.merkleRoot)
    assert.equal(toHex(tweakScalar(internal, tweak) ?? new Uint8Array()), intermediary.tweak)
    for (const key of [internal, secp256k1.negate(internal)]) {
      const output = targetOf(key, tweak).verifyingKey
      assert.equal(toHex(xOnly(output)), intermediary.tweakedPubkey)
    }
    cases++
  }
  assert.equal(cases, 7)
})

test("tweaked private keys and key-path signatures equal BIP341's wallet vectors", () => {
  let cases = 0
  for (const { given, intermediary, expected } of wallet.keyPathSpending[0]?.inputSpending ?? []) {
    const tweak = tweakFor(given.merkleRoot)
    const secret = fromHex(given.internalPrivkey)
    const cluster = makeCluster({ keyType: "bip340", minSigners: 1, maxSigners: 1, secret })
    const key = cluster.public.verifyingKey
    assert.equal(toHex(xOnly(key)), intermediary["internalPubkey"])
    assert.equal(toHex(tweakScalar(key, tweak) ?? new Uint8Array()), intermediary["tweak"])
    // BIP341 leaves the tweaked key's sign to BIP340 signing; here it is settled already.
    const target = targetOf(key, tweak)
    const tweaked = shareForTarget(target, secp256k1.decodeScalar(secret), false)
    const signs = [tweaked, secp256k1.negateScalar(tweaked)].map((s) => toHex(s))
    assert.ok(signs.includes(intermediary["tweakedPrivkey"] ?? ""))
    assert.deepEqual(secp256k1.multiplyBase(tweaked), target.verifyingKey)
    const message = fromHex(intermediary["sigHash"] ?? "")
    const witness = fromHex(expected.witness[0] ?? "").slice(0, 64)
    assert.ok(verifyForTarget(target, message, witness))
    const session = makeSession(cluster, [1], { message, tweak, seed: `${cases}` })
    const made = value(aggregateSession(session))
    assert.ok(schnorr.verify(made, message, xOnly(target.verifyingKey)))
    cases++
  }
  assert.equal(cases, 7)
})

test("shares and signature equal another library's FROST for BIP340, byte by byte", () => {
  let cases = 0
  const parities = new Set<string>()
  for (let i = 0; i < 8; i++) {
    const cluster = makeCluster({ keyType: "bip340", seed: `interop/${i}` })
    const target = targetOf(cluster.public.verifyingKey)
    const message = seeded(`interop/message/${i}`)
    const id = (identifier: number) => schnorr_FROST.Identifier.fromNumber(identifier)
    const share = (identifier: number) =>
      secp256k1.decodeScalar(participant(cluster, identifier).key.signingShare.expose())
    const verifyingShares = Object.fromEntries(
      [...cluster.public.verifyingShares].map(([identifier, element]) => [id(identifier), element]),
    )
    const theirs = {
      signers: { min: 2, max: 3 },
      commitments: [cluster.public.verifyingKey, cluster.public.verifyingKey],
      verifyingShares,
    }
    const nonces = new Map(
      [1, 3].map((identifier) => {
        const nonce = (name: string) =>
          generateNonce(frostBip340, seeded(`${i}/${identifier}/${name}`), share(identifier))
        return [identifier, { hiding: nonce("hiding"), binding: nonce("binding") }]
      }),
    )
    const commitments: SigningCommitment[] = [...nonces].map(([identifier, nonce]) => ({
      identifier,
      hiding: secp256k1.multiplyBase(nonce.hiding),
      binding: secp256k1.multiplyBase(nonce.binding),
    }))
    const binding = bind(target, commitments, message)
    const list = commitments.map(({ identifier, ...c }) => ({ identifier: id(identifier), ...c }))
    let z = secp256k1.zero
    const theirShares: Record<string, Uint8Array> = {}
    for (const [identifier, nonce] of nonces) {
      const ours = signatureShare(target, binding, identifier, [1, 3], nonce, share(identifier))
      const copies = { hiding: nonce.hiding.slice(), binding: nonce.binding.slice() }
      const secret = { identifier: id(identifier), signingShare: share(identifier) }
      const expected = schnorr_FROST.signShare(secret, theirs, copies, list, message)
      assert.equal(toHex(ours), toHex(expected))
      theirShares[id(identifier)] = expected
      z = secp256k1.addScalars(z, ours)
      cases++
    }
    const signature = encodeSignature(target, binding.groupCommitment, z)
    const expected = schnorr_FROST.aggregate(theirs, list, message, theirShares)
    assert.equal(toHex(signature), toHex(expected))
    parities.add(`${cluster.public.verifyingKey[0]} ${binding.negateNonces}`)
  }
  assert.equal(cases, 16)
  assert.ok(parities.size >= 3, "several parities of key and group commitment")
})

test("a signature whose R has odd y, or whose key is another, does not verify", () => {
  const cluster = makeCluster({ keyType: "bip340" })
  const session = makeSession(cluster, [1, 2])
  const signature = value(aggregateSession(session))
  const target = targetOf(cluster.public.verifyingKey)
  const { message } = session.package
  assert.ok(verifyForTarget(target, message, signature))
  const z = secp256k1.decodeScalar(signature.slice(32))
  const negated = concat(signature.slice(0, 32), secp256k1.negateScalar(z))
  assert.ok(!verifyForTarget(target, message, negated))
  assert.ok(!verifyForTarget(target, message, concat(signature, Uint8Array.of(1))))
  const other = makeCluster({ keyType: "bip340", seed: "other" }).public.verifyingKey
  assert.ok(!verifyForTarget(targetOf(other), message, signature))
})
