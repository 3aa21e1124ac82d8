import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName, type Identifier, interpolate, type Scalar } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { checkParams, dkgOpen, openRandomnessLength } from "../src/dkg/index.ts"
import { revealPayloadCodec, verdictPayloadCodec } from "../src/dkg/payloads.ts"
import { encodeEvidence, verifyEvidence, verifyKeyCertificate } from "../src/index.ts"
import type { KeyType } from "../src/key-types.ts"
import { LIMITS } from "../src/messages/limits.ts"
import {
  DishonestParticipant,
  drive,
  driveHonest,
  driveWith,
  HonestParticipant,
  paramsFor,
  signs,
} from "./dkg-cluster.ts"
import { identity, rosterOf } from "./messages-fixtures.ts"

const DEVICE = 0xff00
const SERVERS = [1, 2, 3]
const withDevice = (keyType: KeyType = "ed25519") => paramsFor(2, SERVERS, keyType, 1, [DEVICE])
const params = withDevice()

/** The device at fault: everyone stops, and nothing is proven to those who know only servers. */
function assertDeviceNamed(
  { task, aborts }: ReturnType<typeof driveWith>,
  reason: string,
  field: string,
): void {
  assert.equal(task.kind, "aborted")
  const { abort } = task
  assert.deepEqual([abort.reason, abort.culprits, abort.field], [reason, [DEVICE], field])
  for (const evidence of abort.evidence) {
    const encoded = encodeEvidence(evidence)
    const toOthers = verifyEvidence(encoded, rosterOf(SERVERS))
    assert.equal(toOthers.valid, false)
    assert.match(toOthers.why, /unknown-sender/)
    const toThose = verifyEvidence(encoded, rosterOf([...SERVERS, DEVICE]))
    assert.deepEqual(toThose, { valid: true, culprit: DEVICE, reason })
  }
  assert.equal(aborts.size, 0)
}

test("a device's share comes on top of what the servers share, in every group", () => {
  for (const keyType of ["ed25519", "bip340", "ecdsa-secp256k1"] as const) {
    const { task, keys, certificates } = driveHonest(withDevice(keyType), "run")
    assert.equal(task.kind, "activate")
    const { certificate } = task
    assert.ok(verifyKeyCertificate(certificate, rosterOf(SERVERS)).ok)
    for (const one of certificates) assert.deepEqual(one, certificate)
    const { public: pkg } = certificate
    assert.deepEqual([...pkg.verifyingShares.keys()], SERVERS)
    assert.deepEqual(pkg.additive.get(DEVICE)?.identityKey, identity(DEVICE).publicKey)

    const group = groupByName(pkg.group)
    const shareOf = (id: Identifier) => keys.get(id)!.signingShare.expose() as Scalar
    const shares = new Map([1, 3].map((id) => [id, shareOf(id)]))
    const shared = interpolate(group, shares)
    const device = shareOf(DEVICE)
    assert.deepEqual(group.multiplyBase(device), pkg.additive.get(DEVICE)?.publicShare)
    assert.deepEqual(group.multiplyBase(group.addScalars(shared, device)), pkg.verifyingKey)
    assert.notDeepEqual(group.multiplyBase(shared), pkg.verifyingKey)
  }
})

test("no server gets anything of the device's share, nor the device of theirs", () => {
  const seen = new Map<Identifier, number>()
  drive(params, (id) => {
    const participant = new HonestParticipant(params, id, "run")
    const { step } = participant
    participant.step = (name, deliveries) => {
      const outcome = step.call(participant, name, deliveries)
      if (name === "reveal" && outcome.ok) seen.set(id, outcome.value.sealed.size)
      return outcome
    }
    return participant
  })
  assert.deepEqual(
    [...seen],
    [
      [1, 2],
      [2, 2],
      [3, 2],
      [DEVICE, 0],
    ],
  )
})

test("a device cannot choose its share after it has seen the servers'", () => {
  const group = groupByName("edwards25519")
  const reveal = signs(DEVICE, ({ broadcast }) => {
    const codec = revealPayloadCodec(group)
    const payload = decode(codec, broadcast)
    const other = group.add(payload.vector[0]!, group.generator)
    return { broadcast: encode(codec, { ...payload, vector: [other] }) }
  })
  assertDeviceNamed(driveWith(params, { [DEVICE]: { reveal } }), "wrong-opening", "vector")
})

test("a device adds one share and deals none", () => {
  const group = groupByName("edwards25519")
  const longer = signs(DEVICE, ({ broadcast }) => {
    const codec = revealPayloadCodec(group)
    const payload = decode(codec, broadcast)
    return {
      broadcast: encode(codec, { ...payload, vector: [...payload.vector, group.generator] }),
    }
  })
  const tooLong = driveWith(params, { [DEVICE]: { reveal: longer } })
  assertDeviceNamed(tooLong, "wrong-vector-length", "vector")
  const dealing = signs(DEVICE, () => ({ sealed: new Map([[1, new Uint8Array(48)]]) }))
  const dealt = driveWith(params, { [DEVICE]: { reveal: dealing } })
  assertDeviceNamed(dealt, "wrong-recipients", "parts")
})

test("a device proves that it knows its share", () => {
  const group = groupByName("edwards25519")
  const reveal = signs(DEVICE, ({ broadcast }) => {
    const codec = revealPayloadCodec(group)
    const payload = decode(codec, broadcast)
    const { challenge, response } = payload.possession
    const possession = { challenge, response: group.addScalars(response, group.one) }
    return { broadcast: encode(codec, { ...payload, possession }) }
  })
  const outcome = driveWith(params, { [DEVICE]: { reveal } })
  assertDeviceNamed(outcome, "wrong-proof-of-possession", "possession")
})

test("a device has nothing to complain of, and confirms the same key", () => {
  const complain = signs(DEVICE, () => ({
    broadcast: encode(verdictPayloadCodec, { kind: "complain", dealers: [1] }),
  }))
  const complaint = driveWith(params, { [DEVICE]: { verdict: complain } })
  assertDeviceNamed(complaint, "wrong-complaint", "dealers")
  const confirm = signs(DEVICE, () => ({
    broadcast: encode(verdictPayloadCodec, {
      kind: "confirm",
      confirmation: new Uint8Array(64).fill(1),
    }),
  }))
  const confirmation = driveWith(params, { [DEVICE]: { verdict: confirm } })
  assertDeviceNamed(confirmation, "wrong-confirmation", "confirmation")
})

test("a server that confirms another key beside a device is still named to anyone", () => {
  const confirm = signs(2, () => ({
    broadcast: encode(verdictPayloadCodec, {
      kind: "confirm",
      confirmation: new Uint8Array(64).fill(1),
    }),
  }))
  const { task } = driveWith(params, { 2: { verdict: confirm } })
  assert.equal(task.kind, "aborted")
  const { reason, culprits, evidence } = task.abort
  assert.deepEqual([reason, culprits], ["wrong-confirmation", [2]])
  const verdict = verifyEvidence(encodeEvidence(evidence[0]!), rosterOf(SERVERS))
  assert.deepEqual(verdict, { valid: true, culprit: 2, reason: "wrong-confirmation" })
})

test("without the device there is no key", () => {
  const silent = drive(params, (id) =>
    id === DEVICE
      ? new DishonestParticipant(params, id, "run", { verdict: () => null })
      : new HonestParticipant(params, id, "run"),
  )
  assert.equal(silent.task.kind, "aborted")
  assert.deepEqual(silent.task.abort.silent, [DEVICE])
  assert.equal(silent.keys.size, 0)
})

test("a number is a server's or a device's", () => {
  const both = paramsFor(2, SERVERS, "ed25519", 1, [3])
  const outcome = checkParams(both)
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.field], ["wrong-participants", "additive"])
})

test("a run has room for a device, and the device a key of its own", () => {
  const most = Array.from({ length: LIMITS.participants }, (_, i) => i + 1)
  assert.ok(checkParams(paramsFor(2, most)).ok)
  assert.ok(checkParams(paramsFor(2, most.slice(1), "ed25519", 1, [DEVICE])).ok)
  const full = checkParams(paramsFor(2, most, "ed25519", 1, [DEVICE]))
  assert.ok(!full.ok)
  assert.deepEqual([full.abort.reason, full.abort.field], ["wrong-participants", "participants"])

  const shared = { ...params, additive: new Map([[DEVICE, identity(2).publicKey]]) }
  const self = { signer: identity(1), verifyKeys: rosterOf(SERVERS) }
  const randomness = new Uint8Array(openRandomnessLength(shared, 1)).fill(1)
  const opened = dkgOpen(shared, 1, self, randomness)
  assert.ok(!opened.ok)
  const { reason, field } = opened.abort
  assert.deepEqual([reason, field], ["wrong-participants", `participants.${DEVICE}`])
})
