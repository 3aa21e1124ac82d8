import assert from "node:assert/strict"
import { test } from "node:test"
import {
  commitmentList,
  createKeyBody,
  eventCodec,
  type Operation,
  prepareBody,
  prepareEcdsaBody,
  reportIncidentBody,
  requestDigest,
  signBody,
  signStepInput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { frost, type KeyCertificate, type Message, messageCodec } from "@lockkeeper/protocols"
import {
  actAt,
  at,
  type EcdsaWorld,
  NO_MESSAGES,
  prepareSet,
  presignAt,
  presignRequest,
  readyAt,
  refusal,
  setupRequest,
  shareAt,
  signEcdsaWith,
  signRequestOf,
  startEcdsa,
} from "./ecdsa-flows.ts"
import { equivocationBy } from "./evidence.ts"
import { createKey, signWith } from "./flows.ts"
import { snapshot } from "./row-store-conformance.ts"

const NAMED = "quarantined quarantined.3"

async function quarantine(world: EcdsaWorld, server: number): Promise<void> {
  const { owner, sessions } = world
  const evidence = equivocationBy(owner.cluster, server)
  const body = encode(reportIncidentBody, { evidence })
  const request = owner.sign(owner.request("incidents.report", body))
  for (const [id, session] of sessions) if (id !== server) await actAt(session, request)
}

/** Server 1 refuses, naming the server, and changes no row by it. */
async function refused(world: EcdsaWorld, act: () => Promise<unknown>, what: string) {
  const { rows } = at(world.sessions, 1).to
  const records = async () => (await snapshot(rows)).replace(/\nlog .*$/, "")
  const before = await records()
  assert.equal(await refusal(act()), NAMED, what)
  assert.equal(await records(), before, what)
}

function asked({ owner }: EcdsaWorld, operation: Operation, body: Bytes, servers = [1, 2, 3]) {
  return owner.sign(owner.request(operation, body, { servers }))
}

async function commitmentsOf(world: EcdsaWorld, { keyId }: KeyCertificate["public"]) {
  const request = asked(
    world,
    "sign.prepare",
    encode(prepareBody, { keyId, keyEpoch: 1, count: 1 }),
  )
  const given = new Map<number, Message>()
  for (const [id, session] of world.sessions) {
    const [first] = decode(commitmentList, await actAt(session, request))
    given.set(id, decode(messageCodec, first as Bytes))
  }
  return given
}

/** A signing request and the input with these signers' commitments. */
function frostSigning(
  world: EcdsaWorld,
  certificate: KeyCertificate,
  commitments: ReadonlyMap<number, Message>,
  signers: readonly number[],
) {
  const { keyId, rosterEpoch } = certificate.public
  const message = new Uint8Array(4).fill(1)
  const content = { kind: "message", message } as const
  const body = encode(signBody, { keyId, path: [], content, merkleRoot: null })
  const request = asked(world, "sign", body)
  const { members } = world.owner.cluster.roster
  const verifyKeys = new Map(members.map((m) => [m.identifier, m.identityKey]))
  const context = { public: certificate.public, verifyKeys, rosterEpoch }
  const opened = signers.map((id) => {
    const one = frost.openCommitment(commitments.get(id) as Message, context)
    if (!one.ok) throw new Error(one.abort.reason)
    return one.value
  })
  const prepared = frost.preparePackage(
    {
      ...{ rosterEpoch, requestDigest: requestDigest(request), attempt: 1, message },
      ...{ tweak: frost.NO_TWEAK, path: [] },
    },
    certificate.public,
    opened,
  )
  if (!prepared.ok) throw new Error(prepared.abort.reason)
  const signingPackage = encode(frost.signingPackageCodec, prepared.value.package)
  return { request, input: encode(signStepInput, { signingPackage, prepare: 0 }) }
}

test("no operation takes part with a quarantined server, nor takes anything for it", async () => {
  const world = await startEcdsa()
  const { owner, sessions, certificate } = world
  const first = at(sessions, 1)
  const frostKey = await createKey(owner, [...sessions.values()], "ed25519")
  await presignAt(world, [1, 3])
  const prepared = await prepareSet(world, [1, 3])
  const commitments = await commitmentsOf(world, frostKey.public)
  await quarantine(world, 3)

  const signing = frostSigning(world, frostKey, commitments, [1, 3])
  await refused(world, () => actAt(first, signing.request, 1, signing.input), "sign")
  const holders = [1, 2, 3]
  const create = encode(createKeyBody, {
    ...{
      keyId: new Uint8Array(32).fill(8),
      keyType: "ed25519",
      custody: { kind: "custodial" },
      label: "",
    },
    ...{ minSigners: 2, holders, attempt: 1 },
  } as const)
  for (const step of [1, 2, 3, 4, 5]) {
    const act = () => actAt(first, asked(world, "keys.create", create), step, NO_MESSAGES)
    await refused(world, act, `keys.create ${step}`)
  }
  await refused(
    world,
    () => actAt(first, setupRequest(owner, [1, 2, 3]), 1, NO_MESSAGES),
    "pairs.setup",
  )
  await refused(world, () => actAt(first, presignRequest(world, [1, 3]), 1, NO_MESSAGES), "presign")
  const { keyId } = certificate.public
  const prepare = encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers: [1, 3], count: 1 })
  await refused(world, () => actAt(first, asked(world, "ecdsa.prepare", prepare)), "ecdsa.prepare")
  const request = signRequestOf(world)
  await refused(world, () => shareAt(world, 1, request, prepared), "ecdsa.sign")
  // The presignature is still there, and so is the commitment: another set goes on with it.
  assert.equal(await readyAt(world, 1, [1, 3]), 2)
  const other = frostSigning(world, frostKey, commitments, [1, 2])
  await actAt(first, other.request, 1, other.input)
})

test("everyone else works on without a quarantined server", async () => {
  const world = await startEcdsa()
  const { owner, sessions } = world
  await quarantine(world, 3)
  const two = [at(sessions, 1), at(sessions, 2)]
  const certificate = await createKey(owner, two, "ed25519")
  await signWith(owner, two, certificate, new Uint8Array(5))
  await presignAt(world, [1, 2])
  await signEcdsaWith(world, await prepareSet(world, [1, 2]))
})

test("a run that had begun ends where its participant is quarantined, and so does a quarantined server's own part", async () => {
  const world = await startEcdsa()
  const request = presignRequest(world, [1, 3])
  await actAt(at(world.sessions, 1), request, 1, NO_MESSAGES)
  await quarantine(world, 3)
  const second = actAt(at(world.sessions, 1), request, 2, NO_MESSAGES)
  assert.equal(await refusal(second), NAMED)
  // The quarantined server itself has not been told, and is held to what it says by the others.
  assert.deepEqual(at(world.sessions, 3).to.server.incidents.quarantined, [])
})

test("the refusal is logged with its code", async () => {
  const world = await startEcdsa()
  await quarantine(world, 3)
  const { store } = at(world.sessions, 1).to
  await refusal(actAt(at(world.sessions, 1), setupRequest(world.owner, [1, 3]), 1, NO_MESSAGES))
  const end = (await store.logPosition())?.index ?? 0
  const [entry] = await store.entries(end, 1)
  const { operation, outcome, reason } = decode(eventCodec, entry!.event)
  assert.deepEqual([operation, outcome, reason], ["pairs.setup", "refused", "quarantined"])
})
