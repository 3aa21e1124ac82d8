import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import {
  hkdfSha512Expand,
  type Identifier,
  ristretto255,
  type Scalar,
  Secret,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, concat, decode, encode, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import { accountIdOf } from "../src/opaque/account.ts"
import { answerFrom, answerLogin, type LoginServer, verifyLogin } from "../src/opaque/answer.ts"
import { registrationRecordCodec } from "../src/opaque/envelope.ts"
import { loginResponseCodec } from "../src/opaque/evaluation.ts"
import { finishLogin } from "../src/opaque/finish.ts"
import { asRegistered } from "../src/opaque/held.ts"
import { ke1Codec, ke2Codec } from "../src/opaque/key-exchange.ts"
import { combineLogin, type LoginPlan, startWithBlind } from "../src/opaque/login.ts"
import {
  blind,
  deriveKeyPair,
  evaluateUnblinded,
  evaluateWithKey,
  finalize,
  scalarOf,
} from "../src/opaque/oprf.ts"
import { finishRegistration, startWithCoefficients } from "../src/opaque/register.ts"

function vectors<T>(path: string): T[] {
  const url = new URL(`../../../vectors/${path}`, import.meta.url)
  return JSON.parse(readFileSync(url, "utf8")) as T[]
}

interface OprfSuite {
  readonly identifier: string
  readonly mode: number
  readonly seed: string
  readonly keyInfo: string
  readonly skSm: string
  readonly vectors: readonly Record<
    "Blind" | "BlindedElement" | "EvaluationElement" | "Input" | "Output",
    string
  >[]
}

const scalar = (hex: string): Scalar => ristretto255.decodeNonZeroScalar(fromHex(hex))
const hexOf = (secret: Secret) => toHex(secret.expose())

test("RFC 9497: every ristretto255-SHA512 case of mode OPRF, 2 of the file's 40 cases", () => {
  const suites = vectors<OprfSuite>("rfc9497-oprf/allVectors.json")
  const ours = suites.filter((s) => s.identifier === "ristretto255-SHA512" && s.mode === 0)
  const leftOut = { otherSuites: 0, verifiable: 0, partiallyOblivious: 0 }
  for (const suite of suites) {
    if (suite.identifier !== "ristretto255-SHA512") leftOut.otherSuites += suite.vectors.length
    else if (suite.mode === 1) leftOut.verifiable += suite.vectors.length
    else if (suite.mode === 2) leftOut.partiallyOblivious += suite.vectors.length
  }
  let cases = 0
  for (const suite of ours) {
    const pair = deriveKeyPair(fromHex(suite.seed), fromHex(suite.keyInfo))
    assert.equal(hexOf(pair.privateKey), suite.skSm)
    const key = scalar(suite.skSm)
    for (const vector of suite.vectors) {
      const input = fromHex(vector.Input)
      const blinded = blind(input, scalar(vector.Blind))
      assert.equal(toHex(blinded), vector.BlindedElement)
      const evaluated = evaluateWithKey(key, blinded)
      assert.equal(toHex(evaluated), vector.EvaluationElement)
      assert.equal(hexOf(finalize(input, scalar(vector.Blind), evaluated)), vector.Output)
      assert.equal(hexOf(evaluateUnblinded(key, input)), vector.Output)
      cases++
    }
  }
  assert.equal(cases, 2)
  // Lock Keeper uses one suite, and proves evaluations against commitments to shares instead of
  // the verifiable modes' proofs against one public key.
  assert.deepEqual(leftOut, { otherSuites: 32, verifiable: 3, partiallyOblivious: 3 })
})

interface OpaqueVector {
  readonly config: Readonly<Record<string, string>>
  readonly inputs: Readonly<Record<string, string>>
  readonly intermediates: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, string>>
}

const applicable = ({ config }: OpaqueVector) =>
  config.Group === "ristretto255" && config.OPRF === "ristretto255-SHA512"

const all = vectors<OpaqueVector>("rfc9807-opaque/vectors.json")
const accountId = accountIdOf("vector")
const stretching = { memoryKib: 0, passes: 0, lanes: 0 }
const bounds = { least: stretching, most: stretching }
const identity = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(7)))

/** The same bytes again: what the identity function makes of what is to be stretched. */
const unstretched = (toStretch: Secret) => toStretch

/** RFC 9807 Section 6.3.2.2: the OPRF key of one credential, injected into a 1-of-1 dealing. */
function oprfKeyOf(vector: OpaqueVector): Scalar {
  const info = concat(field(vector, "credential_identifier"), utf8("OprfKey"))
  const seed = hkdfSha512Expand(field(vector, "oprf_seed"), info, 32)
  return scalarOf(deriveKeyPair(seed, utf8("OPAQUE-DeriveKeyPair")).privateKey)
}

function field(vector: OpaqueVector, name: string): Bytes {
  const value = vector.inputs[name]
  assert.ok(value !== undefined, `the vector lacks ${name}`)
  return fromHex(value)
}

function parametersOf(vector: OpaqueVector) {
  const optional = (name: string) => (name in vector.inputs ? field(vector, name) : null)
  const identities = { client: optional("client_identity"), server: optional("server_identity") }
  const binding = { context: fromHex(vector.config.Context as string), identities }
  const ake = {
    privateKey: new Secret(field(vector, "server_private_key")),
    publicKey: ristretto255.decodeElement(field(vector, "server_public_key")),
  }
  const server: LoginServer = {
    identifier: 1,
    rosterEpoch: 1,
    minSigners: 1,
    ake,
    signer: identity,
    fakes: { seed: new Secret(new Uint8Array(32)), epoch: 1 },
    stretching,
  }
  const randomness = concat(
    field(vector, "masking_nonce"),
    field(vector, "server_nonce"),
    field(vector, "server_keyshare_seed"),
    new Uint8Array(32),
  )
  return { binding, ake, server, randomness }
}

test("RFC 9807: both real ristretto255 cases, through the threshold code with t = n = 1", () => {
  let cases = 0
  for (const vector of all.filter((v) => applicable(v) && v.config.Fake === "False")) {
    const { outputs, intermediates } = vector
    const { binding, ake, server, randomness } = parametersOf(vector)
    const password = new Secret(field(vector, "password"))
    const key = oprfKeyOf(vector)
    assert.equal(toHex(key), intermediates.oprf_key)
    const request = blind(password.expose(), scalar(vector.inputs.blind_registration as string))
    assert.equal(toHex(request), outputs.registration_request)
    const registrationResponse = concat(evaluateWithKey(key, request), ake.publicKey)
    assert.equal(toHex(registrationResponse), outputs.registration_response)

    const common = { accountId, binding, rosterEpoch: 1, minSigners: 1 }
    const start = startWithCoefficients(
      { ...common, opaqueVersion: 1, servers: new Map([[1, ake.publicKey]]), stretching },
      password,
      [key.slice() as Scalar],
    )
    const { dealings } = finishRegistration(
      start.state,
      unstretched(start.toStretch),
      { storageKey: new Secret(new Uint8Array(32)), signingSeed: new Secret(new Uint8Array(32)) },
      concat(field(vector, "envelope_nonce"), new Uint8Array(24)),
    )
    const dealing = dealings.get(1)
    assert.ok(dealing)
    const { record } = dealing
    assert.equal(toHex(encode(registrationRecordCodec, record)), outputs.registration_upload)
    assert.equal(hexOf(record.maskingKey), intermediates.masking_key)
    assert.equal(toHex(record.clientPublicKey), intermediates.client_public_key)
    const { nonce, authTag } = record.envelope
    assert.equal(toHex(concat(nonce, authTag)), intermediates.envelope)

    const verifyKeys = new Map<Identifier, Bytes>([[1, identity.publicKey]])
    const serverKeys = new Map([[1, ake.publicKey]])
    const plan: LoginPlan = { ...common, verifyKeys, serverKeys, stretchingBounds: bounds }
    const clientNonce = field(vector, "client_nonce")
    const keyshareSeed = field(vector, "client_keyshare_seed")
    const { state, ke1 } = startWithBlind(
      plan,
      password,
      scalar(vector.inputs.blind_login as string),
      new Map([[1, { clientNonce, keyshareSeed }]]),
    )
    const first = ke1.get(1) as Bytes
    assert.equal(toHex(first), outputs.KE1)
    assert.equal(toHex(encode(ke1Codec, decode(ke1Codec, first))), outputs.KE1)
    const question = { accountId, binding, ke1: first }
    const account = asRegistered({ ...dealing, confirmations: null })
    const answered = answerLogin(server, question, account, randomness)
    assert.ok(answered.ok)
    const { response } = answered.value
    const ke2 = encode(ke2Codec, decode(loginResponseCodec, response).ke2)
    assert.equal(toHex(ke2), outputs.KE2)
    const combined = combineLogin(state, new Map([[1, response]]))
    assert.ok(combined.ok)
    const finished = finishLogin(combined.value.combined, unstretched(combined.value.toStretch))
    assert.ok(finished.ok)
    assert.equal(hexOf(finished.value.exportKey), outputs.export_key)
    const session = finished.value.sessions.get(1)
    assert.ok(session)
    assert.equal(hexOf(session.sessionKey), outputs.session_key)
    assert.equal(toHex(session.ke3), outputs.KE3)
    const verified = verifyLogin(answered.value.state, session.ke3)
    assert.ok(verified.ok)
    assert.equal(hexOf(verified.value.sessionKey), outputs.session_key)
    cases++
  }
  assert.equal(cases, 2)
})

test("RFC 9807: the fake-record case for ristretto255", () => {
  let cases = 0
  for (const vector of all.filter((v) => applicable(v) && v.config.Fake === "True")) {
    const { binding, server, randomness } = parametersOf(vector)
    const key = oprfKeyOf(vector)
    const record = {
      clientPublicKey: ristretto255.decodeElement(field(vector, "client_public_key")),
      maskingKey: new Secret(field(vector, "masking_key")),
      envelope: { nonce: new Uint8Array(32), authTag: new Uint8Array(64) },
    }
    const holding = { share: key, vector: [ristretto255.multiplyBase(key)], record }
    const answered = answerFrom(
      server,
      { accountId, binding, ke1: field(vector, "KE1") },
      { holding, homeKey: server.ake.publicKey, version: 1, stretching, exists: false },
      randomness,
    )
    assert.ok(answered.ok)
    const { ke2 } = decode(loginResponseCodec, answered.value.response)
    assert.equal(toHex(encode(ke2Codec, ke2)), vector.outputs.KE2)
    cases++
  }
  assert.equal(cases, 1)
})

test("RFC 9807: what of the file is not ours, by count", () => {
  const groups = new Map<string, number>()
  for (const { config } of all.filter((v) => !applicable(v))) {
    groups.set(config.Group as string, (groups.get(config.Group as string) ?? 0) + 1)
  }
  // Other groups for the key exchange: two real cases and a fake one each.
  assert.deepEqual(
    groups,
    new Map([
      ["curve25519", 3],
      ["P256_XMD:SHA-256_SSWU_RO_", 3],
    ]),
  )
  assert.equal(all.length, 9)
})
