import assert from "node:assert/strict"
import { test } from "node:test"
import { createKeyBody, MAX_MEMBERS, protocolStepInput } from "@lockkeeper/api"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { encodeEvidence, equivocationOf, messageCodec } from "@lockkeeper/protocols"
import { answerControl, type Controlled } from "../src/control/answer.ts"
import { MAX_CONTROL_ANSWER, parseControlAnswer } from "../src/control/requests.ts"
import { MAX_REASONS } from "../src/incidents/incidents.ts"
import { judgeEvidence } from "../src/incidents/judge.ts"
import { Turnstile } from "../src/turnstile.ts"
import { restart, startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

function proofOf(servers: readonly number[], reason: string, n = 0) {
  const evidence = new TextEncoder().encode(`${servers} ${reason} ${n}`) as Bytes
  return { evidence, digest: sha256(evidence), servers, reason }
}

async function record({ server, store }: TestServer, ...proofs: ReturnType<typeof proofOf>[]) {
  const recording = server.incidents.record(proofs, "reported")
  if (recording.changes.length > 0) await store.commit(recording.changes)
  recording.committed()
  recording.release()
  return recording.incidents
}

test("a culprit whose incidents were all cleared is quarantined again, whatever its next fault is", async () => {
  const cluster = await startCluster()
  const one = cluster.servers.get(1)!
  for (let i = 0; i < MAX_REASONS; i++) {
    const [made] = await record(one, proofOf([3], `reason-${i}`))
    assert.equal(await one.server.clearIncident(made!.number, "repaired"), true)
  }
  assert.deepEqual(one.server.incidents.quarantined, [])
  await record(one, proofOf([3], "another reason"))
  assert.deepEqual(one.server.incidents.quarantined, [3])
})

test("an operator can list all that may be recorded, with the longest notes", async () => {
  const cluster = await startCluster({ servers: MAX_MEMBERS, minSigners: 12 })
  const one = cluster.servers.get(1)!
  for (let a = 1; a <= MAX_MEMBERS; a++)
    for (let b = a + 1; b <= MAX_MEMBERS; b++) await record(one, proofOf([a, b], "pairwise-fault"))
  for (let a = 1; a <= MAX_MEMBERS; a++)
    for (let i = 0; i < MAX_REASONS; i++) await record(one, proofOf([a], `reason-${i}`))
  const { incidents } = one.server
  for (const { number } of incidents.all())
    await one.server.clearIncident(number, "\u{1f512}".repeat(64))
  const succession = {} as Controlled["succession"]
  const controlled = { turnstile: new Turnstile(one.server), succession }
  const answer = await answerControl(controlled, JSON.stringify({ command: "incidents.list" }))
  assert.ok(Buffer.byteLength(answer) <= MAX_CONTROL_ANSWER)
  assert.equal(parseControlAnswer(answer).kind, "listed")
})

/** Has the first server open a key generation: what it signed. */
async function openedBy(owner: TestOwner, session: TestSession, keyId: Bytes) {
  const body = encode(createKeyBody, {
    ...{ keyId, keyType: "ed25519", custody: { kind: "custodial" }, label: "" },
    ...{ minSigners: 2, holders: [1, 2, 3], attempt: 1 },
  } as const)
  const request = owner.sign(owner.request("keys.create", body, { servers: [1, 2, 3] }))
  const input = encode(protocolStepInput, { messages: [] })
  const answer = await session.call({ kind: "act", request, step: 1, input })
  return answer.kind === "act" ? decode(messageCodec, answer.output).header : null
}

test("what a server opens again that was put back to an older copy is no evidence against it", async () => {
  const cluster = await startCluster()
  const owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const [session] = await owner.login("correct horse")
  const keyId = new Uint8Array(32).fill(8)
  const before = await openedBy(owner, session!, keyId)
  assert.ok(before !== null)
  const { store } = cluster.servers.get(1)!
  const rows = await store.scan("protocol-sessions", "", "", 9)
  const take = ({ id, version }: (typeof rows)[number]) =>
    ({ kind: "take", table: "protocol-sessions", id, version }) as const
  await store.commit(rows.map(take))
  const back = await restart(cluster, 1, { condition: "restored" })
  const after = await openedBy(owner, await owner.resume(back), keyId)
  assert.ok(after !== null)
  assert.notDeepEqual(after, before)
  const evidence = encodeEvidence(equivocationOf(before, after))
  const worthless = { valid: false, why: "the headers belong to different slots" }
  assert.deepEqual(judgeEvidence(cluster.servers.get(2)!.self, evidence), worthless)
})
