import assert from "node:assert/strict"
import { test } from "node:test"
import { NONCE_LIFETIME_MS, type SignEcdsaOutput } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex, u32 } from "@lockkeeper/encoding"
import { ecdsa } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { type RowChange, StoreUnavailable } from "../src/ports/row-store.ts"
import type { LogPosition } from "../src/ports/store.ts"
import { LEASE_MS } from "../src/presigning/pool.ts"
import { DEFAULT_MAX_AGE_MS } from "../src/presigning/room.ts"
import {
  at,
  combine,
  type EcdsaWorld,
  type Prepared,
  prepareAt,
  prepareSet,
  presignAt,
  readyAt,
  refusal,
  type Sessions,
  setUpPairs,
  shareAt,
  signEcdsaWith,
  signRequestOf,
  startEcdsa,
  statusAt,
} from "./ecdsa-flows.ts"
import { restart } from "./memory-cluster.ts"

const RACES = Number(process.env["LOCKKEEPER_RACES"] ?? 32)

const CONFLICT = "conflict input.presignature"

/** Digest number `n`, so that two signatures are never over the same one. */
function digestOf(n: number): Bytes {
  const digest = new Uint8Array(32).fill(1)
  digest.set(encode(u32, n + 1), 4)
  return digest
}

function signing(n: number) {
  return { content: { kind: "message", message: digestOf(n) } as const }
}

async function storedAt(world: EcdsaWorld, server: Identifier): Promise<readonly string[]> {
  const rows = await at(world.sessions, server).to.store.scan("presignatures", "", "", 256)
  return rows.map(({ id }) => id)
}

/** Another server process over the rows of one, with the owner's session at it. */
async function restartAt(
  world: EcdsaWorld,
  server: Identifier,
  left: Parameters<typeof restart>[2] = {},
): Promise<EcdsaWorld> {
  const to = await restart(world.owner.cluster, server, left)
  const sessions: Sessions = new Map([...world.sessions, [server, await world.owner.resume(to)]])
  return { ...world, sessions }
}

test(`a presignature that two clients and two subsets race for is used once, ${RACES} times`, async (t) => {
  const world = await startEcdsa()
  let [raced, won] = [0, 0]
  while (raced < RACES) {
    await presignAt(world, [1, 2], 16)
    const nonces = async (signer: Identifier, signers: readonly Identifier[]) =>
      (await prepareAt(world, signer, signers, 16)).nonces
    const offers = (await prepareAt(world, 1, [1, 2], 16)).presignatures
    const [a1, a2] = [await nonces(1, [1, 2]), await nonces(2, [1, 2])]
    const [b1, b2] = [await nonces(1, [1, 2]), await nonces(2, [1, 2])]
    const [c1, c3] = [await nonces(1, [1, 3]), await nonces(3, [1, 3])]
    for (const [k, presignature] of offers.entries()) {
      const pick = (...lists: readonly (readonly Bytes[])[]) => lists.map((l) => l[k] as Bytes)
      const clients: readonly Prepared[] = [
        { signers: [1, 2], nonces: pick(a1, a2), presignature },
        { signers: [1, 2], nonces: pick(b1, b2), presignature },
        { signers: [1, 3], nonces: pick(c1, c3), presignature },
      ]
      const shares = new Map<Identifier, number>()
      const outputs = clients.map(() => new Map<Identifier, SignEcdsaOutput>())
      const requests = clients.map((_, client) => signRequestOf(world, signing(3 * raced + client)))
      const asked = clients.flatMap(({ signers }, client) =>
        signers.map((signer) => ({ signer, client })),
      )
      // Every client comes first at some server, in some race.
      const turned = asked
        .map((turn, i) => ({ ...turn, at: ((raced + 1) * (i + 3) * 7919) % 101 }))
        .sort((a, b) => a.at - b.at)
      await Promise.all(
        turned.map(async ({ signer, client }) => {
          const [request, prepared] = [requests[client], clients[client]]
          assert.ok(request && prepared)
          const sharing = shareAt(world, signer, request, prepared).then((output) => {
            outputs[client]?.set(signer, output)
            shares.set(signer, (shares.get(signer) ?? 0) + 1)
          })
          const refused = await refusal(sharing)
          const expected = client === 2 ? /^(conflict|invalid-request) input\./ : /^conflict/
          if (refused !== "no refusal") assert.match(refused, expected)
        }),
      )
      for (const [client, prepared] of clients.entries()) {
        const [request, both] = [requests[client], outputs[client]]
        if (request === undefined || both === undefined || both.size < 2) continue
        won += 1
        combine(world, prepared, request, both, digestOf(3 * raced + client))
      }
      for (const [server, count] of shares) assert.equal(count, 1, `server ${server}`)
      assert.ok((shares.get(1) ?? 0) === 1 && shares.get(3) === undefined)
      raced += 1
    }
    assert.deepEqual(await storedAt(world, 1), [])
    assert.deepEqual(await storedAt(world, 2), [])
  }
  // Where one client came first at one server and the other at the other, nobody has a signature.
  assert.ok(won > 0 && won < raced)
  t.diagnostic(`${raced} presignatures raced, ${won} signatures`)
})

test("a presignature that was used is refused to every later request", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2], 2)
  const prepared = await prepareSet(world, [1, 2])
  const request = signRequestOf(world)
  const first = await shareAt(world, 1, request, prepared)
  // The same step again is a repeat, and gets the same bytes.
  assert.deepEqual(await shareAt(world, 1, request, prepared), first)
  const { nonces } = await prepareSet(world, [1, 2])
  const again = { ...prepared, nonces }
  assert.equal(await refusal(shareAt(world, 1, request, again, 2)), CONFLICT)
  assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), again)), CONFLICT)
  // Its nonce was not taken for it.
  const other = (await prepareAt(world, 1, [1, 2])).presignatures
  assert.deepEqual(other, [])
  world.owner.cluster.clock.time += NONCE_LIFETIME_MS
  const [presignature] = (await prepareAt(world, 1, [1, 2])).presignatures
  assert.ok(presignature)
  await signEcdsaWith(world, { signers: [1, 2], nonces, presignature })
})

test("a nonce is used once and within its minute, and an order that lacks one takes nothing", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2], 3)
  const { clock } = world.owner.cluster
  const used = await prepareSet(world, [1, 2])
  await signEcdsaWith(world, used)
  const second = await prepareSet(world, [1, 2])
  const spent = { ...second, nonces: used.nonces }
  const stale = "conflict input.nonces"
  assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), spent)), stale)
  clock.time += NONCE_LIFETIME_MS + 1
  assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), second)), stale)
  const fresh = await prepareSet(world, [1, 2])
  const restarted = await restartAt(world, 2)
  assert.equal(await refusal(shareAt(restarted, 2, signRequestOf(world), fresh)), CONFLICT)
  assert.equal(await readyAt(world, 1, [1, 2]), 2)
})

test("after an orderly stop the pool lives on, and each of it is used once", async () => {
  let world = await startEcdsa()
  await presignAt(world, [1, 2], 3)
  const used = await prepareSet(world, [1, 2])
  await signEcdsaWith(world, used)
  const pool = at(world.sessions, 1).to.server.poolDigest()
  world = await restartAt(world, 1, { condition: "orderly", pool })
  assert.equal(await readyAt(world, 1, [1, 2]), 2)
  for (let i = 0; i < 2; i++) {
    const prepared = await prepareSet(world, [1, 2])
    await signEcdsaWith(world, prepared)
    const again = { ...(await nextNonces(world)), presignature: prepared.presignature }
    assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), again)), CONFLICT)
    // What that offered is free for others again.
    world.owner.cluster.clock.time += LEASE_MS
  }
  const old = { ...(await nextNonces(world)), presignature: used.presignature }
  for (const server of [1, 2]) {
    assert.equal(await refusal(shareAt(world, server, signRequestOf(world), old)), CONFLICT)
  }
  assert.deepEqual(await storedAt(world, 1), [])
})

async function nextNonces(world: EcdsaWorld): Promise<Omit<Prepared, "presignature">> {
  const signers = [1, 2]
  const nonces: Bytes[] = []
  for (const signer of signers) {
    nonces.push((await prepareAt(world, signer, signers)).nonces[0] as Bytes)
  }
  return { signers, nonces }
}

for (const condition of ["unclean", "restored", "orderly"] as const) {
  const what = condition === "orderly" ? "an orderly stop that nobody vouches for" : condition
  test(`${what}: every presignature is burnt`, async () => {
    let world = await startEcdsa()
    await presignAt(world, [1, 2], 3)
    const prepared = await prepareSet(world, [1, 2])
    const pool = at(world.sessions, 1).to.server.poolDigest()
    const left = condition === "orderly" ? { condition } : { condition, pool }
    world = await restartAt(world, 1, left)
    assert.deepEqual(await storedAt(world, 1), [])
    const order = { ...(await nextNonces(world)), presignature: prepared.presignature }
    assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), order)), CONFLICT)
    const { pairs } = await statusAt(world, 1)
    const expected = condition === "restored" ? "none" : "live"
    assert.deepEqual(
      pairs.map(({ state }) => state),
      [expected, expected],
    )
    if (condition !== "restored") return
    const early = presignAt(world, [1, 2])
    assert.equal(await refusal(early), "out-of-order body.signers")
    await setUpPairs(world)
    await presignAt(world, [1, 2])
    await signEcdsaWith(world, await prepareSet(world, [1, 2]))
  })
}

test("rows that a database puts back are used by no process", async () => {
  let world = await startEcdsa()
  await presignAt(world, [1, 2], 2)
  const { rows } = at(world.sessions, 1).to
  const [row] = await rows.scan("presignatures", "", "", 1)
  assert.ok(row)
  const prepared = await prepareSet(world, [1, 2])
  const presignature = toHex(prepared.presignature)
  const taken = (await rows.scan("presignatures", "", "", 256)).find(({ id }) =>
    id.endsWith(presignature),
  )
  assert.ok(taken)
  await signEcdsaWith(world, prepared)
  const { id, value } = taken
  await rows.commit([{ kind: "put", table: "presignatures", id, ifVersion: "absent", value }])
  const again = { ...(await nextNonces(world)), presignature: prepared.presignature }
  assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), again)), CONFLICT)
  const pool = at(world.sessions, 1).to.server.poolDigest()
  world = await restartAt(world, 1, { condition: "orderly", pool })
  assert.equal(await readyAt(world, 1, [1, 2]), 0)
  assert.deepEqual(await storedAt(world, 1), [])
})

test("what is older than the age limit is burnt", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2], 2)
  const { server } = at(world.sessions, 1).to
  const { clock } = world.owner.cluster
  clock.time += DEFAULT_MAX_AGE_MS
  await server.tidy()
  assert.equal((await storedAt(world, 1)).length, 2)
  clock.time += 1
  await server.tidy()
  assert.deepEqual(await storedAt(world, 1), [])
  assert.equal(server.counters.counts().get("presignatures-burnt"), 2)
  assert.equal(server.counters.pools().get("1-2"), 0)
})

test("a presignature whose commit failed is burnt by the process that struck it off", async () => {
  const dying = new DyingRows()
  const world = await startEcdsa({ rows: (id) => (id === 1 ? dying : new MemoryRowStore()) })
  await presignAt(world, [1, 2], 2)
  const prepared = await prepareSet(world, [1, 2])
  dying.countdown = 1
  assert.match(await refusal(shareAt(world, 1, signRequestOf(world), prepared)), /^unavailable/)
  dying.countdown = Number.POSITIVE_INFINITY
  assert.equal(await readyAt(world, 1, [1, 2]), 1)
  assert.equal((await storedAt(world, 1)).length, 2)
  const { server } = at(world.sessions, 1).to
  await server.tidy()
  assert.equal((await storedAt(world, 1)).length, 2)
  world.owner.cluster.clock.time += 60_001
  await server.tidy()
  assert.equal((await storedAt(world, 1)).length, 1)
})

/** Rows of a process that dies at one of its commits: before it is applied, or after. */
class DyingRows extends MemoryRowStore {
  countdown = Number.POSITIVE_INFINITY
  applied = false
  commits = 0

  override async commit(batch: readonly RowChange[]): Promise<readonly LogPosition[]> {
    this.commits += 1
    this.countdown -= 1
    if (this.countdown > 0) return super.commit(batch)
    if (this.countdown === 0 && this.applied) await super.commit(batch)
    throw new StoreUnavailable("the process is dead")
  }
}

test("after a death at any commit of presigning, preparing and signing no presignature is used twice", async (t) => {
  const dying = new DyingRows()
  let world = await startEcdsa({ rows: (id) => (id === 1 ? dying : new MemoryRowStore()) })
  const used = new Set<string>()
  let answered = 0
  const attempt = async (n: number): Promise<void> => {
    await presignAt(world, [1, 2], 1)
    const prepared = await prepareSet(world, [1, 2])
    const request = signRequestOf(world, signing(n))
    const share = await shareAt(world, 1, request, prepared)
    const presignature = toHex(prepared.presignature)
    assert.ok(!used.has(presignature))
    used.add(presignature)
    answered += 1
    const outputs = new Map([[1, share]]).set(2, await shareAt(world, 2, request, prepared))
    const signature = combine(world, prepared, request, outputs, digestOf(n))
    assert.ok(ecdsa.verifyEcdsa(world.certificate.public.verifyingKey, digestOf(n), signature))
  }
  const before = dying.commits
  await attempt(0)
  const commits = dying.commits - before
  let deaths = 0
  for (let at = 1; at <= commits; at++) {
    for (const applied of [false, true]) {
      dying.countdown = at
      dying.applied = applied
      const outstanding = await storedAt(world, 2)
      assert.match(await refusal(attempt(2 * at + Number(applied))), /^unavailable/)
      deaths += 1
      dying.countdown = Number.POSITIVE_INFINITY
      world = await restartAt(world, 1)
      assert.deepEqual(await storedAt(world, 1), [])
      const made = (await storedAt(world, 2)).filter((id) => !outstanding.includes(id))
      for (const id of made) {
        const presignature = Buffer.from(id.slice(65), "hex")
        const order = { ...(await nextNonces(world)), presignature: new Uint8Array(presignature) }
        assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), order)), CONFLICT)
      }
    }
  }
  await attempt(1000)
  assert.equal(commits, 8)
  assert.equal(answered, 2)
  t.diagnostic(`${deaths} deaths at ${commits} commits`)
})
