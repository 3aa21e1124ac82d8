import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import {
  encodeRoster,
  type OperatorCredential,
  rosterDigest,
  type SharingListing,
  type SharingsPage,
  sharingsPage,
  signCredential,
  signedCredentialCodec,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import { type Clock, LockKeeperError, type Network, type Session } from "@lockkeeper/client"
import { type Certify, type OperatorOptions, OperatorSession } from "@lockkeeper/client/operator"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import { DEMOTION_MS, MAX_RATE_WAITS, RATE_WAIT_MS } from "../src/limits.ts"
import type { OperatorPrincipal } from "../src/operator/operator-principal.ts"
import { sharingPages } from "../src/operator/sharing-pages.ts"
import { systemClock } from "../src/platform/system-clock.ts"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const PATIENCE = { callMs: 2_000, hedgeMs: 300 }

/** The control socket of one server, without a socket. */
function certifierOf(cluster: TestCluster, server: number): Certify & { asked: number } {
  const certify = async (publicKey: Bytes) => {
    certify.asked += 1
    const signed = await cluster.server(server).server.certifyOperator(publicKey)
    return encode(signedCredentialCodec, signed)
  }
  certify.asked = 0
  return certify
}

/** A credential as the server would not sign it, but for its key. */
function forger(
  cluster: TestCluster,
  changes: (now: number) => Partial<OperatorCredential>,
): Certify & { asked: number } {
  const forge = async (operatorKey: Bytes) => {
    forge.asked += 1
    const now = Date.now()
    const said = { server: 2, rosterEpoch: 1, operatorKey, issuedAt: now, expiresAt: now + 60_000 }
    const { identity } = cluster.server(2).self
    return encode(signedCredentialCodec, signCredential({ ...said, ...changes(now) }, identity))
  }
  forge.asked = 0
  return forge
}

function open(
  cluster: TestCluster,
  certify: Certify = certifierOf(cluster, 2),
  changes: Partial<OperatorOptions> = {},
): Promise<OperatorSession> {
  const { signedRoster: roster, pin } = cluster
  const dependencies = cluster.dependencies()
  return OperatorSession.open({
    roster,
    pin,
    certify,
    patience: PATIENCE,
    dependencies,
    ...changes,
  })
}

function operatorsAt(cluster: TestCluster): number[] {
  return [1, 2, 3].map((id) => cluster.server(id).server.operatorSessionCount)
}

const digests = (listings: readonly SharingListing[]) =>
  listings.map((one) => toHex(sharing.sharingDigest(one.sharing)))

describe("an operator's session", () => {
  let cluster: TestCluster
  let owner: Session

  before(async () => {
    cluster = await TestCluster.start()
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "correct horse" })
    owner = await keeper.login({ name: "alice", password: "correct horse" })
    for (const type of ["ed25519", "bip340", "ed25519"] as const) await owner.keys.create({ type })
  })
  after(() => owner.logout())

  it("lists what every server holds shares of, keys and accounts apart", async () => {
    const session = await open(cluster)
    assert.equal(session.server, 2)
    const { keys } = await owner.keys.list()
    const expected = keys.map(({ certificate }) => sharing.sharingOfKey(certificate.public))
    const ids = expected.map((one) => toHex(sharing.sharingDigest(one))).sort()
    const held = await session.sharings("keys")
    assert.deepEqual([held.answers.size, held.failures.size], [3, 0])
    for (const listings of held.answers.values()) assert.deepEqual(digests(listings).sort(), ids)
    const accounts = await session.sharings("accounts")
    const [first, ...others] = [...accounts.answers.values()].map(digests)
    assert.equal(first?.length, 1)
    for (const other of others) assert.deepEqual(other, first)
    await session.close()
  })

  it("is certified once for all servers, and opens each session when it is needed", async () => {
    const certify = certifierOf(cluster, 2)
    const session = await open(cluster, certify)
    assert.deepEqual(operatorsAt(cluster), [0, 0, 0])
    for await (const _ of session.sharingsAt(3, "keys"))
      assert.deepEqual(operatorsAt(cluster)[2], 1)
    await Promise.all([session.sharings("keys"), session.sharings("accounts")])
    assert.deepEqual(operatorsAt(cluster), [1, 1, 1])
    assert.equal(certify.asked, 1)
    await session.close()
    assert.deepEqual(operatorsAt(cluster), [0, 0, 0])
  })

  it("opens its session again where a server has lost it", async () => {
    const certify = certifierOf(cluster, 2)
    const session = await open(cluster, certify)
    await session.sharings("keys")
    await cluster.restart(1)
    const { answers } = await session.sharings("keys")
    assert.equal(answers.size, 3)
    assert.equal(certify.asked, 1)
    await session.close()
  })

  it("renews its credential before it expires, for the same key", async () => {
    const certify = forger(cluster, (now) => ({ expiresAt: now + 2_000 }))
    const session = await open(cluster, certify)
    const { operatorId } = session
    await session.sharings("keys")
    const asked = certify.asked
    await new Promise((done) => setTimeout(done, 2_100))
    const { answers, failures } = await session.sharings("keys")
    assert.deepEqual([answers.size, failures.size], [3, 0])
    assert.ok(certify.asked > asked)
    assert.deepEqual(session.operatorId, operatorId)
    await session.close()
  })

  it("asks for a credential once, however many sessions wait for it", async () => {
    const certify = forger(cluster, (now) => ({ expiresAt: now + 60_000 }))
    const session = await open(cluster, certify)
    await session.sharings("keys")
    // One to open, and one for the three sessions: a minute is less than the margin.
    assert.equal(certify.asked, 2)
    await session.close()
  })

  it("tells of each server that does not answer, and goes on with the others", async () => {
    cluster.wire(3).down = true
    const session = await open(cluster)
    const { answers, failures } = await session.sharings("keys")
    cluster.wire(3).down = false
    assert.deepEqual([...answers.keys()].sort(), [1, 2])
    assert.deepEqual(
      [...failures].map(([id, { code }]) => [id, code]),
      [[3, "unavailable"]],
    )
    await session.close()
  })

  it("does nothing once it is closed, and can be closed twice", async () => {
    const session = await open(cluster)
    await session.sharings("keys")
    await session.close()
    await session.close()
    const { failures } = await session.sharings("keys")
    assert.deepEqual(
      [...failures.values()].map(({ code }) => code),
      Array(3).fill("session-ended"),
    )
    await refused(async () => {
      for await (const _ of session.sharingsAt(1, "keys")) assert.fail("it lists")
    }, "session-ended")
  })

  it("wipes its key when it is closed", async () => {
    const made: Bytes[] = []
    const randomness = {
      bytes(length: number) {
        const bytes = crypto.getRandomValues(new Uint8Array(length))
        if (length === 32) made.push(bytes)
        return bytes
      },
    }
    const dependencies = { ...cluster.dependencies(), randomness }
    const session = await open(cluster, certifierOf(cluster, 2), { dependencies })
    const [seed] = made as [Bytes]
    assert.ok(seed.some((byte) => byte !== 0))
    await session.close()
    assert.ok(seed.every((byte) => byte === 0))
  })

  it("asks again a moment later where it asks too often, and not without end", async () => {
    const waits: number[] = []
    const clock: Clock = {
      now: systemClock.now,
      wait(ms, signal) {
        if (ms !== RATE_WAIT_MS) return systemClock.wait(ms, signal)
        waits.push(ms)
        return Promise.resolve()
      },
    }
    let refusals = 2
    const { network, ...others } = cluster.dependencies()
    const connect: Network["connect"] = (member) => {
      const link = (network as Network).connect(member)
      const busy = new LockKeeperError("rate-limited", "This address asks too often.")
      return {
        ...link,
        open: (hello, signal) => (refusals-- > 0 ? Promise.reject(busy) : link.open(hello, signal)),
      }
    }
    const dependencies = { ...others, network: { connect }, clock }
    const session = await open(cluster, certifierOf(cluster, 3), { dependencies })
    const ask = async () => {
      for await (const _ of session.sharingsAt(1, "accounts"));
    }
    await ask()
    assert.equal(waits.length, 2)
    await cluster.restart(1)
    refusals = Number.POSITIVE_INFINITY
    await refused(ask, "rate-limited")
    assert.equal(waits.length, 2 + MAX_RATE_WAITS - 1)
    await session.close()
  })

  it("waits shorter for a server that gave no answer lately, and as long as ever after one", async () => {
    const waits: number[] = []
    let ahead = 0
    const clock: Clock = {
      now: () => systemClock.now() + ahead,
      wait(ms, signal) {
        waits.push(ms)
        return systemClock.wait(ms, signal)
      },
    }
    const dependencies = { ...cluster.dependencies(), clock }
    const patience = { callMs: 1_000, hedgeMs: 100 }
    const options = { dependencies, patience }
    const session = await open(cluster, certifierOf(cluster, 3), options)
    const waited = async (isThere: boolean) => {
      waits.length = 0
      const ask = async () => {
        for await (const _ of session.sharingsAt(2, "accounts"));
      }
      if (isThere) await ask()
      else await refused(ask, "unavailable")
      return [...new Set(waits)]
    }
    const failing = async () => [...(await session.sharings("accounts")).failures.keys()]
    assert.deepEqual(await waited(true), [1_000])
    cluster.wire(2).hangs = true
    assert.deepEqual(await waited(false), [1_000])
    assert.deepEqual(await failing(), [2])
    assert.deepEqual(await waited(false), [200])
    ahead = DEMOTION_MS
    assert.deepEqual(await waited(false), [1_000])
    ahead = 0
    cluster.wire(2).hangs = false
    assert.deepEqual(await waited(true), [200])
    assert.deepEqual(await failing(), [])
    assert.deepEqual(await waited(true), [1_000])
    await session.close()
  })

  it("can be cancelled", async () => {
    const session = await open(cluster)
    const cancel = new AbortController()
    cluster.wire(2).hangs = true
    const listing = session.sharings("keys", { signal: cancel.signal })
    setTimeout(() => cancel.abort(), 50)
    await refused(() => listing, "cancelled")
    cluster.wire(2).hangs = false
    await session.close()
  })

  it("is refused by servers that its own is quarantined at", async () => {
    const session = await open(cluster)
    const evidence = utf8("evidence, verified before")
    const fault = { servers: [2], reason: "equivocation", digest: sha256(evidence) } as const
    cluster
      .server(1)
      .server.incidents.record([{ ...fault, evidence }], "reported")
      .committed()
    const { answers, failures } = await session.sharings("keys")
    assert.deepEqual([...answers.keys()].sort(), [2, 3])
    const error = failures.get(1)
    assert.equal(`${error?.code} ${error?.field}`, "quarantined quarantined.2")
    await session.close()
  })
})

describe("a credential that is no use", () => {
  let cluster: TestCluster
  before(async () => {
    cluster = await TestCluster.start()
  })

  const cases: readonly (readonly [string, (honest: Certify) => Certify, string, string])[] = [
    [
      "for another key",
      (honest) => () => honest(new Uint8Array(32).fill(7)),
      "untrusted-server",
      "credential.operatorKey",
    ],
    [
      "with another signature",
      (honest) => async (key) =>
        (await honest(key)).map((b, i, all) => (i === all.length - 1 ? b ^ 1 : b)),
      "untrusted-server",
      "credential.server",
    ],
    [
      "cut short",
      (honest) => async (key) => (await honest(key)).slice(0, -1),
      "untrusted-server",
      "credential.signature",
    ],
    ["empty", () => async () => new Uint8Array(0), "untrusted-server", "credential.credential"],
  ]
  for (const [what, spoil, code, field] of cases) {
    it(`${what} is told at once, by its field`, async () => {
      const certify = spoil(certifierOf(cluster, 2))
      const error = await refused(() => open(cluster, certify), code as "untrusted-server")
      assert.equal(error.field, field)
      assert.deepEqual(operatorsAt(cluster), [0, 0, 0])
    })
  }

  it("of a server outside the roster is told at once", async () => {
    const certify = forger(cluster, () => ({ server: 9 }))
    const error = await refused(() => open(cluster, certify), "untrusted-server")
    assert.equal(error.field, "credential.server")
  })

  it("of another roster names both", async () => {
    const certify = forger(cluster, () => ({ rosterEpoch: 4 }))
    const error = await refused(() => open(cluster, certify), "wrong-roster")
    assert.equal(error.field, "credential.rosterEpoch")
    assert.match(error.message, /roster 4, and 1/)
  })

  it("is not asked for where the roster is not the pinned one", async () => {
    const certify = certifierOf(cluster, 2)
    const pin = new Uint8Array(32)
    await refused(() => open(cluster, certify, { pin }), "untrusted-roster")
    assert.equal(certify.asked, 0)
  })

  it("is no failure of a server's where nobody gives one", async () => {
    const away = new LockKeeperError("misconfigured", "No server runs.", { field: "directory" })
    const error = await refused(() => open(cluster, () => Promise.reject(away)), "misconfigured")
    assert.equal(error.field, "directory")
  })
})

describe("a server's list", () => {
  const page = (ids: readonly number[], next: number | null): SharingsPage => ({
    sharings: ids.map((id) => ({
      sharing: {
        ...{ id: new Uint8Array(32).fill(id), context: new Uint8Array(32), group: "ristretto255" },
        ...{ keyEpoch: 1, rosterEpoch: 1, minSigners: 2, verifyingKey: new Uint8Array(32) },
        verifyingShares: new Map(),
      },
      highestKeyEpoch: 1,
      pendingRun: null,
      activeRun: null,
      activatedAt: 0,
    })),
    next: next === null ? null : new Uint8Array(32).fill(next),
  })

  async function read(pages: readonly (SharingsPage | Bytes)[]): Promise<number[]> {
    const rest = [...pages]
    const scripted = {
      request: () => ({ request: new Uint8Array(0), signature: new Uint8Array(64) }),
      async act() {
        const said = rest.shift()
        if (said === undefined) throw new Error("asked for more pages than there are")
        const output = said instanceof Uint8Array ? said : encode(sharingsPage, said)
        return { output, log: { index: 0, head: new Uint8Array(32) } }
      },
    } as Partial<OperatorPrincipal> as OperatorPrincipal
    const { signal } = new AbortController()
    const ids: number[] = []
    for await (const listings of sharingPages(scripted, 3, "accounts", signal)) {
      ids.push(...listings.map(({ sharing: { id } }) => id[0] as number))
    }
    return ids
  }

  it("goes on from page to page, also where one is empty", async () => {
    assert.deepEqual(await read([page([1, 2], 2), page([], 5), page([7], null)]), [1, 2, 7])
  })

  it("is refused where it is out of order, goes in circles or is malformed", async () => {
    const wrong: readonly (readonly (SharingsPage | Bytes)[])[] = [
      [page([2, 1], null)],
      [page([1, 1], null)],
      [page([1, 2], 1)],
      [page([1], 1), page([1], null)],
      [page([1], 1), page([], 1)],
      [page([], 0), page([], 0)],
      [page([5], 5), page([4], null)],
      [new Uint8Array(3)],
    ]
    for (const pages of wrong) {
      const error = await refused(() => read(pages), "untrusted-server")
      assert.equal(error.server, 3)
    }
  })
})

it("an operator's roster may be any that every member signed and that was pinned", async () => {
  const cluster = await TestCluster.start()
  const other = encodeRoster({ ...cluster.roster, rosterEpoch: 2 })
  const signatures = new Map(
    [1, 2, 3].map((id) => [id, signRoster(other, cluster.server(id).self.identity)]),
  )
  const roster = encode(signedRosterCodec, { roster: other, signatures })
  const certify = certifierOf(cluster, 2)
  const opening = open(cluster, certify, { roster, pin: rosterDigest(other) })
  const error = await refused(() => opening, "wrong-roster")
  assert.equal(error.field, "credential.rosterEpoch")
})
