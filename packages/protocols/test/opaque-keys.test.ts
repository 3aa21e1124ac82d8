import assert from "node:assert/strict"
import { test } from "node:test"
import { inspect } from "node:util"
import { toHex } from "@lockkeeper/encoding"
import {
  type AccountKeys,
  accountIdOf,
  openAccountKeys,
  storageSubkey,
  unwrapUnderStorageKey,
  wrapUnderStorageKey,
} from "../src/opaque/index.ts"
import { masterKeyOf, wrapAccountKeys } from "../src/opaque/keys.ts"
import { abortOf, must, Random } from "./opaque-fixture.ts"

function scene(seed: string) {
  const random = new Random(seed)
  const exportKey = random.secret(64)
  const accountId = accountIdOf("alice")
  const keys = { storageKey: random.secret(32), signingSeed: random.secret(32) }
  const wrapped = wrapAccountKeys(exportKey, accountId, 3, keys, random.bytes(24))
  return { random, exportKey, accountId, keys, wrapped }
}

test("the export key opens what it wrapped, and no other export key, account or version does", () => {
  const { random, exportKey, accountId, keys, wrapped } = scene("open")
  const opened = must(openAccountKeys(exportKey, accountId, wrapped))
  assert.deepEqual(opened.storageKey.expose(), keys.storageKey.expose())
  assert.deepEqual(opened.signingSeed.expose(), keys.signingSeed.expose())
  const refused = (reason: string, field: string, ...input: Parameters<typeof openAccountKeys>) => {
    const aborted = abortOf(openAccountKeys(...input))
    assert.deepEqual([aborted.reason, aborted.field, aborted.culprits], [reason, field, []])
  }
  refused("wrong-wrap", "storageKey", random.secret(64), accountId, wrapped)
  refused("wrong-wrap", "storageKey", exportKey, accountIdOf("bob"), wrapped)
  refused("wrong-wrap", "storageKey", exportKey, accountId, { ...wrapped, opaqueVersion: 4 })
  const swapped = { ...wrapped, storageKey: wrapped.signingSeed, signingSeed: wrapped.storageKey }
  refused("wrong-wrap", "storageKey", exportKey, accountId, swapped)
  const signingPublicKey = random.bytes(32)
  refused("wrong-signing-key", "signingPublicKey", exportKey, accountId, {
    ...wrapped,
    signingPublicKey,
  })
})

test("a wrap with any byte altered does not open", () => {
  const { exportKey, accountId, wrapped } = scene("altered")
  for (const name of ["storageKey", "signingSeed"] as const) {
    for (const part of ["nonce", "sealed"] as const) {
      const field = name === "storageKey" ? "storageKey" : "request-signing-seed"
      for (let i = 0; i < wrapped[name][part].length; i++) {
        const bytes = wrapped[name][part].slice()
        bytes[i] = (bytes[i] as number) ^ 128
        const altered: AccountKeys = { ...wrapped, [name]: { ...wrapped[name], [part]: bytes } }
        const aborted = abortOf(openAccountKeys(exportKey, accountId, altered))
        assert.deepEqual([aborted.reason, aborted.field], ["wrong-wrap", field])
      }
    }
  }
})

test("a new export key re-wraps the storage key and leaves the principal as it was", () => {
  const { random, accountId, keys, wrapped } = scene("rewrap")
  const next = random.secret(64)
  const rewrapped = wrapAccountKeys(next, accountId, 4, keys, random.bytes(24))
  assert.deepEqual(rewrapped.signingPublicKey, wrapped.signingPublicKey)
  const opened = must(openAccountKeys(next, accountId, rewrapped))
  assert.deepEqual(opened.storageKey.expose(), keys.storageKey.expose())
})

test("keys of different labels, accounts and levels have nothing in common", () => {
  const { exportKey, accountId, keys } = scene("labels")
  const all = [
    masterKeyOf(exportKey, accountId),
    masterKeyOf(exportKey, accountIdOf("bob")),
    storageSubkey(keys.storageKey, accountId, "a"),
    storageSubkey(keys.storageKey, accountId, "b"),
    storageSubkey(keys.storageKey, accountIdOf("bob"), "a"),
    keys.storageKey,
  ]
  assert.equal(new Set(all.map((key) => toHex(key.expose()))).size, all.length)
})

test("what is wrapped under the storage key opens for its label and account alone", () => {
  const { random, accountId, keys } = scene("generic")
  const share = random.secret(32)
  const nonce = random.bytes(12)
  const wrap = wrapUnderStorageKey(keys.storageKey, accountId, "owner-share", share, nonce)
  const open = (label: string, account = accountId) =>
    unwrapUnderStorageKey(keys.storageKey, account, label, wrap)
  assert.deepEqual(must(open("owner-share")).expose(), share.expose())
  assert.equal(abortOf(open("owner-share-2")).reason, "wrong-wrap")
  assert.equal(abortOf(open("owner-share", accountIdOf("bob"))).reason, "wrong-wrap")
})

test("no key prints", () => {
  const { exportKey, accountId, wrapped } = scene("print")
  const opened = must(openAccountKeys(exportKey, accountId, wrapped))
  const hex = toHex(opened.storageKey.expose())
  for (const text of [inspect(opened, { depth: 9 }), JSON.stringify(opened), String(opened)]) {
    assert.ok(!text.includes(hex))
  }
  assert.match(inspect(opened), /redacted/)
})

test("wraps take randomness and keys of their lengths, and no more than they hold", () => {
  const { random, exportKey, accountId, keys } = scene("lengths")
  const wrap = (length: number, storageKey = keys.storageKey) =>
    wrapAccountKeys(exportKey, accountId, 1, { ...keys, storageKey }, random.bytes(length))
  for (const length of [0, 12, 23, 25]) assert.throws(() => wrap(length), /randomness: 24 bytes/)
  for (const length of [0, 31, 33]) {
    assert.throws(() => wrap(24, random.secret(length)), /storage key: 32 bytes/)
  }
  const under = (length: number) =>
    wrapUnderStorageKey(keys.storageKey, accountId, "big", random.secret(length), random.bytes(12))
  assert.equal(under(4096).sealed.length, 4112)
  assert.throws(() => under(4097), /more than a wrap holds/)
})
