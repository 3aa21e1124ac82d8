import assert from "node:assert/strict"
import { test } from "node:test"
import { type Bytes, decode, encode, Reader } from "@lockkeeper/encoding"
import {
  type Presignature,
  presignAnswer,
  presignatureCodec,
  presignTask,
  work,
} from "../src/dkls/index.ts"
import { presignStateCodec } from "../src/dkls/presign/state.ts"
import { contextOf, dealtPairs, orderFor, PresignRunner, shareOf } from "./dkls-cluster.ts"
import { makeCluster, participant, seeded, value } from "./frost-fixture.ts"

const cluster = makeCluster({ keyType: "ecdsa-secp256k1" })
const pairs = dealtPairs([1, 2])
const honest = new PresignRunner(cluster, [1, 2], { pairs }).run()

/** Every array that bytes were copied or decoded into while `run` ran, as it stands afterwards. */
function copiedInto(run: () => void): Uint8Array[] {
  const seen: Uint8Array[] = []
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array
  const original = typedArray.set
  typedArray.set = function set(this: Uint8Array, ...args: [ArrayLike<number>, number?]) {
    seen.push(this)
    return original.apply(this, args)
  }
  const { bytes } = Reader.prototype
  Reader.prototype.bytes = function read(this: Reader, length: number) {
    const decoded = bytes.call(this, length)
    seen.push(decoded)
    return decoded
  }
  try {
    run()
  } finally {
    typedArray.set = original
    Reader.prototype.bytes = bytes
  }
  return seen
}

function assertGone(copies: readonly Uint8Array[], secrets: readonly Uint8Array[]): void {
  for (const copy of copies) {
    const bytes = Buffer.from(copy.buffer, copy.byteOffset, copy.byteLength)
    for (const secret of secrets) assert.equal(bytes.indexOf(secret), -1)
  }
}

test("signing leaves no copy of phi_i, u_i or v_i", () => {
  const [stored] = honest.presignatures.get(1) as readonly [Presignature]
  const presignature = decode(presignatureCodec, encode(presignatureCodec, stored))
  const order = orderFor(cluster, presignature)
  const { phi, u, v } = presignature
  const secrets = [phi, u, v].map((secret) => secret.expose().slice())
  const copies = copiedInto(() => value(shareOf(cluster, presignature, order)))
  assert.ok(copies.length > 0)
  assertGone(copies, secrets)
})

test("a step leaves no copy of share, pairs or state once its caller wipes task, result and state", () => {
  const share = participant(cluster, 1).key.signingShare
  const setup = pairs.get(1)!.get(2)!
  for (const step of [2, 3, 4, 5] as const) {
    const state = honest.before(step).states.get(1)!
    const { secret } = decode(presignStateCodec, state)
    // The first scalar that is kept: after the blinding, which is published, and a count.
    const start = step === 2 ? 36 : 4
    const kept = secret.slice(start, start + 32)
    const messages = honest.said[step - 2]!.slice(1)
    const context = contextOf(cluster, honest.params, 1)
    const secrets = { signingShare: share, pairs: pairs.get(1)! }
    const copies = copiedInto(() => {
      const randomness = seeded(`hygiene ${step}`, 64)
      const task = value(presignTask(context, step, state, messages, secrets, randomness))
      const result = work(task)
      const answer = value(presignAnswer(context, step, result, messages))
      const spent: (Bytes | null)[] = [task, result, state, randomness, answer.state]
      for (const bytes of spent) bytes?.fill(0)
      for (const { phi, u, v } of answer.presignatures) for (const own of [phi, u, v]) own.wipe()
    })
    assertGone(copies, [
      share.expose(),
      setup.delta.expose(),
      setup.zeroSeeds.expose().slice(0, 32),
      setup.pairSecret.expose(),
      kept,
    ])
  }
})

test("the signing share goes to the worker at step 2 and at no other", () => {
  const share = participant(cluster, 1).key.signingShare
  const secrets = { signingShare: share, pairs: pairs.get(1)! }
  const context = contextOf(cluster, honest.params, 1)
  for (const step of [1, 2, 3, 4, 5] as const) {
    const state = honest.before(step).states.get(1) ?? null
    const messages = (honest.said[step - 2] ?? []).slice(1)
    const random = seeded("worker", 64)
    const task = value(presignTask(context, step, state, messages, secrets, random))
    const isInside = Buffer.from(task).includes(Buffer.from(share.expose()))
    assert.equal(isInside, step === 2, `step ${step}`)
  }
})

test("secrets of presignatures and pairs do not print", () => {
  const [presignature] = honest.presignatures.get(2) as readonly [Presignature]
  const printed = JSON.stringify([presignature, pairs.get(1)!.get(2)!])
  assert.equal(printed.split('"[redacted]"').length - 1, 8)
})
