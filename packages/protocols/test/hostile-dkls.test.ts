import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, Secret, secp256k1, signingKeyFromSeed } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { type PresignStep, presignInspect } from "../src/dkls/index.ts"
import { type PresignRun, presignSession, presignSlot } from "../src/dkls/presign/params.ts"
import { type SaidPayload, saidPayloadCodec } from "../src/dkls/presign/payloads.ts"
import {
  type PresignTrail,
  presignStateCodec,
  presignTrailCodec,
} from "../src/dkls/presign/state.ts"
import type { DklsEdge } from "../src/evidence/dkls-edge.ts"
import {
  confirmKey,
  deliver,
  digestsOf,
  type Evidence,
  encodeEvidence,
  equivocationOf,
  type KeyCertificate,
  type Message,
  NO_PREVIOUS,
  rosterEpochOf,
  type Statement,
  signMessage,
  type Verdict,
  verifyEvidence,
} from "../src/index.ts"
import { dealtPairs, PresignRunner, senderOf } from "./dkls-cluster.ts"
import { exchanges, signsInstead } from "./dkls-tamper.ts"
import { makeCluster, participant, ROSTER_EPOCH, seeded } from "./frost-fixture.ts"

// What a coordinator makes of what honest signers have signed, together with up to t-1 of them. Of
// three signers 2 lies where anyone does.

const group = secp256k1
const KEY = { keyType: "ecdsa-secp256k1", minSigners: 3, maxSigners: 4 } as const
const cluster = makeCluster(KEY)
const signers = [1, 2, 3]
const pairs = dealtPairs([1, 2, 3, 4])
const LIAR = 2

function fresh(seed = "batch"): PresignRunner {
  return new PresignRunner(cluster, signers, { seed, pairs })
}

/** The same batch asked for again: nothing but the signers' randomness is new. */
function freshAgain(): PresignRunner {
  const again = fresh("again")
  Object.assign(again, { params: honest.params })
  return again
}

const honest = fresh().run()
const again = freshAgain().run()
const runs = [honest, again]

const statement = ({ header, broadcast }: Message): Statement => ({ header, broadcast })

function saidBy(runner: PresignRunner, step: PresignStep, sender: Identifier): Message {
  const found = runner.said[step - 1]!.find((message) => senderOf(message) === sender)
  assert.ok(found)
  return found
}

function runOf({ params, said }: PresignRunner): PresignRun {
  const opens = new Map(said[0]!.map((message) => [senderOf(message), message]))
  return { params, openings: digestsOf(opens) }
}

/** What a signer remembers after step 4: all that anyone else has of the run, too. */
function trailOf(runner: PresignRunner, identifier: Identifier): PresignTrail {
  const state = runner.before(5).states.get(identifier)
  assert.ok(state)
  return decode(presignTrailCodec, decode(presignStateCodec, state).trail)
}

function judged(evidence: Evidence): Verdict {
  return verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
}

const worthless = (why: string): Verdict => ({ valid: false, why })
const RIGHT = worthless("nothing is wrong with it")

const shownIn = (trail: PresignTrail, step: 2 | 3) =>
  new Map(
    [...(step === 2 ? trail.exchanges : trail.publishes)].map(([signer, said]) => {
      const payload = (step === 2 ? trail.exchanged : trail.published).get(signer)!
      return [signer, { statement: said, payload }]
    }),
  )

/** Another generation of the key, which came to nothing though everyone had confirmed it. */
const twin = makeCluster({ ...KEY, secret: seeded("twin") })

test("a share is never measured by the certificate of another key of the same id", () => {
  assert.deepEqual(twin.public.keyId, cluster.public.keyId)
  const trail = trailOf(honest, 1)
  const run = runOf(honest)
  for (const [signer, exchange] of shownIn(trail, 2)) {
    const open = trail.opens.get(signer)!
    const by = (certificate: KeyCertificate) =>
      judged({ kind: "dkls-exchange", run, certificate, open, exchange })
    assert.deepEqual(by(cluster.certificate), RIGHT)
    assert.deepEqual(by(twin.certificate), worthless("certificate: not what was opened for"))
  }
})

test("signers who hold different keys of one id stop before they publish, and blame nobody", () => {
  const others = new PresignRunner(twin, signers, { pairs })
  const mine = fresh()
  for (const runner of [others, mine]) runner.round(1)
  const messages = [saidBy(others, 1, 2), saidBy(mine, 1, 3)].map((m) => deliver(m, 1))
  const said = [saidBy(mine, 1, 1), saidBy(others, 1, 2), saidBy(mine, 1, 3)]
  const { params, cluster: own } = mine
  for (const outcome of [
    mine.step(2, 1, messages),
    presignInspect(params, own.public, own.verifyKeys, [said]),
  ]) {
    assert.ok(!outcome.ok)
    const { reason, culprits, silent, pair, evidence } = outcome.abort
    assert.deepEqual([reason, culprits, silent], ["wrong-key", [], [2]])
    assert.deepEqual([pair, evidence], [null, []])
  }
})

test("who opens for another run than was asked for has not answered, and nothing else", () => {
  const elsewhere = fresh("elsewhere")
  elsewhere.round(1)
  const said = [saidBy(honest, 1, 1), saidBy(elsewhere, 1, 2), saidBy(honest, 1, 3)]
  const outcome = presignInspect(honest.params, cluster.public, cluster.verifyKeys, [said])
  assert.ok(!outcome.ok)
  const { reason, culprits, silent, evidence } = outcome.abort
  assert.deepEqual([reason, culprits, silent, evidence], ["wrong-session", [], [2], []])
})

test("a key, a batch or a pair that changed in the middle of a run makes nobody look dishonest", () => {
  const other = dealtPairs(signers, "set up again")
  for (const step of [2, 3, 4] as const) {
    for (const [reason, change] of [
      ["wrong-key", { cluster: twin }],
      ["wrong-session", { params: { ...honest.params, batchId: seeded("other") } }],
      ["wrong-setup", { pairs: other }],
    ] as const) {
      // The last step that needs the pairs is the third.
      if (reason === "wrong-setup" && step === 4) continue
      const runner = honest.before(step)
      Object.assign(runner, change)
      const messages = runner.said[step - 2]!.slice(1).map((m) => deliver(m, 1))
      const outcome = runner.step(step, 1, messages)
      assert.ok(!outcome.ok)
      const { reason: found, culprits, pair, silent } = outcome.abort
      assert.deepEqual([found, culprits, pair, silent], [reason, [], null, []])
    }
  }
})

function accusation(
  runner: PresignRunner,
  step: 2 | 3 | 4,
  accuser: Identifier,
  accused: Identifier,
  signedBy = accuser,
): Statement {
  const run = runOf(runner)
  const slot = { ...presignSlot(run.params, step, presignSession(run)), sender: accuser }
  const broadcast = encode(saidPayloadCodec, { kind: "accuse", accused })
  const { identity } = participant(cluster, signedBy)
  return statement(signMessage(identity, slot, { previousDigest: NO_PREVIOUS, broadcast }))
}

type Against = readonly [accuser: Identifier, accused: Identifier, signedBy?: Identifier]

function edge(runner: PresignRunner, step: 2 | 3 | 4, ...who: Against): DklsEdge {
  const against = statement(saidBy(runner, step === 2 ? 1 : step === 3 ? 2 : 3, who[1]))
  const [accuser, accused, signedBy] = who
  const made = accusation(runner, step, accuser, accused, signedBy)
  return { kind: "accusation", run: runOf(runner), step, accusation: made, against }
}

test("an accusation about a message of no form is judged like any other", () => {
  for (const [step, payload] of [
    [3, new Uint8Array(0)],
    [3, encode(saidPayloadCodec, { kind: "accuse", accused: 3 } satisfies SaidPayload)],
    [4, seeded("anything", 40)],
  ] as const) {
    const runner = honest.before(step)
    const lie = signsInstead(runner, step === 3 ? 2 : 3, LIAR, () => ({
      ...{ broadcast: payload, sealed: new Map() },
    }))
    const at = step === 3 ? 2 : 3
    const against = statement(lie.message!(at, LIAR, saidBy(honest, at, LIAR))!)
    const made = accusation(runner, step, 1, LIAR)
    const run = runOf(runner)
    assert.deepEqual(
      judged({
        kind: "dkls-edge",
        edge: { kind: "accusation", run, step, accusation: made, against },
      }),
      worthless("against: it seals nothing"),
    )
  }
})

test("a liar's accusation hides nobody else's: everyone can show each edge", () => {
  for (const step of [2, 3] as const) {
    const runner = honest.before(step)
    runner.round(step)
    const against = (accuser: Identifier, accused: Identifier): Message => {
      const { header, broadcast } = accusation(runner, step, accuser, accused)
      return { header, broadcast, sealed: new Map() }
    }
    for (const messages of [
      [against(1, LIAR), against(LIAR, 1)],
      [against(LIAR, 1), against(1, LIAR), against(LIAR, 3)],
    ]) {
      const outcome = runner.step((step + 1) as PresignStep, 3, messages)
      assert.ok(!outcome.ok)
      const pairs = outcome.abort.evidence.map((evidence) => {
        const verdict = judged(evidence)
        return verdict.valid && "pair" in verdict ? verdict.pair : null
      })
      assert.deepEqual(outcome.abort.pair, pairs[0])
      assert.deepEqual(pairs.map((pair) => pair?.join()).sort(), ["1,2", "2,1"])
    }
  }
})

test("t-1 liars never make the edges that prove a server, in however many runs they accuse it", () => {
  const edges = (named: Identifier, list: readonly DklsEdge[], by = cluster) =>
    judged({
      ...{ kind: "dkls-edges", culprit: named, certificate: by.certificate, edges: list },
    })
  const few = worthless("edges with fewer others than can all be corrupt")
  const all = runs.flatMap((run) =>
    ([2, 3, 4] as const).flatMap((step) => [edge(run, step, 2, 1), edge(run, step, 3, 1)]),
  )
  assert.deepEqual(edges(1, all), few)
  // Nor with edges that the honest ones have signed against them.
  assert.deepEqual(edges(1, [...all, edge(honest, 3, 1, 2), edge(honest, 3, 1, 3)]), few)
  // Nor with what the liars sign in the name of an honest one, or among themselves.
  assert.deepEqual(
    edges(1, [...all, edge(honest, 3, 3, 1, 2)]),
    worthless("accusation: wrong-signature"),
  )
  assert.deepEqual(
    edges(1, [...all, edge(honest, 3, 2, 3)]),
    worthless("an edge between two others"),
  )
  const later = { ...honest.params, rosterEpoch: 8 }
  const elsewhere = Object.assign(fresh("elsewhere"), { params: later }).run()
  assert.deepEqual(edges(1, [...all, edge(elsewhere, 3, 2, 1)]), worthless("edges of two rosters"))
  const stranger = makeCluster({ ...KEY, seed: "stranger", maxSigners: 3 })
  assert.deepEqual(edges(4, all, stranger), worthless("the culprit is not a server of the key"))
})

test("edges with t others prove a server, in whichever runs they were made", () => {
  const fourth = new PresignRunner(cluster, [1, 2, 4], { seed: "fourth", pairs }).run()
  const edges = [edge(honest, 2, 1, LIAR), edge(again, 3, 3, LIAR), edge(fourth, 4, LIAR, 4)]
  const evidence: Evidence = {
    ...{ kind: "dkls-edges", culprit: LIAR, certificate: cluster.certificate, edges },
  }
  assert.deepEqual(judged(evidence), { valid: true, culprit: LIAR, reason: "pairwise-fault" })
})

test("honest signers sign one header for a slot, also when one batch is asked for twice", () => {
  const said = runs.flatMap((runner) => runner.said.flat())
  let compared = 0
  for (const [i, a] of said.entries()) {
    for (const b of said.slice(i + 1)) {
      if (senderOf(a) !== senderOf(b)) continue
      assert.ok(!judged(equivocationOf(a.header, b.header)).valid)
      compared += 1
    }
  }
  assert.equal(compared, 3 * 28)
})

test("no evidence composed of two honest runs of one batch names anyone", () => {
  const pieces: Evidence[] = []
  const trails = runs.map((runner) => trailOf(runner, 1))
  const { params } = honest
  const { certificate } = cluster
  for (const run of runs.map(runOf)) {
    for (const trail of trails) {
      for (const open of trail.opens.values()) pieces.push({ kind: "dkls-open", params, open })
      for (const step of [2, 3, 4] as const) {
        const later = runs.flatMap((runner) => runner.said[step - 1]!.map(statement))
        for (const said of later) pieces.push({ kind: "dkls-said", run, step, said })
        for (const about of later) {
          const made = { kind: "accusation", run, step, accusation: about } as const
          for (const against of trail.opens.values()) {
            pieces.push({ kind: "dkls-edge", edge: { ...made, against } })
          }
        }
      }
      for (const other of trails) {
        const shown = shownIn(other, 2)
        const publishes = shownIn(other, 3)
        for (const [signer, exchange] of shown) {
          for (const open of trail.opens.values()) {
            pieces.push({ kind: "dkls-exchange", run, certificate, open, exchange })
          }
          for (const second of shownIn(trail, 2).values()) {
            const zeros = { kind: "zero-sharing", run, first: exchange, second } as const
            pieces.push({ kind: "dkls-edge", edge: zeros })
          }
          const mixed = new Map([...shownIn(trail, 2), [signer, exchange]])
          for (const exchanges of [mixed, shown]) {
            for (const publish of publishes.values()) {
              pieces.push({ kind: "dkls-publish", run, exchanges, publish })
            }
            const confirm = statement(saidBy(runs[trails.indexOf(other)]!, 4, signer))
            pieces.push({ kind: "dkls-confirm", run, exchanges, publishes, confirm })
          }
        }
      }
    }
  }
  for (const piece of pieces) assert.ok(!judged(piece).valid, piece.kind)
  assert.equal(pieces.length, 636)
})

test("where 2 lies to 1 alone, what 3 published is right by every public equation", () => {
  const plus = (scalar: Parameters<typeof group.addScalars>[0]) =>
    group.addScalars(scalar, group.one)
  const doubled = (element: Parameters<typeof group.add>[0]) => group.add(element, element)
  for (const [name, change] of [
    ["gammaU", (p: { gammaU: readonly never[] }) => p.gammaU.map(doubled)],
    ["gammaV", (p: { gammaV: readonly never[] }) => p.gammaV.map(doubled)],
    ["psi", (p: { psi: readonly never[] }) => p.psi.map(plus)],
  ] as const) {
    const runner = honest.before(2)
    const lie = exchanges(honest, LIAR, (payload) => {
      const product = payload.products.get(1)!
      const products = new Map([...payload.products])
      products.set(1, { ...product, [name]: change(product as never) })
      return { ...payload, products }
    })
    for (const step of [2, 3, 4] as const) runner.round(step, { ...lie, liar: LIAR })
    // 1 accuses where its own multiplication failed, and publishes where only the sum is wrong.
    assert.equal(runner.accusations.get(1), name === "psi" ? undefined : LIAR)
    const published = runner.said[2]!.filter((m) => senderOf(m) !== LIAR && m.sealed.size > 0)
    assert.deepEqual(published.map(senderOf), name === "psi" ? [1, 3] : [3])
    const trail = trailAfter(runner, 3)
    const exchanged = shownIn(trail, 2)
    const publish = shownIn(trail, 3).get(3)!
    const evidence = { kind: "dkls-publish", run: runOf(runner), publish } as const
    assert.deepEqual(judged({ ...evidence, exchanges: exchanged }), RIGHT)
    // The exchange that made the equations false is no honest one's.
    const abort = runner.aborts.get(1)
    if (abort) assert.deepEqual(abort.culprits, [LIAR])
  }
})

/** What 3 knew after it had published. */
function trailAfter(runner: PresignRunner, identifier: Identifier): PresignTrail {
  const state = runner.before(4).states.get(identifier)
  assert.ok(state)
  return decode(presignTrailCodec, decode(presignStateCodec, state).trail)
}

test("edges under a later roster prove a server that the key knew, by others that it knew alone", () => {
  const under8 = (set: readonly Identifier[], seed: string) => {
    const runner = new PresignRunner(cluster, set, { seed, pairs })
    return Object.assign(runner, { params: { ...runner.params, rosterEpoch: 8 } }).run()
  }
  const [later, fourth] = [under8(signers, "later"), under8([1, 2, 4], "later, the fourth")]
  const edges = [edge(later, 2, 1, LIAR), edge(later, 3, 3, LIAR), edge(fourth, 4, LIAR, 4)]
  /** Where server `changed` is another one since the key was made. */
  const judgedSince = (changed: Identifier | null) => {
    const another = signingKeyFromSeed(new Secret(seeded("who had that number before")))
    const then = new Map(cluster.verifyKeys)
    const confirmations = new Map(cluster.certificate.confirmations)
    if (changed !== null) {
      then.set(changed, another.publicKey)
      confirmations.set(changed, confirmKey(another, cluster.public))
    }
    const certificate = { ...cluster.certificate, confirmations }
    const evidence = { kind: "dkls-edges", culprit: LIAR, certificate, edges } as const
    assert.equal(rosterEpochOf(evidence), 8)
    const before = new Map([[ROSTER_EPOCH, then]])
    return verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys, before)
  }
  assert.deepEqual(judgedSince(null), { valid: true, culprit: LIAR, reason: "pairwise-fault" })
  assert.deepEqual(judgedSince(LIAR), worthless("the culprit is not a server of the key"))
  assert.deepEqual(judgedSince(4), worthless("an edge with no server of the key"))
})
