import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import { setTimeout as wait } from "node:timers/promises"
import { bulkStepOutput, LockKeeperError, type PairState, pairStates } from "@lockkeeper/api"
import type { Dependencies } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import { type Incident, IncidentLog } from "../src/incidents.ts"
import type { KeyInfo } from "../src/key-info.ts"
import { MAX_OVERTAKEN, MAX_PAIR_TRIES } from "../src/limits.ts"
import { ensurePairs } from "../src/pairs.ts"
import { presign } from "../src/presign.ts"
import type { Principal } from "../src/principal.ts"
import { DeadPairs } from "../src/signer-sets.ts"
import { forgetPair } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { anotherLogin, ecdsaOwner, signText } from "./owners.ts"
import { type Script, scriptedPrincipal } from "./scripted-principal.ts"
import type { VirtualClock } from "./virtual-time.ts"

const conflict = (field: string) => new LockKeeperError("conflict", "It changed.", { field })

describe("pairs that others set up at the same time", () => {
  let cluster: TestCluster
  let told: Incident[]

  before(async () => {
    cluster = await TestCluster.start()
  })

  beforeEach(() => {
    told = []
  })

  const states = (server: Identifier, state: PairState) => {
    const peers = [1, 2, 3].filter((id) => id !== server)
    return encode(
      pairStates,
      peers.map((peer) => ({ peer, state })),
    )
  }
  /** Only what asks for the state of pairs has no input. */
  const asksForStates = (input: Uint8Array): boolean => input.length === 0

  const orderFor = (principal: Principal, participants: readonly Identifier[]) => ({
    ...{ participants, dead: new DeadPairs(), signal: new AbortController().signal },
    incidents: new IncidentLog(principal.servers),
  })

  function ensure(script: Script, participants = [1, 2]): Promise<boolean> {
    const principal = scriptedPrincipal(cluster, script, told)
    return ensurePairs(principal, orderFor(principal, participants))
  }

  for (const [when, field] of [
    ["before", "body.participants"],
    ["in the moment of the commit", ""],
  ] as const) {
    it(`serve as well as those of one's own: others came first ${when}`, async () => {
      let state: PairState = "none"
      const asked: Identifier[] = []
      const isReady = await ensure((server, _, input) => {
        if (asksForStates(input)) return states(server, state)
        asked.push(server)
        if (asked.length === 2) state = "live"
        throw conflict(field)
      })
      assert.equal(isReady, true)
      assert.deepEqual(asked, [1, 2])
      assert.deepEqual(told, [])
    })
  }

  it("are no excuse for a server that says so every time: the others go on without it", async () => {
    const asked: Identifier[] = []
    const noMessage = encode(bulkStepOutput, { kind: "message", message: new Uint8Array(5) })
    await ensure(
      (server, _, input) => {
        if (asksForStates(input)) return states(server, "none")
        asked.push(server)
        if (server === 3) throw conflict("body.participants")
        return noMessage
      },
      [1, 2, 3],
    )
    const times = [1, 2, 3].map((id) => asked.filter((one) => one === id).length)
    assert.deepEqual(times, [MAX_OVERTAKEN + 2, MAX_OVERTAKEN + 2, MAX_OVERTAKEN + 1])
  })

  it("are looked at again a few times at most", async () => {
    const asked: Identifier[] = []
    const isReady = await ensure((server, _, input) => {
      if (asksForStates(input)) return states(server, "none")
      asked.push(server)
      throw conflict("body.participants")
    })
    assert.equal(isReady, false)
    assert.equal(asked.length, 2 * (MAX_OVERTAKEN + 1))
  })

  it("have a batch begun anew a few times at most, with the refusal in the end", async () => {
    let batches = 0
    const principal = scriptedPrincipal(cluster, (server, _, input) => {
      if (asksForStates(input)) return states(server, "live")
      if (server === 1) batches++
      throw conflict("body.signers")
    })
    const clock = principal.servers.deps.clock as VirtualClock
    const { participants: set, ...order } = orderFor(principal, [1, 2])
    const key = { keyId: new Uint8Array(32), certificate: { public: { keyEpoch: 1 } } }
    const making = presign(principal, {
      ...{ ...order, set, count: 1, urgency: "now", ready: null, key: key as unknown as KeyInfo },
    })
    let isOver = false
    void making.finally(() => {
      isOver = true
    })
    while (!isOver) await clock.pass(10)
    const result = await making
    assert.equal(batches, MAX_PAIR_TRIES + 1)
    assert.ok(result.kind === "stopped")
    assert.deepEqual(
      [...result.lost].map(([server, { code }]) => [server, code]),
      [
        [1, "conflict"],
        [2, "conflict"],
      ],
    )
  })

  /** What goes to this server takes longer than the rest. */
  function farFrom(pair: TestCluster, far: Identifier): Partial<Dependencies> {
    const { network } = pair.dependencies() as Pick<Dependencies, "network">
    return {
      network: {
        connect: (member) => {
          const link = network.connect(member)
          if (member.identifier !== far) return link
          const call: typeof link.call = async (frame, signal) => {
            await wait(40)
            return link.call(frame, signal)
          }
          return { ...link, call }
        },
      },
    }
  }

  it("end as one, though each of two owners was first at another server", async () => {
    const pair = await TestCluster.start({ servers: 2 })
    const one = await ecdsaOwner(pair, farFrom(pair, 1))
    const other = await ecdsaOwner(pair, farFrom(pair, 2))
    await forgetPair(pair.server(1), 2)
    await forgetPair(pair.server(2), 1)
    const signed = await Promise.all([signText(one, "one"), signText(other, "other")])
    assert.deepEqual(
      signed.flatMap(({ incidents }) => incidents),
      [],
    )
    const third = { session: await anotherLogin(pair), key: one.key }
    assert.deepEqual((await signText(third, "third")).incidents, [])
  })
})
