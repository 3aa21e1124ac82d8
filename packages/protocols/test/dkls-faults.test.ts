import assert from "node:assert/strict"
import { test } from "node:test"
import { type Element, type Identifier, type Scalar, Secret, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, concat, decode, encode } from "@lockkeeper/encoding"
import { presignInspect } from "../src/dkls/index.ts"
import { presignParamsDigest } from "../src/dkls/presign/params.ts"
import {
  type ExchangePayload,
  exchangePayloadCodec,
  noncesCommitment,
  openPayloadCodec,
  type ProductPayload,
  type PublishPayload,
  publishPayloadCodec,
  saidPayloadCodec,
} from "../src/dkls/presign/payloads.ts"
import { openedSecretCodec } from "../src/dkls/presign/task.ts"
import { type Abort, type AbortReason, deliver } from "../src/index.ts"
import { dealtPairs, type Meddling, PresignRunner, verdictsOf } from "./dkls-cluster.ts"
import {
  computesInstead,
  exchanges,
  keepsInstead,
  multipliesInstead,
  publishes,
  saysInstead,
  seals,
  signsInstead,
  startsFrom,
} from "./dkls-tamper.ts"
import { makeCluster, seeded } from "./frost-fixture.ts"
import { flip, type Rewrite } from "./messages-fixtures.ts"

// Participant 2 lies at one place in each of these; 1 and 3 are honest. Every key has three of
// three signers, or two servers with an additive participant beside them.

const group = secp256k1
const cluster = makeCluster({ keyType: "ecdsa-secp256k1", minSigners: 3, maxSigners: 3 })
const signers = [1, 2, 3]
const pairs = dealtPairs(signers)
const COUNT = 2
const LIAR = 2
const point = group.multiplyBase(group.scalarFromInteger(5))
const plus = (scalar: Scalar): Scalar => group.addScalars(scalar, group.one)

function fresh(): PresignRunner {
  return new PresignRunner(cluster, signers, { count: COUNT, pairs })
}

const honest = fresh().run()

/** Runs to the end with the liar, whose own aborts do not count. */
function aborted(lie: (runner: PresignRunner) => Meddling): PresignRunner {
  const meddling = { ...lie(honest), liar: LIAR }
  const runner = honest.before(meddling.from ?? 1).run(meddling)
  runner.aborts.delete(LIAR)
  for (const identifier of runner.presignatures.keys()) assert.equal(identifier, LIAR)
  return runner
}

/** Both honest signers stop and name the liar, with evidence that names it offline. */
function assertNamed(lie: (runner: PresignRunner) => Meddling, reason: AbortReason): Abort {
  const { aborts, accusations } = aborted(lie)
  accusations.delete(LIAR)
  assert.deepEqual([[...aborts.keys()], accusations.size], [[1, 3], 0])
  for (const abort of aborts.values()) {
    assert.deepEqual([abort.reason, abort.culprits, abort.pair], [reason, [LIAR], null])
    const verdict = { valid: true, culprit: LIAR, reason }
    assert.deepEqual(verdictsOf(abort, cluster), [verdict])
  }
  return aborts.get(1)!
}

/** The honest `accuser` accuses the liar; the other honest one can show that one of the two lies. */
function assertPair(lie: (runner: PresignRunner) => Meddling, accuser: Identifier = 1): void {
  const { aborts, accusations, states } = aborted(lie)
  accusations.delete(LIAR)
  assert.deepEqual([...accusations], [[accuser, LIAR]])
  // The run is over for the accuser, and its multiplication is not tried again.
  assert.equal(states.get(accuser), null)
  const other = accuser === 1 ? 3 : 1
  assert.deepEqual([...aborts.keys()], [other])
  assertEdge(aborts.get(other)!, [accuser, LIAR])
}

function assertEdge(abort: Abort, pair: readonly [number, number]): void {
  assert.deepEqual([abort.reason, abort.culprits, abort.pair], ["pairwise-fault", [], [...pair]])
  assert.deepEqual(verdictsOf(abort, cluster), [{ valid: true, pair, reason: "pairwise-fault" }])
}

const withProduct =
  (change: (product: ProductPayload) => ProductPayload) => (p: ExchangePayload) => ({
    ...p,
    products: new Map([...p.products, [1, change(p.products.get(1)!)]]),
  })
const first = <T>(values: readonly T[], change: (value: T) => T): T[] =>
  values.map((value, i) => (i === 0 ? change(value) : value))

test("an honest run ends with presignatures at all, and the coordinator sees nothing wrong", () => {
  assert.deepEqual([...honest.presignatures.keys()], signers)
  const { params, said } = honest
  assert.ok(presignInspect(params, cluster.public, cluster.verifyKeys, said.slice(0, 4)).ok)
})

test("an opening of no form names its sender", () => {
  const cases: readonly (readonly [Rewrite | ((b: Bytes) => Rewrite), AbortReason])[] = [
    [(broadcast) => ({ broadcast: broadcast.slice(1) }), "malformed-payload"],
    [(broadcast) => ({ broadcast: concat(broadcast, Uint8Array.of(0)) }), "malformed-payload"],
    [{ header: { previousDigest: seeded("previous") } }, "malformed-payload"],
    [
      (broadcast) => {
        const open = decode(openPayloadCodec, broadcast)
        const setups = new Map([...open.setups].slice(1))
        return { broadcast: encode(openPayloadCodec, { ...open, setups }) }
      },
      "malformed-payload",
    ],
    [{ sealed: new Map() }, "wrong-recipients"],
  ]
  for (const [change, reason] of cases) {
    assertNamed(
      (runner) =>
        signsInstead(runner, 1, LIAR, ({ broadcast }) =>
          typeof change === "function" ? change(broadcast) : change,
        ),
      reason,
    )
  }
})

test("a later message of no form, or with parts for others, names its sender", () => {
  for (const step of [2, 3, 4] as const) {
    const lies: readonly (readonly [Rewrite, AbortReason])[] = [
      [{ broadcast: Uint8Array.of(9) }, "malformed-payload"],
      [{ sealed: new Map([[4, seeded("part")]]) }, "wrong-recipients"],
    ]
    for (const [change, reason] of lies) {
      assertNamed((runner) => signsInstead(runner, step, LIAR, () => change), reason)
    }
    const kind = step === 4 ? "digest" : "confirm"
    const other = { kind, digest: seeded("digest"), signature: seeded("signature", 64) } as const
    assertNamed((runner) => saysInstead(runner, step, LIAR, other), "malformed-payload")
  }
})

test("an opening other than the commitment names its sender, whichever value differs", () => {
  const changes: readonly ((payload: ExchangePayload) => ExchangePayload)[] = [
    (payload) => ({ ...payload, blinding: flip(payload.blinding, 0) }),
    (payload) => ({ ...payload, nonces: first(payload.nonces, () => point) }),
    (payload) => ({ ...payload, nonces: [...payload.nonces].reverse() }),
    (payload) => ({ ...payload, zeros: new Map([...payload.zeros, [1, point]]) }),
    (payload) => ({ ...payload, zeros: new Map([...payload.zeros, [3, point]]) }),
  ]
  for (const change of changes) {
    assertNamed((runner) => exchanges(runner, LIAR, change), "wrong-opening")
  }
  const opens = (runner: PresignRunner) =>
    signsInstead(runner, 1, LIAR, ({ broadcast }) => {
      const open = decode(openPayloadCodec, broadcast)
      const commitment = flip(open.commitment, 7)
      return { broadcast: encode(openPayloadCodec, { ...open, commitment }) }
    })
  // The liar's own state holds what it signed, so it goes on.
  const { aborts } = aborted(opens)
  assert.ok([...aborts.values()].every(({ culprits }) => !culprits.some((id) => id !== LIAR)))
})

test("a commitment that was copied from another signer opens for nobody else", () => {
  const { commitment } = decode(openPayloadCodec, honest.said[0]![0]!.broadcast)
  assertNamed(
    () =>
      computesInstead(1, LIAR, (result) => {
        assert.ok(result.kind === "opened")
        const open = decode(openPayloadCodec, result.broadcast)
        return { ...result, broadcast: encode(openPayloadCodec, { ...open, commitment }) }
      }),
    "wrong-opening",
  )
})

test("values of a wrong number, the identity and unreduced scalars name their sender", () => {
  const changes: readonly ((payload: ExchangePayload) => ExchangePayload)[] = [
    (payload) => ({ ...payload, nonces: payload.nonces.slice(1) }),
    (payload) => ({ ...payload, nonces: [...payload.nonces, point] }),
    (payload) => ({ ...payload, zeros: new Map([...payload.zeros].slice(1)) }),
    (payload) => ({ ...payload, zeros: new Map([...payload.zeros, [9, point]]) }),
    (payload) => ({ ...payload, products: new Map([...payload.products].slice(1)) }),
    withProduct((product) => ({ ...product, gammaU: product.gammaU.slice(1) })),
    withProduct((product) => ({ ...product, gammaV: [...product.gammaV, point] })),
    withProduct((product) => ({ ...product, psi: product.psi.slice(1) })),
  ]
  for (const change of changes) {
    assertNamed((runner) => exchanges(runner, LIAR, change), "malformed-payload")
  }
  const fill = (needle: Uint8Array, byte: number) => (payload: Bytes) => {
    const at = Buffer.from(payload).indexOf(needle)
    const broken = new Uint8Array(payload)
    return broken.fill(byte, at, at + needle.length)
  }
  const within = (pick: (payload: ExchangePayload) => Uint8Array, byte: number) => (bytes: Bytes) =>
    fill(pick(decode(exchangePayloadCodec, bytes)), byte)(bytes)
  // 33 zero bytes are the identity inside a process; as bytes of a message they are nothing.
  for (const change of [
    within(({ nonces }) => nonces[0]!, 0),
    within(({ keyShare }) => keyShare, 0),
    within(({ zeros }) => zeros.get(3)!, 0),
    within(({ products }) => products.get(1)!.gammaU[0]!, 0),
    within(({ products }) => products.get(3)!.gammaV[1]!, 0),
    within(({ products }) => products.get(1)!.psi[0]!, 0xff),
  ]) {
    assertNamed((runner) => seals(runner, 2, LIAR, change), "malformed-payload")
  }
})

test("a share of the key other than the certified one names its sender", () => {
  const change = (payload: ExchangePayload) => ({ ...payload, keyShare: point })
  assertNamed((runner) => exchanges(runner, LIAR, change), "wrong-key-share")
  const other = new Secret(seeded("another share"))
  const lie = () => startsFrom(2, LIAR, (task) => ({ ...task, signingShare: other }))
  assertNamed(lie, "wrong-key-share")
})

test("multiplying another share than the published one is found by the other end", () => {
  const scalar = group.scalarFromUniform(seeded("other", 64))
  const lie = (runner: PresignRunner): Meddling => {
    let keyShare: Element = point
    const right = computesInstead(2, LIAR, (result) => {
      assert.ok(result.kind === "sealed")
      keyShare = decode(exchangePayloadCodec, result.payload).keyShare
      return result
    })
    // What it should have published: from a run in which it lied about nothing.
    honest.before(2).round(2, right)
    return {
      ...startsFrom(2, LIAR, (task) => ({ ...task, signingShare: Secret.copyOf(scalar) })),
      ...exchanges(runner, LIAR, (payload) => ({ ...payload, keyShare })),
    }
  }
  const { aborts, accusations } = aborted(lie)
  accusations.delete(LIAR)
  // Both honest signers multiplied with it, so both accuse, and nobody else is named.
  assert.deepEqual(
    [...accusations],
    [
      [1, LIAR],
      [3, LIAR],
    ],
  )
  assert.equal(aborts.size, 0)
})

test("choice bits that are inconsistent are found before anything is multiplied", () => {
  for (const at of [0, 1000, -1, -40]) {
    assertPair((runner) =>
      signsInstead(runner, 1, LIAR, ({ sealed }) => ({
        sealed: new Map([...sealed, [1, flip(sealed.get(1)!, at)]]),
      })),
    )
  }
  assertPair((runner) =>
    signsInstead(runner, 1, LIAR, ({ sealed }) => ({
      sealed: new Map([...sealed, [1, sealed.get(1)!.slice(1)]]),
    })),
  )
})

test("a wrong multiplication message is found by its recipient, at every part of it", () => {
  for (const at of [0, 50_000, -33, -1]) {
    assertPair((runner) => multipliesInstead(runner, LIAR, 1, (product) => flip(product, at)))
  }
  assertPair((runner) => multipliesInstead(runner, LIAR, 1, (product) => product.slice(1)))
  assertPair((runner) => multipliesInstead(runner, LIAR, 1, () => new Uint8Array(0)))
})

test("a Gamma that does not fit the multiplication is found by its recipient", () => {
  for (const name of ["gammaU", "gammaV"] as const) {
    const change = withProduct((product) => ({
      ...product,
      [name]: first(product[name], () => point),
    }))
    assertPair((runner) => exchanges(runner, LIAR, change))
  }
})

test("a part that does not open, or holds another payload than was announced, is a pair's fault", () => {
  for (const step of [2, 3] as const) {
    assertPair((runner) =>
      signsInstead(runner, step, LIAR, ({ sealed }) => ({
        sealed: new Map([...sealed, [1, flip(sealed.get(1)!, 40)]]),
      })),
    )
    assertPair((runner) =>
      seals(runner, step, LIAR, (payload, recipient) =>
        recipient === 1 ? concat(payload, Uint8Array.of(0)) : payload,
      ),
    )
  }
})

test("a part of step 3 with more than the payload is a pair's fault", () => {
  assertPair((runner) => multipliesInstead(runner, LIAR, 1, () => Uint8Array.of(1), 3))
})

test("public shares that do not make the key blame nobody, and nothing is published by them", () => {
  const other = { ...cluster.public, verifyingKey: point }
  const odd = { ...cluster, public: other }
  const runner = new PresignRunner(odd, signers, { pairs }).run()
  assert.equal(runner.aborts.size, 3)
  for (const { reason, culprits, pair, evidence } of runner.aborts.values()) {
    assert.deepEqual([reason, culprits, pair, evidence], ["inconsistent-key", [], null, []])
  }
  assert.deepEqual(runner.said[2], [])
})

test("a zero share that its other end does not share is a fault of the two", () => {
  const lie = () =>
    computesInstead(1, LIAR, (result) => {
      assert.ok(result.kind === "opened")
      const secret = decode(openedSecretCodec, result.secret)
      const share = plus(secret.zeta.get(1)!)
      const zeta = new Map([...secret.zeta, [1, share]])
      const zeros = new Map([...secret.zeros, [1, group.multiplyBase(share)]])
      const params = presignParamsDigest(honest.params)
      const { nonces, blinding } = secret
      const commitment = noncesCommitment({ params, sender: LIAR, nonces, zeros, blinding })
      const open = decode(openPayloadCodec, result.broadcast)
      return {
        ...result,
        broadcast: encode(openPayloadCodec, { ...open, commitment }),
        secret: encode(openedSecretCodec, { ...secret, zeta, zeros }),
      }
    })
  const { aborts } = aborted(lie)
  assert.deepEqual([...aborts.keys()], [1, 3])
  for (const abort of aborts.values()) {
    assert.deepEqual([abort.reason, abort.culprits, abort.pair], ["wrong-zero-sharing", [], [1, 2]])
    const verdict = { valid: true, pair: [1, 2], reason: "wrong-zero-sharing" }
    assert.deepEqual(verdictsOf(abort, cluster), [verdict])
  }
})

test("a psi other than phi - chi names its sender once it publishes", () => {
  const change = withProduct((product) => ({ ...product, psi: first(product.psi, plus) }))
  assertNamed((runner) => exchanges(runner, LIAR, change), "wrong-presignature-share")
})

test("any public value of a presignature without its proof names its sender", () => {
  const other = (payload: PublishPayload, name: keyof PublishPayload): PublishPayload => {
    const value = payload[name]
    if (value instanceof Uint8Array) return { ...payload, [name]: point }
    return { ...payload, [name]: { ...value, response: plus(value.response) } }
  }
  const names = ["phi", "u", "v", "phiNonce", "phiKey", "possessionU", "possessionV", "samePhi"]
  for (const name of names as (keyof PublishPayload)[]) {
    const change = (payload: PublishPayload) => other(payload, name)
    assertNamed((runner) => publishes(runner, LIAR, change), "wrong-proof")
  }
  const listed =
    (change: (all: readonly PublishPayload[]) => readonly PublishPayload[]) => (payload: Bytes) =>
      encode(publishPayloadCodec, change(decode(publishPayloadCodec, payload)))
  for (const malformed of [
    (payload: Bytes) => payload.slice(0, -1),
    listed((all) => all.slice(1)),
    listed((all) => [...all, ...all]),
    listed(() => []),
  ]) {
    assertNamed((runner) => seals(runner, 3, LIAR, malformed), "malformed-payload")
  }
})

test("shares with valid proofs that the multiplications do not make name their sender", () => {
  const lies = [
    keepsInstead(LIAR, (secret) => ({ ...secret, phi: first(secret.phi, plus) })),
    keepsInstead(LIAR, (secret) => ({ ...secret, r: first(secret.r, plus) })),
    keepsInstead(LIAR, (secret) => ({ ...secret, keyShare: plus(secret.keyShare) })),
    ...(["cu", "cv"] as const).map((name) =>
      keepsInstead(LIAR, ({ products, ...secret }) => {
        const product = products.get(1)!
        const changed = { ...product, [name]: first(product[name], plus) }
        return { ...secret, products: new Map([...products, [1, changed]]) }
      }),
    ),
  ]
  for (const lie of lies) assertNamed(() => lie, "wrong-presignature-share")
})

test("proofs of another signer or presignature are no proofs", () => {
  let theirs: Bytes = new Uint8Array(0)
  const copy = seals(honest, 3, 1, (payload) => {
    theirs = payload
    return payload
  })
  honest.before(3).run(copy)
  assertNamed((runner) => seals(runner, 3, LIAR, () => theirs), "wrong-proof")
  const reversed = (payload: Bytes) =>
    encode(publishPayloadCodec, [...decode(publishPayloadCodec, payload)].reverse())
  assertNamed((runner) => seals(runner, 3, LIAR, reversed), "wrong-proof")
})

test("a confirmation of other presignatures names its sender", () => {
  const signature = seeded("not a signature", 64)
  const lie = (runner: PresignRunner) =>
    saysInstead(runner, 4, LIAR, { kind: "confirm", signature })
  assertNamed(lie, "wrong-confirmation")
})

test("a false accusation names the two and never the honest one alone", () => {
  for (const step of [2, 3, 4] as const) {
    const { aborts, accusations, params, said } = aborted((runner) =>
      saysInstead(runner, step, LIAR, { kind: "accuse", accused: 1 }),
    )
    assert.equal(accusations.size, 0)
    assert.deepEqual([...aborts.keys()], [1, 3])
    for (const abort of aborts.values()) assertEdge(abort, [LIAR, 1])
    const found = presignInspect(params, cluster.public, cluster.verifyKeys, said.slice(0, step))
    assert.ok(!found.ok)
    assertEdge(found.abort, [LIAR, 1])
  }
})

test("an accusation of oneself or of a stranger names the accuser", () => {
  for (const accused of [LIAR, 9]) {
    assertNamed(
      (runner) => saysInstead(runner, 3, LIAR, { kind: "accuse", accused }),
      "wrong-complaint",
    )
  }
})

test("an accused signer learns of the accusation of itself before any other", () => {
  const runner = honest.before(2)
  const accuse = (accuser: Identifier, accused: Identifier) =>
    saysInstead(runner, 2, accuser, { kind: "accuse", accused })
  runner.round(2, {
    message: (step, identifier, message) => {
      const lie = identifier === 1 ? accuse(1, 2) : identifier === 2 ? accuse(2, 3) : null
      return lie?.message?.(step, identifier, message) ?? message
    },
  })
  const outcome = runner.step(
    3,
    3,
    runner.said[1]!.slice(0, 2).map((m) => ({ ...m, sealed: new Map() })),
  )
  assert.ok(!outcome.ok)
  assert.deepEqual(outcome.abort.pair, [2, 3])
})

test("two different messages for one slot are equivocation, and everyone can show it", () => {
  const runner = honest.before(3)
  const broadcast = encode(saidPayloadCodec, { kind: "digest", digest: seeded("another") })
  const twice = signsInstead(runner, 2, LIAR, () => ({ broadcast })).message!
  const again = twice(2, LIAR, runner.said[1]![1]!)!
  const outcome = runner.step(3, 1, [...runner.said[1]!.slice(1), again])
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.culprits], ["equivocation", [LIAR]])
  const verdict = { valid: true, culprit: LIAR, reason: "equivocation" }
  assert.deepEqual(verdictsOf(outcome.abort, cluster), [verdict])
})

test("two openings with one nonce are equivocation, since nobody draws a nonce twice", () => {
  const other = new PresignRunner(cluster, signers, { count: COUNT, pairs, seed: "other" })
  other.round(1)
  const { broadcast, sealed } = other.said[0]![1]!
  const twice = signsInstead(honest, 1, LIAR, () => ({ broadcast, sealed })).message!
  const again = twice(1, LIAR, honest.said[0]![1]!)!
  const own = new Map([[1, sealed.get(1)!]])
  const heard = honest.said[0]!.slice(1).map((message) => deliver(message, 1))
  const outcome = honest.before(2).step(2, 1, [...heard, { ...again, sealed: own }])
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.culprits], ["equivocation", [LIAR]])
  const verdict = { valid: true, culprit: LIAR, reason: "equivocation" }
  assert.deepEqual(verdictsOf(outcome.abort, cluster), [verdict])
})
