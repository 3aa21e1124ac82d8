import assert from "node:assert/strict"
import { test } from "node:test"
import { edwards25519, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { aggregate, verify, verifyShare } from "../src/frost/aggregate.ts"
import { commit, type NonceState } from "../src/frost/commitment.ts"
import {
  type OpenedCommitment,
  type OpenedPackage,
  openCommitment,
  preparePackage,
} from "../src/frost/package.ts"
import { type RoastEvent, roastNext, roastObserve, roastStart } from "../src/frost/roast.ts"
import { sign } from "../src/frost/sign.ts"
import { NO_TWEAK } from "../src/frost/taproot.ts"
import type { Message } from "../src/messages/message.ts"
import {
  type Cluster,
  makeCluster,
  participant,
  ROSTER_EPOCH,
  seeded,
  value,
} from "./frost-fixture.ts"
import { resign } from "./frost-tamper.ts"

type Behaviour = "honest" | "lying" | "silent"

interface Result {
  readonly signature: Bytes | null
  readonly attempts: number
  readonly culprits: readonly Identifier[]
}

const approved = {
  requestDigest: seeded("request"),
  message: utf8("pay"),
  tweak: NO_TWEAK,
  path: [0, 5],
}

/** One participant with a batch of commitments that were fetched ahead. */
class Signer {
  readonly pool: OpenedCommitment[] = []
  readonly #states = new Map<string, NonceState>()
  readonly #cluster: Cluster
  readonly #identifier: Identifier
  readonly #behaviour: Behaviour

  constructor(cluster: Cluster, identifier: Identifier, behaviour: Behaviour) {
    this.#cluster = cluster
    this.#identifier = identifier
    this.#behaviour = behaviour
    const context = {
      public: cluster.public,
      verifyKeys: cluster.verifyKeys,
      rosterEpoch: ROSTER_EPOCH,
    }
    for (let i = 0; i < 4; i++) {
      const randomness = seeded(`batch/${identifier}/${i}`, 96)
      const { key, identity } = participant(cluster, identifier)
      const { state, message } = commit({ key, identity, rosterEpoch: ROSTER_EPOCH, randomness })
      this.#states.set(String(state.commitmentId), state)
      this.pool.push(value(openCommitment(message, context)))
    }
  }

  answer(opened: OpenedPackage): Message | null {
    if (this.#behaviour === "silent") return null
    const { key, identity } = participant(this.#cluster, this.#identifier)
    const used = [...this.#states].find(([, state]) =>
      opened.package.commitments.includes(state.message),
    )
    assert.ok(used, "asked with a commitment of its own")
    this.#states.delete(used[0])
    const { verifyKeys } = this.#cluster
    const input = { key, identity, state: used[1], package: opened.package, approved, verifyKeys }
    const share = value(sign({ ...input, rosterEpoch: ROSTER_EPOCH }))
    if (this.#behaviour === "honest") return share
    const z = edwards25519.decodeScalar(share.broadcast)
    const broadcast = edwards25519.negateScalar(z)
    return resign(this.#cluster, this.#identifier, share, { broadcast })
  }
}

/** A coordinator as a client would write it, with silence found out at once. */
function run(cluster: Cluster, behaviours: ReadonlyMap<Identifier, Behaviour>): Result {
  const { certificate, verifyKeys } = cluster
  const key = cluster.public
  const signers = new Map([...behaviours].map(([id, b]) => [id, new Signer(cluster, id, b)]))
  let state = roastStart(key.minSigners, [...key.verifyingShares.keys()], [...key.additive.keys()])
  const observe = (event: RoastEvent) => {
    state = roastObserve(state, event)
  }
  for (const identifier of signers.keys()) observe({ kind: "commitment", identifier })
  const packages: OpenedPackage[] = []
  const shares: Map<Identifier, Message>[] = []
  const culprits = new Set<Identifier>()
  for (;;) {
    const next = roastNext(state)
    state = next.state
    const { step } = next
    const attempts = state.attempts.length
    if (step.kind === "give-up" || step.kind === "wait") {
      return { signature: null, attempts, culprits: [...culprits] }
    }
    const input = (attempt: number) => ({
      opened: packages[attempt - 1] as OpenedPackage,
      shares: shares[attempt - 1] as Map<Identifier, Message>,
      certificate,
      verifyKeys,
    })
    if (step.kind === "ask") {
      const request = { ...approved, rosterEpoch: ROSTER_EPOCH, attempt: step.attempt }
      const commitments = step.signers.map(
        (id) => signers.get(id)?.pool.shift() as OpenedCommitment,
      )
      const opened = value(preparePackage(request, key, commitments))
      packages.push(opened)
      const received = new Map<Identifier, Message>()
      shares.push(received)
      for (const identifier of step.signers) {
        const share = signers.get(identifier)?.answer(opened)
        if (share) {
          received.set(identifier, share)
          observe({ kind: "share", identifier, attempt: step.attempt, spare: true })
        } else observe({ kind: "slow", identifier })
      }
    } else if (step.kind === "check") {
      const { attempt, signers: asked } = step
      const unusable = asked.filter((id) => {
        const { shares: received, ...rest } = input(attempt)
        const outcome = verifyShare(rest, id, received.get(id) as Message)
        if (!outcome.ok) for (const culprit of outcome.abort.culprits) culprits.add(culprit)
        return !outcome.ok
      })
      observe({ kind: "checked", attempt, signers: asked, unusable })
    } else {
      const outcome = aggregate(input(step.attempt))
      if (outcome.ok) return { signature: outcome.value, attempts, culprits: [...culprits] }
      const { abort } = outcome
      for (const culprit of abort.culprits) culprits.add(culprit)
      for (const evidence of abort.evidence) {
        assert.ok(verifyEvidence(encodeEvidence(evidence), verifyKeys).valid)
      }
      const unusable = [...abort.culprits, ...abort.silent]
      observe({ kind: "failed", attempt: step.attempt, unusable })
    }
  }
}

test("with t honest servers every mix of liars and silent ones ends in a signature", () => {
  const kinds: readonly Behaviour[] = ["honest", "lying", "silent"]
  const cluster = makeCluster({ minSigners: 2, maxSigners: 4 })
  let finished = 0
  let stopped = 0
  for (let mix = 0; mix < 3 ** 4; mix++) {
    const behaviours = new Map(
      [1, 2, 3, 4].map((id, i) => [id, kinds[Math.floor(mix / 3 ** i) % 3] as Behaviour]),
    )
    const honest = [...behaviours.values()].filter((b) => b === "honest").length
    const { signature, attempts, culprits } = run(cluster, behaviours)
    for (const culprit of culprits) assert.equal(behaviours.get(culprit), "lying")
    if (honest < 2) {
      assert.equal(signature, null)
      stopped++
      continue
    }
    assert.ok(
      signature && verify(cluster.public, approved.message, signature, NO_TWEAK, approved.path),
    )
    assert.ok(attempts <= 3)
    finished++
  }
  assert.deepEqual({ finished, stopped }, { finished: 33, stopped: 48 })
})

test("an owner's additive share is asked for in every attempt", () => {
  const cluster = makeCluster({ minSigners: 2, maxSigners: 3, additive: [100] })
  const behaviours = new Map<Identifier, Behaviour>([
    [1, "lying"],
    [2, "honest"],
    [3, "honest"],
    [100, "honest"],
  ])
  const { signature, attempts, culprits } = run(cluster, behaviours)
  assert.ok(
    signature && verify(cluster.public, approved.message, signature, NO_TWEAK, approved.path),
  )
  assert.deepEqual({ attempts, culprits }, { attempts: 2, culprits: [1] })
  const without = run(cluster, new Map(behaviours).set(100, "silent"))
  assert.equal(without.signature, null)
})
