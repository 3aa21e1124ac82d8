import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import {
  type Element,
  evaluatePolynomial,
  groupByName,
  type Identifier,
  type Scalar,
  Secret,
  type SigningKey,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { type ChildPath, NO_PATH } from "../src/child-path.ts"
import { aggregate } from "../src/frost/aggregate.ts"
import { commit, type NonceState } from "../src/frost/commitment.ts"
import { openPackage, type SigningPackage } from "../src/frost/package.ts"
import { type Approved, sign } from "../src/frost/sign.ts"
import { NO_TWEAK, type Tweak } from "../src/frost/taproot.ts"
import { groupOf, type KeyType } from "../src/key-types.ts"
import {
  type AdditiveShare,
  confirmAddition,
  confirmKey,
  type KeyCertificate,
  type KeyPackage,
  type PublicKeyPackage,
} from "../src/keys.ts"
import type { Message } from "../src/messages/message.ts"
import type { Abort, Outcome } from "../src/outcome.ts"

/** Bytes that only depend on a name: the same in every run. */
export function seeded(name: string, length = 32): Bytes {
  return new Uint8Array(createHash("shake256", { outputLength: length }).update(name).digest())
}

export const ROSTER_EPOCH = 7

export interface Participant {
  readonly key: KeyPackage
  readonly identity: SigningKey
}

/** A key dealt by the test, with everyone's identity key and the certificate all have signed. */
export interface Cluster {
  readonly participants: ReadonlyMap<Identifier, Participant>
  readonly public: PublicKeyPackage
  readonly certificate: KeyCertificate
  readonly verifyKeys: ReadonlyMap<Identifier, Bytes>
  readonly secretKey: Scalar
}

export interface ClusterOptions {
  readonly keyType?: KeyType
  readonly minSigners?: number
  readonly maxSigners?: number
  readonly additive?: readonly Identifier[]
  readonly keyEpoch?: number
  readonly seed?: string
  /** Of the servers' sharing; drawn from the seed without it. */
  readonly secret?: Bytes
}

export function makeCluster(options: ClusterOptions = {}): Cluster {
  const { keyType = "ed25519", minSigners = 2, maxSigners = 3, additive = [] } = options
  const { keyEpoch = 1, seed = "cluster" } = options
  const group = groupByName(groupOf(keyType))
  const scalar = (name: string) => group.scalarFromUniform(seeded(`${seed}/${name}`, 64))
  const constant = options.secret ? group.decodeScalar(options.secret) : scalar("coefficient/0")
  const coefficients = [constant]
  for (let i = 1; i < minSigners; i++) coefficients.push(scalar(`coefficient/${i}`))
  const shares = new Map<Identifier, Scalar>()
  for (let i = 1; i <= maxSigners; i++) shares.set(i, evaluatePolynomial(group, coefficients, i))
  let secretKey = constant
  for (const identifier of additive) {
    shares.set(identifier, scalar(`additive/${identifier}`))
    secretKey = group.addScalars(secretKey, shares.get(identifier) as Scalar)
  }
  const images = new Map([...shares].map(([id, share]) => [id, group.multiplyBase(share)]))
  const pick = (isAdditive: boolean) =>
    new Map([...images].filter(([id]) => additive.includes(id) === isAdditive))
  const pkg: PublicKeyPackage = {
    keyId: seeded(`${seed}/keyId`),
    keyType,
    group: groupOf(keyType),
    keyEpoch,
    rosterEpoch: ROSTER_EPOCH,
    minSigners,
    verifyingKey: group.multiplyBase(secretKey),
    verifyingShares: pick(false) as ReadonlyMap<Identifier, Element>,
    additive: new Map([...pick(true)].map(([id, publicShare]) => [id, deviceOf(id, publicShare)])),
  }
  const participants = new Map<Identifier, Participant>()
  const confirmations = new Map<Identifier, Bytes>()
  for (const [identifier, share] of shares) {
    const identity = identityOf(identifier)
    const key = { identifier, signingShare: Secret.copyOf(share), public: pkg }
    participants.set(identifier, { key, identity })
    confirmations.set(
      identifier,
      (pkg.additive.has(identifier) ? confirmAddition : confirmKey)(identity, pkg),
    )
  }
  const verifyKeys = new Map([...participants].map(([id, p]) => [id, p.identity.publicKey]))
  return {
    participants,
    public: pkg,
    certificate: { public: pkg, confirmations },
    verifyKeys,
    secretKey,
  }
}

function identityOf(identifier: Identifier): SigningKey {
  return signingKeyFromSeed(new Secret(seeded(`identity/${identifier}`)))
}

function deviceOf(identifier: Identifier, publicShare: Element): AdditiveShare {
  return { publicShare, identityKey: identityOf(identifier).publicKey }
}

export function participant(cluster: Cluster, identifier: Identifier): Participant {
  const found = cluster.participants.get(identifier)
  assert.ok(found, `no participant ${identifier}`)
  return found
}

export interface Session {
  readonly cluster: Cluster
  readonly states: Map<Identifier, NonceState>
  readonly package: SigningPackage
  readonly approved: Approved
}

export interface SessionOptions {
  readonly message?: Bytes
  readonly tweak?: Tweak
  readonly path?: ChildPath
  readonly seed?: string
  readonly attempt?: number
}

/** Commitments of the signers and the package over them, as an honest coordinator makes it. */
export function makeSession(
  cluster: Cluster,
  signers: readonly Identifier[],
  options: SessionOptions = {},
): Session {
  const {
    message = utf8("pay the bearer"),
    tweak = NO_TWEAK,
    path = NO_PATH,
    seed = "session",
    attempt = 1,
  } = options
  const states = new Map<Identifier, NonceState>()
  const commitments: Message[] = []
  for (const identifier of signers) {
    const { key, identity } = participant(cluster, identifier)
    const randomness = seeded(`${seed}/${identifier}`, 96)
    const committed = commit({ key, identity, rosterEpoch: ROSTER_EPOCH, randomness })
    states.set(identifier, committed.state)
    commitments.push(committed.message)
  }
  const { keyId, keyEpoch } = cluster.public
  const approved = { requestDigest: seeded(`${seed}/request`), message, tweak, path }
  const place = { keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH, attempt }
  return { cluster, states, package: { ...place, ...approved, commitments }, approved }
}

/** What one signer answers to a package. */
export function signAs(
  session: Session,
  identifier: Identifier,
  pkg: SigningPackage = session.package,
): Outcome<Message> {
  const { key, identity } = participant(session.cluster, identifier)
  const state = session.states.get(identifier)
  assert.ok(state, `no commitment of ${identifier}`)
  const { approved, cluster } = session
  const { verifyKeys } = cluster
  const rosterEpoch = ROSTER_EPOCH
  return sign({ state, key, package: pkg, approved, verifyKeys, rosterEpoch, identity })
}

/** The shares of all signers of a session. */
export function allShares(session: Session): Map<Identifier, Message> {
  return new Map([...session.states.keys()].map((id) => [id, value(signAs(session, id))]))
}

/** What the coordinator makes of the shares. */
export function aggregateSession(
  session: Session,
  shares: ReadonlyMap<Identifier, Message> = allShares(session),
): Outcome<Bytes> {
  const { certificate, verifyKeys } = session.cluster
  const opened = openPackage(session.package, { public: session.cluster.public, verifyKeys })
  return opened.ok ? aggregate({ opened: opened.value, shares, certificate, verifyKeys }) : opened
}

export function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? "" : `aborted: ${outcome.abort.reason} ${outcome.abort.field}`)
  return outcome.value
}

export function abortOf<T>(outcome: Outcome<T>): Abort {
  assert.ok(!outcome.ok, "expected an abort")
  return outcome.abort
}

/** Asserts that a run stopped for exactly this reason and names exactly these participants. */
export function assertAbort<T>(
  outcome: Outcome<T>,
  reason: Abort["reason"],
  expected: {
    readonly culprits?: readonly Identifier[]
    readonly silent?: readonly Identifier[]
  } = {},
): Abort {
  const abort = abortOf(outcome)
  assert.equal(abort.reason, reason)
  assert.deepEqual(abort.culprits, expected.culprits ?? [])
  assert.deepEqual(abort.silent, expected.silent ?? [])
  assert.equal(abort.pair, null)
  assert.equal(abort.evidence.length, abort.culprits.length)
  return abort
}
