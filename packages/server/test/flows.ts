import assert from "node:assert/strict"
import {
  commitmentList,
  createKeyBody,
  type KeyType,
  prepareBody,
  protocolStepInput,
  requestDigest,
  type SignedRequest,
  signBody,
  signStepInput,
  signStepOutput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  dkg,
  frost,
  type KeyCertificate,
  keyCertificateCodec,
  messageCodec,
} from "@lockkeeper/protocols"
import { expectKind, type TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

/** Runs a key generation over the owner's sessions. */
export async function createKey(
  owner: TestOwner,
  sessions: readonly TestSession[],
  keyType: KeyType,
  keyId: Bytes = owner.randomness.bytes(32),
): Promise<KeyCertificate> {
  const { roster } = owner.cluster
  const holders = sessions.map((s) => s.to.identifier)
  const { minSigners, rosterEpoch } = roster
  const body = {
    keyId,
    keyType,
    custody: { kind: "custodial" },
    label: "",
    minSigners,
    holders,
    attempt: 1,
  } as const
  const request = owner.sign(
    owner.request("keys.create", encode(createKeyBody, body), { servers: holders }),
  )
  const additive = new Map()
  const params = {
    ...{ keyId, keyType, minSigners, participants: holders, additive, rosterEpoch, attempt: 1 },
  }
  const verifyKeys = new Map(roster.members.map((m) => [m.identifier, m.identityKey]))
  const run = async (step: number, deliveries: dkg.Deliveries) =>
    Promise.all(
      sessions.map(async (session) => {
        const messages = deliveries.get(session.to.identifier) ?? []
        const input = encode(protocolStepInput, {
          messages: messages.map((m) => encode(messageCodec, m)),
        })
        const answer = expectKind(await session.call({ kind: "act", request, step, input }), "act")
        return { from: session.to.identifier, output: answer.output }
      }),
    )
  const steps = { open: 1, reveal: 2, verdict: 3, answer: 5 } as const
  let task = dkg.dkgCoordinate(params, verifyKeys)
  while (task.kind === "ask") {
    const answers = await run(steps[task.step], task.deliveries)
    const responses = answers.map(({ from, output }) => ({
      from,
      message: decode(messageCodec, output),
    }))
    task = dkg.dkgAdvance(task.waiting, responses)
  }
  assert.equal(
    task.kind,
    "activate",
    JSON.stringify(task, (_, v) => (v instanceof Map ? [...v] : v)).slice(0, 600),
  )
  if (task.kind !== "activate") throw new Error("unreachable")
  for (const { output } of await run(4, task.deliveries)) {
    assert.deepEqual(decode(keyCertificateCodec, output), task.certificate)
  }
  return task.certificate
}

/**
 * A signing request with what each of the sessions' servers takes for it: their nonces are prepared.
 *
 * @param again - a request that is to have its second attempt.
 */
export async function prepareToSign(
  owner: TestOwner,
  sessions: readonly TestSession[],
  certificate: KeyCertificate,
  message: Bytes,
  path: readonly number[] = [],
  again: SignedRequest | null = null,
) {
  const { keyId, keyEpoch, rosterEpoch } = certificate.public
  const servers = sessions.map((s) => s.to.identifier).sort((a, b) => a - b)
  const prepare = owner.sign(
    owner.request("sign.prepare", encode(prepareBody, { keyId, keyEpoch, count: 1 }), {
      servers,
    }),
  )
  const commitments = await Promise.all(
    sessions.map(async (session) => {
      const payload = { kind: "act", request: prepare, step: 1, input: EMPTY } as const
      const answer = expectKind(await session.call(payload), "act")
      return decode(messageCodec, decode(commitmentList, answer.output)[0] as Bytes)
    }),
  )
  const fresh = owner.sign(
    owner.request(
      "sign",
      encode(signBody, {
        keyId,
        path,
        content: { kind: "message", message },
        merkleRoot: null,
      }),
      { servers },
    ),
  )
  const request = again ?? fresh
  const attempt = again === null ? 1 : 2
  const verifyKeys = new Map(owner.cluster.roster.members.map((m) => [m.identifier, m.identityKey]))
  const context = { public: certificate.public, verifyKeys, rosterEpoch }
  const opened = commitments.map((c) => {
    const one = frost.openCommitment(c, context)
    if (!one.ok) throw new Error(one.abort.reason)
    return one.value
  })
  const asked = { rosterEpoch, requestDigest: requestDigest(request), attempt, message }
  const prepared = frost.preparePackage(
    { ...asked, tweak: frost.NO_TWEAK, path },
    certificate.public,
    opened,
  )
  if (!prepared.ok) throw new Error(prepared.abort.reason)
  const input = encode(signStepInput, {
    signingPackage: encode(frost.signingPackageCodec, prepared.value.package),
    prepare: 1,
  })
  return { request, input, prepared: prepared.value }
}

/** Signs with the sessions' servers, each step over the wire contract. */
export async function signWith(
  owner: TestOwner,
  sessions: readonly TestSession[],
  certificate: KeyCertificate,
  message: Bytes,
  path: readonly number[] = [],
): Promise<Bytes> {
  const { request, input, prepared } = await prepareToSign(
    owner,
    sessions,
    certificate,
    message,
    path,
  )
  const verifyKeys = new Map(owner.cluster.roster.members.map((m) => [m.identifier, m.identityKey]))
  const shares = new Map()
  for (const session of sessions) {
    const answer = expectKind(await session.call({ kind: "act", request, step: 1, input }), "act")
    shares.set(
      session.to.identifier,
      decode(messageCodec, decode(signStepOutput, answer.output).share),
    )
  }
  const outcome = frost.aggregate({ opened: prepared, shares, certificate, verifyKeys })
  assert.ok(outcome.ok, JSON.stringify(outcome))
  return outcome.value
}
