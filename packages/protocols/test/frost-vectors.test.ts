import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import type { Element, Scalar } from "@lockkeeper/crypto"
import { evaluatePolynomial } from "@lockkeeper/crypto"
import { fromHex, toHex } from "@lockkeeper/encoding"
import { bind, type SigningCommitment } from "../src/frost/binding.ts"
import { generateNonce, signatureShare, verifySignatureShare } from "../src/frost/shares.ts"
import { encodeSignature, verifyForTarget } from "../src/frost/signature.ts"
import {
  type Ciphersuite,
  frostEd25519,
  frostRistretto255,
  frostSecp256k1,
} from "../src/frost/suites.ts"
import { NO_TWEAK } from "../src/frost/taproot.ts"
import { type SigningTarget, signingTarget } from "../src/frost/target.ts"

const FOLDER = new URL("../../../vectors/rfc9591-frost/", import.meta.url)

const SUITE_OF_FILE: Readonly<Record<string, Ciphersuite>> = {
  "frost-ed25519-sha512.json": frostEd25519,
  "frost-ristretto255-sha512.json": frostRistretto255,
  "frost-secp256k1-sha256.json": frostSecp256k1,
}

interface Vector {
  readonly inputs: {
    readonly participant_list: readonly number[]
    readonly group_secret_key: string
    readonly group_public_key: string
    readonly message: string
    readonly share_polynomial_coefficients: readonly string[]
    readonly participant_shares: readonly {
      readonly identifier: number
      readonly participant_share: string
    }[]
  }
  readonly round_one_outputs: { readonly outputs: readonly Record<string, string>[] }
  readonly round_two_outputs: {
    readonly outputs: readonly { readonly identifier: number; readonly sig_share: string }[]
  }
  readonly final_output: { readonly sig: string }
}

const readVector = (file: string) =>
  JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Vector

test("the vector folder holds the five files of RFC 9591, three of them for our groups", () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"))
  assert.equal(files.length, 5)
  assert.equal(files.filter((file) => file in SUITE_OF_FILE).length, 3)
})

for (const [file, suite] of Object.entries(SUITE_OF_FILE)) {
  const { group } = suite
  const vector = readVector(file)
  const { inputs } = vector
  const scalar = (hex: string): Scalar => group.decodeScalar(fromHex(hex))
  const element = (hex: string): Element => group.decodeElement(fromHex(hex))
  const message = fromHex(inputs.message)
  const groupKey = element(inputs.group_public_key)
  const target = signingTarget(suite, groupKey, NO_TWEAK) as SigningTarget
  const shares = new Map(
    inputs.participant_shares.map((s) => [s.identifier, scalar(s.participant_share)]),
  )
  const nonces = new Map(
    vector.round_one_outputs.outputs.map((output) => {
      const share = shares.get(Number(output["identifier"])) as Scalar
      const nonce = (name: string) =>
        generateNonce(suite, fromHex(output[`${name}_nonce_randomness`] as string), share)
      return [Number(output["identifier"]), { hiding: nonce("hiding"), binding: nonce("binding") }]
    }),
  )
  const commitments: SigningCommitment[] = [...nonces].map(([identifier, nonce]) => ({
    identifier,
    hiding: group.multiplyBase(nonce.hiding),
    binding: group.multiplyBase(nonce.binding),
  }))

  test(`${suite.contextString}: the dealing equals the vector`, () => {
    const coefficients = [inputs.group_secret_key, ...inputs.share_polynomial_coefficients]
    assert.equal(toHex(group.multiplyBase(scalar(inputs.group_secret_key))), toHex(groupKey))
    assert.equal(inputs.participant_shares.length, 3)
    for (const { identifier, participant_share } of inputs.participant_shares) {
      const share = evaluatePolynomial(group, coefficients.map(scalar), identifier)
      assert.equal(toHex(share), participant_share)
    }
  })

  test(`${suite.contextString}: nonces, commitments and binding factors equal the vector`, () => {
    assert.equal(vector.round_one_outputs.outputs.length, 2)
    const binding = bind(target, commitments, message)
    assert.ok(binding)
    for (const output of vector.round_one_outputs.outputs) {
      const identifier = Number(output["identifier"])
      const commitment = commitments.find((c) => c.identifier === identifier)
      assert.ok(commitment)
      assert.equal(toHex(nonces.get(identifier)?.hiding as Scalar), output["hiding_nonce"])
      assert.equal(toHex(nonces.get(identifier)?.binding as Scalar), output["binding_nonce"])
      assert.equal(toHex(commitment.hiding), output["hiding_nonce_commitment"])
      assert.equal(toHex(commitment.binding), output["binding_nonce_commitment"])
      const factor = binding.bindingFactors.get(identifier) as Scalar
      assert.equal(toHex(factor), output["binding_factor"])
      assert.equal(
        toHex(suite.h1(fromHex(output["binding_factor_input"] as string))),
        toHex(factor),
      )
    }
  })

  test(`${suite.contextString}: signature shares and the signature equal the vector`, () => {
    const signers = inputs.participant_list
    assert.deepEqual(signers, [1, 3])
    assert.equal(vector.round_two_outputs.outputs.length, 2)
    const binding = bind(target, commitments, message)
    assert.ok(binding)
    let z = group.zero
    for (const { identifier, sig_share } of vector.round_two_outputs.outputs) {
      const nonce = nonces.get(identifier)
      const signingShare = shares.get(identifier)
      const commitment = commitments.find((c) => c.identifier === identifier)
      assert.ok(nonce && signingShare && commitment)
      const share = signatureShare(target, binding, identifier, signers, nonce, signingShare)
      assert.equal(toHex(share), sig_share)
      const verifyingShare = group.multiplyBase(signingShare)
      assert.ok(verifySignatureShare(target, binding, commitment, signers, verifyingShare, share))
      const wrong = group.addScalars(share, group.one)
      assert.ok(!verifySignatureShare(target, binding, commitment, signers, verifyingShare, wrong))
      z = group.addScalars(z, share)
    }
    const signature = encodeSignature(target, binding.groupCommitment, z)
    assert.equal(toHex(signature), vector.final_output.sig)
    assert.ok(verifyForTarget(target, message, signature))
  })
}
