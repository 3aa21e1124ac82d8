import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Incident, LockKeeper, Session } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import {
  breakPair,
  dealWronglyTo,
  evaluateWrongly,
  signWrongly,
  spoilPresignatures,
} from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }

interface Owned {
  readonly cluster: TestCluster
  readonly keeper: LockKeeper
  readonly session: Session
}

async function start(servers = 3, minSigners = 2): Promise<Owned> {
  const cluster = await TestCluster.start({ servers, minSigners })
  const keeper = await cluster.connect()
  await keeper.register(OWNER)
  return { cluster, keeper, session: await keeper.login(OWNER) }
}

/** A client that knows nothing of what others have noticed. */
async function newcomer(cluster: TestCluster): Promise<Session> {
  const keeper = await cluster.connect()
  return keeper.login(OWNER)
}

function quarantinedAt(cluster: TestCluster, server: Identifier): readonly Identifier[] {
  return cluster.server(server).server.incidents.quarantined
}

/** After the reports have arrived every other server works with this one no more. */
function assertQuarantined({ cluster }: Owned, culprit: Identifier): void {
  for (const { identifier } of cluster.roster.members) {
    const expected = identifier === culprit ? [] : [culprit]
    assert.deepEqual(quarantinedAt(cluster, identifier), expected, `at server ${identifier}`)
  }
}

const text = (incidents: readonly Incident[]) => incidents.map((i) => `${i.kind} ${i.server}`)

/** Acts until somebody is proven at fault: the rotation decides who takes part. */
async function untilProven(act: () => Promise<{ readonly incidents: readonly Incident[] }>) {
  for (let i = 0; i < 6; i++) {
    const { incidents } = await act()
    if (incidents.some(({ kind }) => kind === "proven")) return incidents
  }
  return assert.fail("nobody was proven at fault")
}

/** An operator at each server lifts what is recorded there. */
async function clearEverywhere({ servers }: TestCluster): Promise<void> {
  for (const { server } of servers.values()) {
    for (const { number } of server.incidents.all()) await server.clearIncident(number, "repaired")
  }
}

describe("a server that is proven at fault", () => {
  it("in a FROST signature is quarantined everywhere; the next ones go without it, and without a retry", async () => {
    const owned = await start(4)
    const { cluster, session } = owned
    const { key } = await session.keys.create({ type: "ed25519" })
    const order = { keyId: key.keyId, message: utf8("message") }
    await signWrongly(cluster.server(3), key.keyId)
    await untilProven(() => session.sign(order))
    for (let i = 0; i < 4; i++) {
      const { signers, incidents } = await session.sign(order)
      assert.ok(!signers.includes(3))
      assert.deepEqual(incidents, [])
    }
    await session.logout()
    assertQuarantined(owned, 3)

    // Who comes later is told once, by servers and not by a wrong share.
    const later = await newcomer(cluster)
    const seen: string[] = []
    for (let i = 0; i < 5; i++) {
      const { signers, incidents } = await later.sign(order)
      assert.ok(!signers.includes(3))
      seen.push(...text(incidents))
    }
    assert.deepEqual(seen, ["quarantined 3"])
  })

  it("in a key generation has no part in the next one, for anybody", async () => {
    const owned = await start(4)
    const { cluster, session } = owned
    cluster.wire(2).recall = dealWronglyTo(cluster.server(2), 1)
    const { key } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(key.holders, [1, 3, 4])
    const next = await session.keys.create({ type: "bip340" })
    assert.deepEqual([next.key.holders, next.incidents], [[1, 3, 4], []])
    await session.logout()
    assertQuarantined(owned, 2)
    const later = await newcomer(cluster)
    const { key: third, incidents } = await later.keys.create({ type: "ed25519" })
    assert.deepEqual([third.holders, text(incidents)], [[1, 3, 4], ["quarantined 2"]])
    assert.deepEqual((await later.keys.create({ type: "ed25519" })).incidents, [])
  })

  it("in a login is reported by that login, and asked for no other", async () => {
    const owned = await start()
    const { cluster, keeper } = owned
    await evaluateWrongly(cluster.server(2), OWNER.name)
    let session = owned.session
    await untilProven(async () => {
      await session.logout()
      session = await keeper.login(OWNER)
      return session
    })
    for (let i = 0; i < 3; i++) {
      const calls = cluster.wire(2).calls
      const other = await keeper.login(OWNER)
      assert.deepEqual(other.incidents, [])
      assert.equal(cluster.wire(2).calls, calls)
    }
    await session.logout()
    assertQuarantined(owned, 2)
  })

  for (const [what, cheat] of [
    ["presigning", signWrongly],
    ["an online share", (server) => spoilPresignatures(server)],
  ] as readonly [string, (...args: Parameters<typeof signWrongly>) => unknown][]) {
    it(`in ${what} of ECDSA is quarantined everywhere, and no set has it any more`, async () => {
      const owned = await start()
      const { cluster, session } = owned
      const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
      const { keyId } = key
      const sign = (by: Session) =>
        by.signDigestOf({
          keyId,
          content: { kind: "message", message: new Uint8Array(32).fill(7) },
        })
      const { sets } = await session.pools.status(keyId)
      const culprit = sets[0]!.signers[1] as Identifier
      if (what !== "presigning") await session.pools.fill({ keyId, floor: 1, cap: 1 })
      await cheat(cluster.server(culprit), keyId)
      const first = await sign(session)
      assert.ok(text(first.incidents).includes(`proven ${culprit}`))
      const second = await sign(session)
      assert.deepEqual([second.signers.includes(culprit), second.incidents], [false, []])
      await session.logout()
      assertQuarantined(owned, culprit)
      const later = await newcomer(cluster)
      const third = await sign(later)
      assert.equal(third.signers.includes(culprit), false)
      assert.deepEqual(text(third.incidents), [`quarantined ${culprit}`])
      assert.deepEqual((await sign(later)).incidents, [])
    })
  }

  it("is used again when its quarantine is lifted", async () => {
    const owned = await start()
    const { cluster, session } = owned
    const { key } = await session.keys.create({ type: "ed25519" })
    const { keyId } = key
    cluster.wire(3).recall = dealWronglyTo(cluster.server(3), 1)
    await session.keys.create({ type: "ed25519" })
    await session.logout()
    assertQuarantined(owned, 3)
    await clearEverywhere(cluster)
    const later = await newcomer(cluster)
    const made = await later.keys.create({ type: "ed25519" })
    assert.deepEqual([made.key.holders, made.incidents], [[1, 2, 3], []])
    const signers = new Set<Identifier>()
    for (let i = 0; i < 3; i++) {
      const signed = await later.sign({ keyId, message: utf8("again") })
      for (const id of signed.signers) signers.add(id)
    }
    assert.ok(signers.has(3))
    const { recorded } = await later.recordedIncidents()
    assert.deepEqual([...new Set(recorded.map(({ state }) => state))], ["cleared"])
  })

  it("leaves too few where it was needed, and the error names it", async () => {
    const owned = await start(3, 3)
    const { cluster, session } = owned
    const { key } = await session.keys.create({ type: "ed25519" })
    await signWrongly(cluster.server(2), key.keyId)
    const sign = (by: Session) => by.sign({ keyId: key.keyId, message: utf8("message") })
    await assert.rejects(() => sign(session))
    const error = await refused(() => sign(session), "not-enough-servers")
    assert.match(error.message, /2 "server-2"/)
    assert.match(error.remedy, /lockkeeper incidents/)
    await session.logout()
    assertQuarantined(owned, 2)
    const later = await newcomer(cluster)
    const told = await refused(() => sign(later), "not-enough-servers")
    assert.equal(told.server, 2)
  })
})

describe("a server that is slow, silent or merely accused", () => {
  it("costs a retry and is quarantined nowhere", async () => {
    const { cluster, session } = await start(4)
    const { key } = await session.keys.create({ type: "ed25519" })
    const sign = () => session.sign({ keyId: key.keyId, message: utf8("message") })
    cluster.wire(2).hangs = true
    const seen: string[] = []
    for (let i = 0; i < 3; i++) seen.push(...text((await sign()).incidents))
    assert.deepEqual([...new Set(seen)], ["unresponsive 2"])
    cluster.wire(2).hangs = false
    await session.logout()
    for (const id of [1, 2, 3, 4]) {
      assert.deepEqual(cluster.server(id).server.incidents.all(), [])
    }
  })

  it("as one of a pair is listed as that by every server, and the pair never works together again", async () => {
    const { cluster, session } = await start()
    const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
    const { keyId } = key
    const content = { kind: "message", message: new Uint8Array(32).fill(9) } as const
    const { sets } = await session.pools.status(keyId)
    const pair = [...sets[0]!.signers]
    await breakPair(cluster.server(pair[1] as number), pair[0] as number)
    const signed = await session.signDigestOf({ keyId, content })
    assert.deepEqual(
      text(signed.incidents).map((one) => one.split(" ")[0]),
      ["disputed"],
    )
    await session.logout()
    const later = await newcomer(cluster)
    const { recorded, incidents } = await later.recordedIncidents()
    assert.deepEqual(incidents, [])
    assert.deepEqual(
      recorded.map(({ recordedBy }) => recordedBy),
      [1, 2, 3],
    )
    for (const { servers, names, state, reason } of recorded) {
      assert.deepEqual([...servers].sort(), pair)
      assert.deepEqual(
        [...names].sort(),
        pair.map((id) => `server-${id}`),
      )
      assert.deepEqual([state, reason], ["noted", "pairwise-fault"])
    }
    for (const id of [1, 2, 3]) assert.deepEqual(quarantinedAt(cluster, id), [])
    for (let i = 0; i < 2; i++) {
      const again = await later.signDigestOf({ keyId, content })
      assert.notDeepEqual([...again.signers], pair)
    }
    const state = (await later.pools.status(keyId)).pairs.find(
      ({ servers }) => [...servers].sort().join() === pair.join(),
    )
    assert.equal(state?.state, "dead")
  })
})
