import {
  type Element,
  edwards25519,
  evaluatePolynomial,
  type Identifier,
  type Scalar,
  Secret,
  type SigningKey,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import {
  confirmKey,
  frost,
  type KeyCertificate,
  type KeyPackage,
  type Message,
  type Outcome,
  type PublicKeyPackage,
} from "@lockkeeper/protocols"
import { ed25519_FROST } from "@noble/curves/ed25519.js"
import type { Bench } from "./bench.ts"
import { cpuMsPerRun } from "./measure.ts"

const MESSAGE = utf8("CPU time of one signature")
const ROSTER_EPOCH = 1

function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}

function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`benchmark aborted: ${outcome.abort.reason}`)
  return outcome.value
}

interface Signer {
  readonly key: KeyPackage
  readonly identity: SigningKey
}

interface Cluster {
  readonly certificate: KeyCertificate
  readonly signers: readonly Signer[]
  readonly verifyKeys: ReadonlyMap<Identifier, Bytes>
}

/** Three servers with a 2-of-3 key; a dealer stands in for the key generation. */
function deal(): Cluster {
  const group = edwards25519
  const coefficients: Scalar[] = [random(64), random(64)].map((b) => group.scalarFromUniform(b))
  const shares = [1, 2, 3].map((id) => evaluatePolynomial(group, coefficients, id))
  const pkg: PublicKeyPackage = {
    keyId: random(32),
    keyType: "ed25519",
    group: "edwards25519",
    keyEpoch: 1,
    rosterEpoch: ROSTER_EPOCH,
    minSigners: 2,
    verifyingKey: group.multiplyBase(coefficients[0] as Scalar),
    verifyingShares: new Map<Identifier, Element>(
      shares.map((share, i) => [i + 1, group.multiplyBase(share)]),
    ),
    additive: new Map(),
  }
  const signers = shares.map((share, i) => ({
    identity: signingKeyFromSeed(new Secret(random(32))),
    key: { identifier: i + 1, signingShare: new Secret(share), public: pkg },
  }))
  return {
    signers,
    certificate: {
      public: pkg,
      confirmations: new Map(
        signers.map(({ key, identity }) => [key.identifier, confirmKey(identity, pkg)]),
      ),
    },
    verifyKeys: new Map(signers.map(({ key, identity }) => [key.identifier, identity.publicKey])),
  }
}

/** Two of three sign, with every message signed and every check made; servers and coordinator. */
function signOurs({ certificate, signers, verifyKeys }: Cluster): Bytes {
  const key = certificate.public
  const rosterEpoch = ROSTER_EPOCH
  const chosen = signers.slice(0, 2)
  const committed = chosen.map((signer) =>
    frost.commit({ ...signer, rosterEpoch, randomness: random(96) }),
  )
  const context = { public: key, verifyKeys, rosterEpoch }
  const commitments = committed.map(({ message }) => unwrap(frost.openCommitment(message, context)))
  const asked = { requestDigest: key.keyId, message: MESSAGE }
  const approved = { ...asked, tweak: frost.NO_TWEAK, path: [] }
  const request = { ...approved, rosterEpoch, attempt: 1 }
  const opened = unwrap(frost.preparePackage(request, key, commitments))
  const shares = new Map<Identifier, Message>()
  for (const [i, signer] of chosen.entries()) {
    const { state } = committed[i] as (typeof committed)[number]
    const input = { ...signer, state, package: opened.package, approved, verifyKeys, rosterEpoch }
    shares.set(signer.key.identifier, unwrap(frost.sign(input)))
  }
  return unwrap(frost.aggregate({ opened, shares, certificate, verifyKeys }))
}

type Dealt = ReturnType<typeof ed25519_FROST.trustedDealer>

/** The same by noble's FROST, whose shares and commitments travel unsigned. */
function signTheirs(dealt: Dealt): Uint8Array {
  const [first, second] = Object.values(dealt.secretShares)
  if (!first || !second) throw new Error("dealer made too few shares")
  const signers = [first, second].map((secret) => ({ secret, ...ed25519_FROST.commit(secret) }))
  const list = signers.map(({ commitments }) => commitments)
  const shares = Object.fromEntries(
    signers.map(({ secret, nonces }) => [
      secret.identifier,
      ed25519_FROST.signShare(secret, dealt.public, nonces, list, MESSAGE),
    ]),
  )
  return ed25519_FROST.aggregate(dealt.public, list, MESSAGE, shares)
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

export const bench: Bench = {
  name: "frost-cpu",
  async run(report) {
    const cluster = deal()
    const dealt = ed25519_FROST.trustedDealer({ min: 2, max: 3 })
    // In turns, so that what else the machine does falls on both alike.
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = 0; round < 5; round += 1) {
      ours.push(cpuMsPerRun(() => signOurs(cluster), 60))
      theirs.push(cpuMsPerRun(() => signTheirs(dealt), 12))
    }
    report({
      name: "frost-cpu",
      value: median(ours),
      unit: "ms",
      baseline: { name: "noble FROST", value: median(theirs) },
      target: { of: "ratio", is: "at most", bound: 0.12 },
      consistsOf:
        "CPU of one 2-of-3 Ed25519 signature: two signers' both rounds and the coordinator's " +
        "aggregation, with signing and checking every message, which the baseline does not do",
    })
  },
}
