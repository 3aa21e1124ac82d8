import assert from "node:assert/strict"
import { before, beforeEach, describe, it } from "node:test"
import { type BulkStepOutput, bulkStepInput, bulkStepOutput } from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  abort,
  deliver,
  dkls,
  done,
  encodeEvidence,
  equivocationOf,
  type Message,
  NO_PREVIOUS,
  SUITE,
  signHeader,
  signMessage,
} from "@lockkeeper/protocols"
import { type BulkOrder, bulkRun } from "../src/bulk-run.ts"
import { type Incident, IncidentLog } from "../src/incidents.ts"
import { TestCluster } from "./cluster.ts"
import { type Script, scriptedPrincipal } from "./scripted-principal.ts"

const SESSION = new Uint8Array(32).fill(1)

describe("a run whose messages are only relayed", () => {
  let cluster: TestCluster
  let told: Incident[]

  before(async () => {
    cluster = await TestCluster.start()
  })

  beforeEach(() => {
    told = []
  })

  const slot = (sender: number, step: number) =>
    ({ protocol: "dkls", step, attempt: 1, sessionId: SESSION, rosterEpoch: 1, sender }) as const

  function messageOf(sender: number, step: number): Message {
    const sealed = new Map([1, 2, 3].filter((id) => id !== sender).map((id) => [id, partFor(id)]))
    const draft = { previousDigest: NO_PREVIOUS, broadcast: new Uint8Array(3), sealed }
    return signMessage(cluster.server(sender).self.identity, slot(sender, step), draft)
  }
  const partFor = (recipient: number): Bytes => new Uint8Array(8).fill(recipient)
  const output = (value: BulkStepOutput) => encode(bulkStepOutput, value)
  const saying = (sender: number, step: number) =>
    output({
      kind: "message",
      message: encode(dkls.dklsMessageCodec, messageOf(sender, step)),
    })
  const aborting = (change: Partial<Extract<BulkStepOutput, { kind: "aborted" }>>) =>
    output({
      ...{ kind: "aborted", reason: "wrong-opening", culprits: [], pair: null, evidence: [] },
      ...change,
    })

  /** Two headers of one place, as `sender` would sign them; signed by `signer`. */
  function equivocation(sender: number, signer = sender): Bytes {
    const { identity } = cluster.server(signer).self
    const header = (part: number) => {
      const parts = new Map([[0, new Uint8Array(32).fill(part)]])
      const fields = { suite: SUITE, ...slot(sender, 1), previousDigest: NO_PREVIOUS, parts }
      return signHeader(identity, fields)
    }
    return encodeEvidence(equivocationOf(header(1), header(2)))
  }

  function run(script: Script, change: Partial<BulkOrder> = {}) {
    const principal = scriptedPrincipal(cluster, script, told)
    const participants = [1, 2, 3]
    const incidents = new IncidentLog(principal.servers)
    return bulkRun(principal, {
      ...{ participants, steps: 3, stepMs: 100, incidents, inspect: () => done(null) },
      request: principal.request("presign", participants, new Uint8Array(0)),
      signal: new AbortController().signal,
      ...change,
    })
  }

  const honest: Script = (server, step) =>
    step === 3 ? output({ kind: "complete" }) : saying(server, step)

  it("hands each participant the others' messages of the step before, with its own parts", async () => {
    const inputs = new Map<string, readonly Bytes[]>()
    const result = await run((server, step, input) => {
      inputs.set(`${server}.${step}`, decode(bulkStepInput, input).messages)
      return honest(server, step, input)
    })
    assert.equal(result.kind, "complete")
    assert.deepEqual(
      result.kind === "complete" && result.log.map(({ server }) => server),
      [1, 2, 3],
    )
    for (const server of [1, 2, 3]) {
      assert.deepEqual(inputs.get(`${server}.1`), [])
      const others = [1, 2, 3].filter((id) => id !== server)
      const expected = others.map((id) => {
        const message = deliver(messageOf(id, 1), server)
        assert.deepEqual([...message.sealed], [[server, partFor(server)]])
        return encode(dkls.dklsMessageCodec, message)
      })
      assert.deepEqual(inputs.get(`${server}.2`), expected)
    }
  })

  it("ends with who gave no answer, and asks nobody for the next step", async () => {
    const steps: number[] = []
    const result = await run((server, step, input) => {
      steps.push(step)
      return server === 2 ? null : honest(server, step, input)
    })
    assert.ok(result.kind === "stopped")
    assert.deepEqual([result.reason, [...result.lost.keys()]], ["unavailable", [2]])
    assert.deepEqual(steps, [1, 1, 1])
  })

  it("suspects whoever sends what is no output, no message, or the end before the end", async () => {
    for (const bad of [
      new Uint8Array([9]),
      output({ kind: "message", message: new Uint8Array(5) }),
      output({ kind: "complete" }),
    ]) {
      told = []
      const result = await run((server, step, input) =>
        server === 3 ? bad : honest(server, step, input),
      )
      assert.ok(result.kind === "stopped")
      assert.deepEqual([...result.lost.keys()], [3])
      assert.deepEqual(
        told.map(({ kind, server }) => [kind, server]),
        [["suspected", 3]],
      )
    }
  })

  it("believes a name only with evidence that holds", async () => {
    for (const [evidence, culprits] of [
      [[], []],
      [[new Uint8Array(20)], []],
      [[equivocation(3, 1)], []],
      [[equivocation(3)], [3]],
    ] as const) {
      told = []
      const result = await run((server, step, input) =>
        server === 1 ? aborting({ culprits: [3], evidence }) : honest(server, step, input),
      )
      assert.ok(result.kind === "stopped")
      assert.deepEqual(result.culprits, culprits)
      assert.deepEqual(
        told.map(({ kind, server }) => [kind, server]),
        culprits.map((id) => ["proven", id]),
      )
      assert.equal(result.lost.size, 0)
    }
  })

  it("believes a pair only with evidence that holds", async () => {
    const result = await run((server, step, input) =>
      server === 1
        ? aborting({ reason: "pairwise-fault", pair: [2, 3] })
        : honest(server, step, input),
    )
    assert.ok(result.kind === "stopped")
    assert.deepEqual([result.pairs, told], [[], []])
  })

  it("stops before it hands on what it can see is wrong, naming who sent it", async () => {
    const steps: number[] = []
    const result = await run(
      (server, step, input) => {
        steps.push(step)
        return honest(server, step, input)
      },
      { inspect: () => abort("malformed-payload", { silent: [2] }) },
    )
    assert.ok(result.kind === "stopped")
    assert.deepEqual([[...result.lost.keys()], steps], [[2], [1, 1, 1]])
    assert.deepEqual(
      told.map(({ kind, server }) => [kind, server]),
      [["suspected", 2]],
    )
  })

  it("hands on what ends the run at the servers themselves: accusations, and setups that differ", async () => {
    for (const seen of [
      abort("pairwise-fault", { pair: [1, 2] }),
      abort("wrong-setup", { field: "setups.1.2" }),
    ]) {
      const steps: number[] = []
      await run(
        (server, step, input) => {
          steps.push(step)
          return step === 2 ? aborting({}) : honest(server, step, input)
        },
        { inspect: () => seen },
      )
      assert.deepEqual(steps, [1, 1, 1, 2, 2, 2])
    }
  })
})
