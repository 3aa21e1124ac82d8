import assert from "node:assert/strict"
import { before, test } from "node:test"
import {
  deriveBody,
  FIRST_HARDENED,
  LockKeeperError,
  type Operation,
  prepareEcdsaBody,
  presignBody,
  type SignContent,
  type SignEcdsaInput,
  setupPairsBody,
  showKeyBody,
  signBody,
  signEcdsaBody,
  signEcdsaInput,
  signStepInput,
} from "@lockkeeper/api"
import { secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, encode, fromHex } from "@lockkeeper/encoding"
import { type KeyCertificate, messageCodec } from "@lockkeeper/protocols"
import {
  actAt,
  at,
  DIGEST,
  type EcdsaWorld,
  NO_MESSAGES,
  type Prepared,
  prepareAt,
  prepareSet,
  presignAt,
  presignRequest,
  refusal,
  setupRequest,
  shareAt,
  signEcdsaWith,
  signInput,
  signRequestOf,
  startEcdsa,
} from "./ecdsa-flows.ts"
import { createKey } from "./flows.ts"
import { TestOwner, type TestSession } from "./owner.ts"
import { BIP86_KEY, p2wpkhPsbt, taprootPsbt } from "./psbts.ts"
import { snapshot } from "./row-store-conformance.ts"
import { EVM_CONTENTS, TYPED_DATA } from "./signed-contents.ts"

const EMPTY = new Uint8Array(0)

let world: EcdsaWorld
let session: TestSession
let ed25519: KeyCertificate
let bip340: KeyCertificate
let prepared: Prepared

before(async () => {
  world = await startEcdsa()
  session = at(world.sessions, 1)
  const sessions = [...world.sessions.values()]
  ed25519 = await createKey(world.owner, sessions, "ed25519")
  bip340 = await createKey(world.owner, sessions, "bip340")
  await presignAt(world, [1, 2], 4)
  prepared = await prepareSet(world, [1, 2])
})

/** The rows, without the log: refusals are logged and change nothing else. */
async function records(): Promise<string> {
  return (await snapshot(session.to.rows)).replace(/\nlog .*$/, "")
}

interface Asked {
  readonly servers?: readonly number[]
  readonly step?: number
  readonly input?: Bytes
}

/** That server 1 refuses with `code field`, and that its rows stay as they are. */
async function refused(
  operation: Operation,
  body: Bytes,
  expected: string,
  { servers, step = 1, input = EMPTY }: Asked = {},
): Promise<void> {
  const { owner } = world
  const request = owner.sign(owner.request(operation, body, servers ? { servers } : {}))
  const beforehand = await records()
  assert.equal(await refusal(actAt(session, request, step, input)), expected)
  assert.equal(await records(), beforehand, `${operation}: ${expected}`)
}

function keyId(): Bytes {
  return world.certificate.public.keyId
}

test("paths that lead to no child of a shared key are refused", async () => {
  const derive = (path: readonly number[]) => encode(deriveBody, { keyId: keyId(), path })
  await refused("keys.derive", derive([FIRST_HARDENED]), "invalid-request body.path")
  await refused("keys.derive", derive([0, 2 ** 32 - 1]), "invalid-request body.path")
  const { owner } = world
  const hardenedChild = derive([FIRST_HARDENED + 44])
  const request = owner.sign(owner.request("keys.derive", hardenedChild))
  await assert.rejects(actAt(session, request), (error) => {
    assert.ok(error instanceof LockKeeperError)
    assert.match(error.message, /hardened/)
    assert.match(error.remedy, /below 2\^31/)
    return true
  })
  const content = { kind: "message", message: DIGEST } as const
  const sign = (path: readonly number[]) => encode(signEcdsaBody, { keyId: keyId(), path, content })
  const input = signInput(prepared)
  const hardened = sign([44 + FIRST_HARDENED])
  await refused("ecdsa.sign", hardened, "invalid-request body.path", { input })
  await refused("ecdsa.sign", sign([1, 2, 3]), "not-found body.path", { input })
  const frost = encode(signBody, {
    ...{ keyId: ed25519.public.keyId, content, merkleRoot: null },
    path: [FIRST_HARDENED],
  })
  const pkg = encode(signStepInput, { signingPackage: EMPTY, prepare: 0 })
  await refused("sign", frost, "invalid-request body.path", { input: pkg })
})

const order = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")

function evm(transaction: Bytes): SignContent {
  return { kind: "evm-transaction", transaction }
}

function badContents(): readonly (readonly [string, SignContent, string])[] {
  const message = (bytes: Bytes): SignContent => ({ kind: "message", message: bytes })
  const field = "invalid-request body.content.message"
  const above = order.slice()
  above[31] = 0x42
  const known = EVM_CONTENTS[2]?.content
  assert.ok(known?.kind === "evm-transaction")
  const { transaction } = known
  const own = p2wpkhPsbt(world.certificate.public.verifyingKey)
  const foreign = p2wpkhPsbt(fromHex(`02${BIP86_KEY}`))
  const typed = (typedData: string): SignContent => ({ kind: "evm-typed-data", typedData })
  return [
    ["no digest", message(EMPTY), field],
    ["31 bytes", message(new Uint8Array(31).fill(1)), field],
    ["33 bytes", message(new Uint8Array(33).fill(1)), field],
    ["zero", message(new Uint8Array(32)), field],
    ["the order", message(order), field],
    ["above the order", message(above), field],
    ["all ones", message(new Uint8Array(32).fill(255)), field],
    ["no transaction", evm(EMPTY), "invalid-request body.content.transaction"],
    ["a cut transaction", evm(transaction.slice(0, -1)), "transaction"],
    ["a longer one", evm(new Uint8Array([...transaction, 0])), "transaction"],
    ["an unknown type", evm(new Uint8Array([5, ...transaction.slice(1)])), "transaction"],
    ["no typed data", typed(""), "typedData"],
    ["typed data with a name twice", typed(TYPED_DATA.replace("{", '{"domain":{},')), "typedData"],
    ["typed data that lacks a field", typed(TYPED_DATA.replace('"text":"hello"', "")), "typedData"],
    ["no PSBT", { kind: "bitcoin-input", psbt: EMPTY, input: 0 }, "psbt"],
    ["an input that is not there", { kind: "bitcoin-input", psbt: own, input: 1 }, "psbt"],
    ["a foreign input", { kind: "bitcoin-input", psbt: foreign, input: 0 }, "psbt"],
    ["a Taproot input", { kind: "bitcoin-input", psbt: taprootPsbt(), input: 0 }, "psbt"],
    ["a cut PSBT", { kind: "bitcoin-input", psbt: own.slice(0, -1), input: 0 }, "psbt"],
  ]
}

test("content that cannot be signed is refused by field and consumes nothing", async () => {
  const contents = badContents()
  assert.equal(contents.length, 19)
  const beforehand = await records()
  for (const [name, content, expected] of contents) {
    const refusing = shareAt(world, 1, signRequestOf(world, { content }), prepared)
    const found = await refusal(refusing)
    if (expected.includes(" ")) assert.equal(found, expected, name)
    else
      assert.ok(found.startsWith(`invalid-request body.content.${expected}`), `${name}: ${found}`)
  }
  assert.equal(await records(), beforehand)
})

test("keys of another type do not sign what is not theirs", async () => {
  const input = signInput(prepared)
  const [, , transaction] = EVM_CONTENTS
  assert.ok(transaction)
  const { content } = transaction
  for (const { public: key } of [ed25519, bip340]) {
    const body = encode(signEcdsaBody, { keyId: key.keyId, path: [], content })
    await refused("ecdsa.sign", body, "invalid-request body.keyId", { input })
    const status = encode(showKeyBody, { keyId: key.keyId })
    await refused("pool.status", status, "invalid-request body.keyId")
    const signers = [1, 2]
    const prepare = encode(prepareEcdsaBody, { keyId: key.keyId, keyEpoch: 1, signers, count: 1 })
    await refused("ecdsa.prepare", prepare, "invalid-request body.keyId")
    const batch = {
      keyId: key.keyId,
      keyEpoch: 1,
      signers,
      count: 1,
      urgency: "now",
      ready: null,
    } as const
    const presign = { servers: signers, input: NO_MESSAGES }
    const body2 = encode(presignBody, batch)
    await refused("presign", body2, "invalid-request body.keyId", presign)
  }
})

test("nonces and presignatures that are not the signers' are refused and consume nothing", async () => {
  const request = signRequestOf(world)
  const beforehand = await records()
  const [first, second] = prepared.nonces as [Bytes, Bytes]
  const third = (await prepareAt(world, 3, [1, 3])).nonces[0] as Bytes
  const flipped = first.slice()
  flipped[flipped.length - 80] = (flipped.at(-80) as number) ^ 1
  const cases: readonly (readonly [string, Partial<SignEcdsaInput>, string])[] = [
    ["none", { nonces: [] }, "invalid-request input.nonces"],
    ["one", { nonces: [first] }, "invalid-request input.nonces"],
    ["in another order", { nonces: [second, first] }, "invalid-request input.nonces"],
    ["one twice", { nonces: [first, first] }, "invalid-request input.nonces"],
    ["another server's", { nonces: [first, third] }, "invalid-request input.nonces"],
    ["too many", { nonces: [first, second, third] }, "invalid-request input.nonces"],
    ["garbage", { nonces: [first, EMPTY] }, "input.nonces.1"],
    ["an unknown presignature", { presignature: DIGEST }, "conflict input.presignature"],
    ["another generation", { keyEpoch: 2 }, "conflict keyEpoch"],
    ["too much to prepare", { prepare: 17 }, "invalid-request input.prepare"],
  ]
  for (const [name, changes, expected] of cases) {
    const input = encode(signEcdsaInput, { keyEpoch: 1, ...prepared, prepare: 0, ...changes })
    const found = await refusal(actAt(session, request, 1, input))
    if (expected.includes(" ")) assert.equal(found, expected, name)
    else assert.ok(found.startsWith(`invalid-request ${expected}`), `${name}: ${found}`)
  }
  const forged = encode(signEcdsaInput, {
    keyEpoch: 1,
    ...prepared,
    nonces: [flipped, second],
    prepare: 0,
  })
  assert.match(await refusal(actAt(session, request, 1, forged)), /^invalid-request input\.nonces/)
  // The logs and the answers to `ecdsa.prepare` aside, nothing was written.
  const left = (rows: string) => rows.split("\n").filter((row) => !row.startsWith("answers"))
  assert.deepEqual(left(await records()), left(beforehand))
})

test("signer sets, batches and participants that are not sound are refused", async () => {
  const bad = {
    keyId: keyId(),
    keyEpoch: 1,
    signers: [1, 2],
    count: 1,
    urgency: "now",
    ready: null,
  } as const
  const presign = async (changes: object, expected: string, servers: readonly number[] = [1, 2]) =>
    refused("presign", encode(presignBody, { ...bad, ...changes }), expected, {
      ...{ servers, input: NO_MESSAGES },
    })
  await presign({ count: 0 }, "invalid-request body.count")
  await presign({ count: 17 }, "invalid-request body.count")
  await presign({ signers: [1, 3] }, "invalid-request body.signers")
  await presign({ signers: [1, 2, 3] }, "invalid-request body.signers", [1, 2, 3])
  await presign({ signers: [1] }, "invalid-request body.signers", [1])
  await presign({ signers: [1, 9] }, "invalid-request body.signers", [1, 9])
  await presign({ keyId: DIGEST }, "not-found keyId")
  await presign({ keyEpoch: 2 }, "conflict keyEpoch")
  const prepare = async (changes: object, expected: string) =>
    refused("ecdsa.prepare", encode(prepareEcdsaBody, { ...bad, ...changes }), expected)
  await prepare({ count: 0 }, "invalid-request body.count")
  await prepare({ count: 17 }, "invalid-request body.count")
  await prepare({ keyEpoch: 2 }, "conflict keyEpoch")
  await prepare({ signers: [2, 1] }, "invalid-request body.signers")
  await prepare({ signers: [1, 1] }, "invalid-request body.signers")
  await prepare({ signers: [2, 3] }, "invalid-request body.signers")
  await prepare({ signers: [] }, "invalid-request body.signers")
  await prepare({ signers: [1, 9] }, "invalid-request body.signers")
  const setup = async (participants: readonly number[], servers: readonly number[]) =>
    refused(
      "pairs.setup",
      encode(setupPairsBody, { participants }),
      "invalid-request body.participants",
      { servers, input: NO_MESSAGES },
    )
  await setup([1], [1])
  await setup([1, 2], [1, 2, 3])
  await setup([1, 9], [1, 9])
})

test("messages that are none are refused and end no run", async () => {
  const garbage = encode(messageCodec, {
    header: { bytes: EMPTY, signature: new Uint8Array(64) },
    ...{ broadcast: EMPTY, sealed: new Map() },
  }).slice(0, -1)
  const input = new Uint8Array([0, 0, 0, 1, 0, 0, 0, garbage.length, ...garbage])
  const request = presignRequest(world, [1, 2])
  await actAt(session, request, 1, NO_MESSAGES)
  const beforehand = await records()
  const found = await refusal(actAt(session, request, 2, input))
  assert.match(found, /^invalid-request input\.messages\.0/)
  assert.equal(await records(), beforehand)
  const setup = setupRequest(world.owner, [1, 2, 3])
  await actAt(session, setup, 1, NO_MESSAGES)
  assert.match(await refusal(actAt(session, setup, 2, input)), /^invalid-request input\.messages/)
})

test("another account's key cannot be derived, presigned, prepared or signed with", async () => {
  const mallory = new TestOwner(world.owner.cluster, "mallory")
  await mallory.register("another password")
  const [theirs] = await mallory.login("another password")
  assert.ok(theirs)
  const signers = [1, 2]
  const content = { kind: "message", message: DIGEST } as const
  const presign = {
    keyId: keyId(),
    keyEpoch: 1,
    signers,
    count: 1,
    urgency: "now",
    ready: null,
  } as const
  const bodies: readonly (readonly [Operation, Bytes, Bytes])[] = [
    ["keys.derive", encode(deriveBody, { keyId: keyId(), path: [1] }), EMPTY],
    ["presign", encode(presignBody, presign), NO_MESSAGES],
    ["pool.status", encode(showKeyBody, { keyId: keyId() }), EMPTY],
    [
      "ecdsa.prepare",
      encode(prepareEcdsaBody, { keyId: keyId(), keyEpoch: 1, signers, count: 1 }),
      EMPTY,
    ],
    [
      "ecdsa.sign",
      encode(signEcdsaBody, { keyId: keyId(), path: [], content }),
      signInput(prepared),
    ],
  ]
  const beforehand = await records()
  for (const [operation, body, input] of bodies) {
    const request = mallory.sign(mallory.request(operation, body, { servers: signers }))
    assert.equal(await refusal(actAt(theirs, request, 1, input)), "not-found keyId", operation)
  }
  assert.equal(await records(), beforehand)
})

test("after all that was refused, the same presignature and nonces still sign", async () => {
  const signature = await signEcdsaWith(world, prepared)
  assert.equal(secp256k1.decodeScalar(signature.s).length, 32)
})
