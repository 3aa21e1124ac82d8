import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { test } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { PassphraseSeal } from "../src/adapters/passphrase-seal.ts"
import { SealRecordDamaged } from "../src/ports/seal-provider.ts"

const randomness = { bytes: (length: number): Bytes => new Uint8Array(randomBytes(length)) }
const CHEAPEST = { memoryKiB: 19_456, passes: 2, lanes: 1 }
const seal = (passphrase: string, cost = CHEAPEST): PassphraseSeal =>
  new PassphraseSeal(new Secret(utf8(passphrase)), randomness, cost)

test("the right passphrase recovers the key, a wrong one nothing", async () => {
  const key = new Secret(new Uint8Array(32).fill(7))
  const record = await seal("correct horse battery").protect(key)
  assert.deepEqual((await seal("correct horse battery").recover(record))?.expose(), key.expose())
  assert.equal(await seal("correct horse batterz").recover(record), null)
  assert.equal(await seal("").recover(record), null)
})

test("the key stands nowhere in the record and two records differ", async () => {
  const key = new Secret(new Uint8Array(32).fill(7))
  const provider = seal("passphrase")
  const first = await provider.protect(key)
  assert.ok(!Buffer.from(first).includes(Buffer.from(key.expose())))
  assert.notDeepEqual(first, await provider.protect(key))
})

test("a record with changed parameters, cut or extended recovers nothing", async () => {
  const provider = seal("passphrase")
  const record = await provider.protect(new Secret(new Uint8Array(32)))
  const label = "lockkeeper/seal/passphrase/v1".length
  const flip = (at: number): Bytes => {
    const flipped = record.slice()
    flipped[at] = (flipped[at] as number) ^ 1
    return flipped
  }
  // salt, wrapped key, tag
  for (const at of [label + 9, record.length - 40, record.length - 1]) {
    assert.equal(await provider.recover(flip(at)), null, String(at))
  }
  const damaged = [flip(0), record.slice(1), record.slice(0, -1), new Uint8Array([...record, 0])]
  for (const bytes of damaged) await assert.rejects(provider.recover(bytes), SealRecordDamaged)
})

test("a record whose Argon2id cost is trivial or ruinous is refused before any work", async () => {
  const record = await seal("passphrase").protect(new Secret(new Uint8Array(32)))
  const label = "lockkeeper/seal/passphrase/v1".length
  const costs: [number, number[]][] = [
    [label, [0, 0, 0, 8]],
    [label, [255, 255, 255, 255]],
    [label + 4, [0, 0, 0, 1]],
    [label + 4, [255, 0, 0, 0]],
    [label + 8, [0]],
    [label + 8, [255]],
  ]
  for (const [at, bytes] of costs) {
    const altered = record.slice()
    altered.set(bytes, at)
    await assert.rejects(seal("passphrase").recover(altered), SealRecordDamaged)
  }
  assert.throws(() => seal("x", { memoryKiB: 1024, passes: 3, lanes: 1 }), SealRecordDamaged)
})

test("closing wipes the passphrase", async () => {
  const secret = new Secret(utf8("passphrase"))
  await new PassphraseSeal(secret, randomness, CHEAPEST).close()
  assert.throws(() => secret.expose(), /wiped/)
})
