import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, interpolate, ristretto255, type Scalar } from "@lockkeeper/crypto"
import { encode, toHex, utf8 } from "@lockkeeper/encoding"
import { registrationRecordCodec } from "../src/opaque/envelope.ts"
import { combineLogin, openAccountKeys, verifyLogin, wipeLogin } from "../src/opaque/index.ts"
import { evaluateUnblinded, scalarOf } from "../src/opaque/oprf.ts"
import {
  type Account,
  ask,
  cluster,
  conclude,
  get,
  must,
  only,
  register,
} from "./opaque-fixture.ts"

const PASSWORD = "correct horse battery staple"

function reconstructed(account: Account, ...holders: Identifier[]): Scalar {
  const shares = only(account.records, ...holders)
  return interpolate(ristretto255, new Map([...shares].map(([i, r]) => [i, scalarOf(r.share)])))
}

for (const [minSigners, size] of [
  [1, 1],
  [1, 3],
  [2, 3],
  [3, 5],
  [4, 4],
] as const) {
  test(`${minSigners} of ${size}: every server ends with the client's session key`, () => {
    const world = cluster(`happy-${minSigners}-${size}`, minSigners, size)
    const account = register(world, "alice", PASSWORD)
    const { state, responses, serverStates } = ask(world, "alice", PASSWORD, account.records)
    const finished = must(conclude(state, responses))
    assert.equal(finished.sessions.size, size)
    assert.equal(finished.refused.size, 0)
    const distinct = new Set<string>()
    for (const [identifier, session] of finished.sessions) {
      const verified = must(verifyLogin(get(serverStates, identifier), session.ke3))
      assert.equal(toHex(verified.sessionKey.expose()), toHex(session.sessionKey.expose()))
      assert.equal(verified.opaqueVersion, 1)
      distinct.add(toHex(verified.sessionKey.expose()))
    }
    assert.equal(distinct.size, size)
  })
}

test("2 of 3: the OPRF output is RFC 9497's for the reconstructed key, for each signer set", () => {
  const world = cluster("oprf-output")
  const account = register(world, "alice", PASSWORD)
  const key = reconstructed(account, 1, 2)
  assert.deepEqual(reconstructed(account, 2, 3), key)
  const expected = toHex(evaluateUnblinded(key, utf8(PASSWORD)).expose())
  const { state, responses } = ask(world, "alice", PASSWORD, account.records)
  for (const set of [
    [1, 2],
    [1, 3],
    [2, 3],
    [1, 2, 3],
  ]) {
    const { combined, toStretch } = must(combineLogin(state, only(responses, ...set)))
    assert.equal(toHex(toStretch.expose()), expected)
    assert.deepEqual([...combined.answers.keys()], set)
    assert.deepEqual(combined.faults, [])
  }
})

test("records of one registration differ in the envelope's tag alone", () => {
  const world = cluster("records")
  const account = register(world, "alice", PASSWORD)
  const [first, ...others] = [...account.records.values()].map((r) => r.record)
  assert.ok(first)
  for (const other of others) {
    assert.deepEqual(other.clientPublicKey, first.clientPublicKey)
    assert.deepEqual(other.maskingKey.expose(), first.maskingKey.expose())
    assert.deepEqual(other.envelope.nonce, first.envelope.nonce)
    assert.notDeepEqual(other.envelope.authTag, first.envelope.authTag)
  }
  assert.equal(encode(registrationRecordCodec, first).length, 192)
})

test("every signer set gives the same export key, which opens the account's keys", () => {
  const world = cluster("export-key")
  const account = register(world, "alice", PASSWORD)
  const exportKeys = new Set<string>()
  for (const set of [
    [1, 2],
    [1, 3],
    [2, 3],
  ]) {
    const { state, responses } = ask(world, "alice", PASSWORD, account.records)
    const { exportKey } = must(conclude(state, only(responses, ...set)))
    exportKeys.add(toHex(exportKey.expose()))
    const { keys } = get(account.records, 1).registration
    const opened = must(openAccountKeys(exportKey, keys.accountId, keys))
    assert.deepEqual(opened.storageKey.expose(), account.keys.storageKey.expose())
    assert.deepEqual(opened.signingSeed.expose(), account.keys.signingSeed.expose())
  }
  assert.equal(exportKeys.size, 1)
})

test("a password change keeps the storage key and the principal and ends the old password", () => {
  const world = cluster("change")
  const before = register(world, "alice", PASSWORD)
  const after = register(world, "alice", "another password", before)
  const old = get(before.records, 1).registration
  const { registration } = get(after.records, 1)
  assert.equal(registration.keys.opaqueVersion, 2)
  assert.deepEqual(registration.keys.signingPublicKey, old.keys.signingPublicKey)
  assert.notDeepEqual(registration.vector[0], old.vector[0])

  const stale = ask(world, "alice", PASSWORD, after.records)
  const refused = conclude(stale.state, stale.responses)
  assert.equal(refused.ok ? "" : refused.abort.reason, "wrong-password-or-envelope")
  const fresh = ask(world, "alice", "another password", after.records)
  const { exportKey } = must(conclude(fresh.state, fresh.responses))
  const opened = must(openAccountKeys(exportKey, registration.keys.accountId, registration.keys))
  assert.deepEqual(opened.storageKey.expose(), before.keys.storageKey.expose())
  assert.deepEqual(opened.signingSeed.expose(), before.keys.signingSeed.expose())
})

test("two logins with one password share no byte that links them but the account", () => {
  const world = cluster("unlinkable")
  const account = register(world, "alice", PASSWORD)
  const a = ask(world, "alice", PASSWORD, account.records)
  const b = ask(world, "alice", PASSWORD, account.records)
  for (let offset = 0; offset < 96; offset += 32) {
    const part = (login: typeof a) => get(login.ke1, 1).subarray(offset, offset + 32)
    assert.notDeepEqual(part(a), part(b))
  }
  // Between servers of one login only the blinded element is the same.
  assert.deepEqual(get(a.ke1, 1).subarray(0, 32), get(a.ke1, 2).subarray(0, 32))
  assert.notDeepEqual(get(a.ke1, 1).subarray(32, 64), get(a.ke1, 2).subarray(32, 64))
  assert.notDeepEqual(get(a.ke1, 1).subarray(64), get(a.ke1, 2).subarray(64))
})

test("a finished login leaves nothing secret behind in its state", () => {
  const world = cluster("wiped")
  const account = register(world, "alice", PASSWORD)
  const { state, responses } = ask(world, "alice", PASSWORD, account.records)
  const { combined, toStretch } = must(combineLogin(state, responses))
  toStretch.wipe()
  combined.oprfOutput.wipe()
  wipeLogin(state)
  for (const secret of [state.password, state.blind, get(state.openings, 1).keyshareSecret]) {
    assert.throws(() => secret.expose(), /wiped/)
  }
  assert.ok(!JSON.stringify(state).includes(PASSWORD))
})
