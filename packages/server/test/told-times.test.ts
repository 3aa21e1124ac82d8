import assert from "node:assert/strict"
import { test } from "node:test"
import { keyListing, MAX_CLOCK_SKEW_MS } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { toldKeyTime, toldTime } from "../src/resharing/told-times.ts"
import { driveMove, goOnTo, moveFor, type Shape, startMoves } from "./move-flows.ts"
import { Coordinator, type ReshareWorld, serverOf } from "./reshare-flows.ts"

const A: Shape = { holders: [1, 2, 3], minSigners: 2 }
const B: Shape = { holders: [4, 5, 6], minSigners: 2 }
const FAR = 4_000_000_000_000

async function listingAt({ owner, certificates, cluster }: ReshareWorld, id: Identifier) {
  const { keyId } = (certificates[0] as KeyCertificate).public
  const { store } = serverOf({ cluster } as ReshareWorld, id)
  const name = `${toHex(owner.accountId)}-${toHex(keyId)}`
  const row = await store.read("account-keys", name)
  assert.ok(row)
  const put = { kind: "put", table: "account-keys", id: name, ifVersion: row.version } as const
  const listing = decode(keyListing, row.value)
  const date = (createdAt: number) =>
    store.commit([{ ...put, value: encode(keyListing, { ...listing, createdAt }) as Bytes }])
  return { createdAt: listing.createdAt, date }
}

/** When the first one that joins believes the key to be made, with what these say. */
async function believed(
  said: ReadonlyMap<Identifier, number>,
): Promise<{ readonly createdAt: number; readonly now: number }> {
  const world = await startMoves(A, ["ed25519"])
  await goOnTo(world, B)
  for (const [id, createdAt] of said) await (await listingAt(world, id)).date(createdAt)
  world.cluster.clock.time += 60_000
  const coordinator = new Coordinator(world, await moveFor(world))
  const tellers = [...said.keys()]
  const { task } = await driveMove(coordinator, undefined, undefined, undefined, tellers)
  assert.ok(task.kind === "confirmed")
  for (const id of B.holders) await coordinator.activate(id, task.certificate)
  const { createdAt } = await listingAt(world, 4)
  return { createdAt, now: world.cluster.clock.time }
}

test("one that lies makes a key neither older nor younger where all holders tell", async () => {
  const { createdAt: made } = await listingAt(await startMoves(A, ["ed25519"]), 1)
  const lies = [
    [1, 0],
    [1, FAR],
    [3, 0],
    [3, FAR],
  ] as const
  for (const [liar, lie] of lies) {
    const said = A.holders.map((id) => [id, id === liar ? lie : made + 10 * id] as const)
    const honest = said.filter(([id]) => id !== liar).map(([, time]) => time)
    const { createdAt } = await believed(new Map(said))
    assert.ok(createdAt >= Math.min(...honest) && createdAt <= Math.max(...honest), `${liar}`)
  }
})

test("where just as many tell as it takes, none of them ends a key early, nor dates it ahead", async () => {
  const { createdAt: made } = await listingAt(await startMoves(A, ["ed25519"]), 1)
  const early = await believed(
    new Map([
      [1, 0],
      [2, made],
    ]),
  )
  assert.equal(early.createdAt, made)
  const late = await believed(
    new Map([
      [1, made],
      [2, FAR],
    ]),
  )
  assert.equal(late.createdAt, late.now)
})

test("the time of many lies between those that honest ones say, wherever the liars' are", () => {
  for (const need of [1, 2, 3]) {
    const honest = Array.from({ length: need }, (_, i) => 1000 + i)
    for (let below = 0; below < need; below++) {
      const above = need - 1 - below
      const lies = [...Array(below).fill(0), ...Array(above).fill(FAR)]
      const time = toldTime([...lies, ...honest], need)
      assert.ok(time !== null && honest.includes(time), `${need}: ${below}`)
      const few = toldTime([...lies.slice(0, below), ...honest.slice(0, need - below)], need)
      assert.ok(few !== null && few >= 1000)
    }
    assert.equal(toldTime(honest.slice(1), need), null)
  }
})

test("a key as it was made is no older than its roster; one that was dealt anew may be", async () => {
  const { cluster, certificates } = await startMoves(A, ["ed25519"])
  const certificate = certificates[0] as KeyCertificate
  const { self } = serverOf({ cluster } as ReshareWorld, 1)
  const now = cluster.clock.time
  const earliest = self.roster.createdAt - MAX_CLOCK_SKEW_MS
  assert.equal(toldKeyTime(self, certificate, 0, now), Math.min(earliest, now))
  const refreshed = { ...certificate, public: { ...certificate.public, keyEpoch: 2 } }
  assert.equal(toldKeyTime(self, refreshed, 0, now), 0)
  assert.equal(toldKeyTime(self, refreshed, FAR, now), now)
})
