import assert from "node:assert/strict"
import {
  type BulkStepOutput,
  bulkStepInput,
  bulkStepOutput,
  deriveBody,
  LockKeeperError,
  type PreparedEcdsa,
  poolStatus,
  preparedEcdsa,
  prepareEcdsaBody,
  presignBody,
  requestDigest,
  type SignContent,
  type SignEcdsaOutput,
  type SignedRequest,
  setupPairsBody,
  showKeyBody,
  signEcdsaBody,
  signEcdsaInput,
  signEcdsaOutput,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  deliver,
  dkls,
  type KeyCertificate,
  type Message,
  messageCodec,
} from "@lockkeeper/protocols"
import { createKey } from "./flows.ts"
import { type ClusterOptions, startCluster } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

export const EMPTY: Bytes = new Uint8Array(0)

export const NO_MESSAGES: Bytes = encode(bulkStepInput, { messages: [] })

/** Sessions at every server, by its identifier. */
export type Sessions = ReadonlyMap<Identifier, TestSession>

export interface EcdsaWorld {
  readonly owner: TestOwner
  readonly sessions: Sessions
  readonly certificate: KeyCertificate
}

/** A cluster with an owner who is logged in everywhere and has an ECDSA key, and live pairs. */
export async function startEcdsa(options: ClusterOptions = {}): Promise<EcdsaWorld> {
  const owner = new TestOwner(await startCluster(options))
  await owner.register("correct horse")
  const opened = await owner.login("correct horse", owner.servers)
  const certificate = await createKey(owner, opened, "ecdsa-secp256k1")
  const sessions = new Map(opened.map((session) => [session.to.identifier, session] as const))
  await setUpPairs({ owner, sessions, certificate })
  return { owner, sessions, certificate }
}

export function at(sessions: Sessions, identifier: Identifier): TestSession {
  const session = sessions.get(identifier)
  assert.ok(session, `no session at server ${identifier}`)
  return session
}

/** One step of one request at one server. @throws LockKeeperError when it refuses. */
export async function actAt(
  session: TestSession,
  request: SignedRequest,
  step = 1,
  input: Bytes = EMPTY,
): Promise<Bytes> {
  const payload = { kind: "act", request, step, input: input.slice() } as const
  return expectKind(await session.call(payload), "act").output
}

export type Outputs = ReadonlyMap<Identifier, BulkStepOutput>

/** Alters what a coordinator carries, before a step. */
export type Tamper = (
  step: number,
  to: Identifier,
  messages: ReadonlyMap<Identifier, Message>,
) => ReadonlyMap<Identifier, Message>

/** What a server is given in the step after `outputs`. */
export function inputFor(to: Identifier, outputs: Outputs, step = 0, tamper?: Tamper): Bytes {
  const messages = new Map<Identifier, Message>()
  for (const [from, output] of outputs) {
    if (from === to || output.kind !== "message") continue
    messages.set(from, deliver(decode(dkls.dklsMessageCodec, output.message), to))
  }
  const given = tamper === undefined ? messages : tamper(step, to, messages)
  const encoded = [...given.values()].map((m) => encode(dkls.dklsMessageCodec, m))
  return encode(bulkStepInput, { messages: encoded })
}

/** Steps of a run at all its servers, until one does not answer with a message or `last` is done. */
export async function runBulk(
  sessions: Sessions,
  servers: readonly Identifier[],
  request: SignedRequest,
  { last = 5, tamper }: { readonly last?: number; readonly tamper?: Tamper } = {},
): Promise<{ readonly step: number; readonly outputs: Outputs }> {
  let outputs: Outputs = new Map()
  for (let step = 1; ; step++) {
    const next = new Map<Identifier, BulkStepOutput>()
    for (const server of servers) {
      const input = inputFor(server, outputs, step, tamper)
      const output = await actAt(at(sessions, server), request, step, input)
      next.set(server, decode(bulkStepOutput, output))
    }
    outputs = next
    const over = [...outputs.values()].some(({ kind }) => kind !== "message")
    if (over || step === last) return { step, outputs }
  }
}

export function allComplete(outputs: Outputs): void {
  for (const [server, output] of outputs) {
    assert.equal(output.kind, "complete", `server ${server}: ${JSON.stringify(output)}`)
  }
}

/** Longer than any run may take. */
function longLived(owner: TestOwner): { expiresAt: number } {
  return { expiresAt: owner.cluster.clock.time + 5 * 60_000 }
}

export function setupRequest(owner: TestOwner, servers: readonly Identifier[]): SignedRequest {
  const body = encode(setupPairsBody, { participants: servers })
  return owner.sign(owner.request("pairs.setup", body, { servers, ...longLived(owner) }))
}

export async function setUpPairs(
  { owner, sessions }: EcdsaWorld,
  servers: readonly Identifier[] = [...sessions.keys()],
): Promise<void> {
  const { step, outputs } = await runBulk(sessions, servers, setupRequest(owner, servers))
  assert.equal(step, 4)
  allComplete(outputs)
}

export function presignRequest(
  { owner, certificate }: EcdsaWorld,
  signers: readonly Identifier[],
  count = 2,
  urgency: "now" | "background" = "now",
): SignedRequest {
  const { keyId } = certificate.public
  const body = encode(presignBody, { keyId, keyEpoch: 1, signers, count, urgency, ready: null })
  return owner.sign(owner.request("presign", body, { servers: signers, ...longLived(owner) }))
}

export async function presignAt(
  world: EcdsaWorld,
  signers: readonly Identifier[],
  count = 2,
  urgency: "now" | "background" = "now",
): Promise<void> {
  const request = presignRequest(world, signers, count, urgency)
  const { step, outputs } = await runBulk(world.sessions, signers, request)
  assert.equal(step, 5)
  allComplete(outputs)
}

export async function deriveChildAt(world: EcdsaWorld, path: readonly number[]): Promise<void> {
  const { owner, sessions, certificate } = world
  const body = encode(deriveBody, { keyId: certificate.public.keyId, path })
  const request = owner.sign(owner.request("keys.derive", body))
  for (const session of sessions.values()) await actAt(session, request)
}

/** What signing takes from each signer: a nonce, and from the first one a presignature. */
export interface Prepared {
  readonly signers: readonly Identifier[]
  readonly nonces: readonly Bytes[]
  readonly presignature: Bytes
}

export async function prepareAt(
  { owner, sessions, certificate }: EcdsaWorld,
  signer: Identifier,
  signers: readonly Identifier[],
  count = 1,
): Promise<PreparedEcdsa> {
  const { keyId } = certificate.public
  const body = encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers, count })
  const request = owner.sign(owner.request("ecdsa.prepare", body))
  return decode(preparedEcdsa, await actAt(at(sessions, signer), request))
}

export async function prepareSet(
  world: EcdsaWorld,
  signers: readonly Identifier[],
): Promise<Prepared> {
  const nonces: Bytes[] = []
  let presignature: Bytes | undefined
  for (const signer of signers) {
    const prepared = await prepareAt(world, signer, signers)
    nonces.push(prepared.nonces[0] as Bytes)
    presignature ??= prepared.presignatures[0]
  }
  assert.ok(presignature, "the first signer offers a presignature")
  return { signers, nonces, presignature }
}

export interface Signing {
  readonly content: SignContent
  readonly path?: readonly number[]
}

export const DIGEST: Bytes = new Uint8Array(32).fill(0x5a)

export const SIGN_DIGEST: Signing = { content: { kind: "message", message: DIGEST } }

export function signRequestOf(
  { owner, certificate }: EcdsaWorld,
  { content, path = [] }: Signing = SIGN_DIGEST,
): SignedRequest {
  const { keyId } = certificate.public
  return owner.sign(owner.request("ecdsa.sign", encode(signEcdsaBody, { keyId, path, content })))
}

export function signInput({ presignature, nonces }: Prepared, prepare = 0): Bytes {
  return encode(signEcdsaInput, { keyEpoch: 1, presignature, nonces, prepare })
}

/** One server's share. @throws LockKeeperError when it refuses. */
export async function shareAt(
  { sessions }: EcdsaWorld,
  signer: Identifier,
  request: SignedRequest,
  prepared: Prepared,
  attempt = 1,
): Promise<SignEcdsaOutput> {
  const output = await actAt(at(sessions, signer), request, attempt, signInput(prepared))
  return decode(signEcdsaOutput, output)
}

/** A signature by a signer set over a digest, put together and verified. */
export async function signEcdsaWith(
  world: EcdsaWorld,
  prepared: Prepared,
  digest: Bytes = DIGEST,
  signing: Signing = SIGN_DIGEST,
): Promise<dkls.EcdsaSignature> {
  const request = signRequestOf(world, signing)
  const outputs = new Map<Identifier, SignEcdsaOutput>()
  for (const signer of prepared.signers) {
    outputs.set(signer, await shareAt(world, signer, request, prepared))
  }
  return combine(world, prepared, request, outputs, digest, signing)
}

export function combine(
  { owner, certificate }: EcdsaWorld,
  { signers, nonces, presignature }: Prepared,
  request: SignedRequest,
  outputs: ReadonlyMap<Identifier, SignEcdsaOutput>,
  digest: Bytes = DIGEST,
  { path = [] }: Signing = SIGN_DIGEST,
): dkls.EcdsaSignature {
  const { keyId, keyEpoch, rosterEpoch } = certificate.public
  const [first] = outputs.values()
  assert.ok(first)
  const combined = dkls.ecdsaCombine({
    order: {
      ...{ presignatureId: presignature, keyId, keyEpoch, rosterEpoch, digest, path, signers },
      ...{ requestDigest: requestDigest(request), attempt: 1 },
      nonces: nonces.map((nonce) => decode(messageCodec, nonce)),
    },
    certificate: decode(dkls.presignatureCertificateCodec, first.certificate),
    keyCertificate: certificate,
    shares: new Map([...outputs].map(([s, { share }]) => [s, decode(messageCodec, share)])),
    verifyKeys: new Map(owner.cluster.roster.members.map((m) => [m.identifier, m.identityKey])),
  })
  assert.ok(combined.ok, JSON.stringify(combined))
  return combined.value
}

export async function statusAt({ owner, sessions, certificate }: EcdsaWorld, server: Identifier) {
  const body = encode(showKeyBody, { keyId: certificate.public.keyId })
  const request = owner.sign(owner.request("pool.status", body))
  return decode(poolStatus, await actAt(at(sessions, server), request))
}

/** How many presignatures of a signer set a server has ready. */
export async function readyAt(
  world: EcdsaWorld,
  server: Identifier,
  signers: readonly Identifier[],
): Promise<number> {
  const { sets } = await statusAt(world, server)
  return sets.find((set) => set.signers.join() === signers.join())?.ready ?? 0
}

/** What a server refuses with, as `code field`. */
export async function refusal(acting: Promise<unknown>): Promise<string> {
  try {
    await acting
  } catch (error) {
    if (error instanceof LockKeeperError) return `${error.code} ${error.field}`
    throw error
  }
  return "no refusal"
}
