import assert from "node:assert/strict"
import { after, describe, test } from "node:test"
import {
  decodeRoster,
  encodeRoster,
  LockKeeperError,
  MAX_CHAIN,
  openChain,
  type Roster,
  type RosterChain,
  rosterChainCodec,
  type SignedRoster,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, fixedBytes, struct, toBase64url } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { askServer } from "../src/control/ask.ts"
import { activateBundle } from "../src/directory/activate.ts"
import { installRoster, ownMember, readInstalledRoster } from "../src/directory/roster.ts"
import { joinRoster, type RosterBundle, rosterBundleCodec } from "../src/directory/roster-bundle.ts"
import { consentToRoster } from "../src/directory/roster-consent.ts"
import type { Unsealed } from "../src/directory/unseal.ts"
import { keyRow } from "../src/keys.ts"
import { rowsOfKey } from "./live-server.ts"
import {
  agree,
  closeAll,
  enrol,
  makeServer,
  nextOf,
  opened,
  rosterOf,
  start,
  type TestServer,
} from "./server-directories.ts"

after(closeAll)

const refusal = (field: string, message: RegExp) => (error: unknown) =>
  error instanceof LockKeeperError && error.field === field && message.test(error.message)

const installed = (server: TestServer) => opened(server, readInstalledRoster)
const install = (server: TestServer, bundle: RosterBundle) =>
  opened(server, (unsealed) => installRoster(unsealed, bundle))

describe("the chain of rosters at a server", () => {
  test("grows with each roster, is there for who joins later, and is what the server shows", async () => {
    const [alpha, beta, gamma] = [
      await makeServer("alpha"),
      await makeServer("beta"),
      await makeServer("gamma"),
    ]
    const first = await enrol([alpha, beta], rosterOf([alpha, beta], 1))
    const next = nextOf(first.chain, [
      [1, alpha],
      [3, gamma],
    ])
    const second = await agree([alpha, beta, gamma], next, first.chain)
    assert.deepEqual([...(second.chain.at(-1) as SignedRoster).signatures.keys()].sort(), [1, 2, 3])
    for (const server of [alpha, gamma]) {
      await install(server, second)
      const { signed, before } = await installed(server)
      assert.deepEqual([...before, signed], second.chain)
      const running = await start(server)
      const { rostersBefore, signedRoster } = running.server.self
      assert.deepEqual([...rostersBefore, signedRoster], second.chain)
      await running.close()
    }
    await assert.rejects(install(beta, second), refusal("members", /does not list this server/))
    assert.deepEqual((await installed(beta)).before, [])
  })

  test("takes every roster that a server has missed, which left and joins again", async () => {
    const [alpha, beta] = [await makeServer("alpha"), await makeServer("beta")]
    const first = await enrol([alpha, beta], rosterOf([alpha, beta], 1))
    const second = await agree([alpha, beta], nextOf(first.chain, [[1, alpha]]), first.chain)
    await install(alpha, second)
    const both = nextOf(second.chain, [
      [1, alpha],
      [2, beta],
    ])
    const third = await agree([alpha, beta], both, second.chain)
    await install(beta, third)
    const { signed, before } = await installed(beta)
    assert.deepEqual([...before, signed], third.chain)
    assert.equal(third.chain.length, 3)
    await assert.rejects(install(beta, third), refusal("rosterEpoch", /number 3, not the next/))
    await assert.rejects(install(beta, first), refusal("rosterEpoch", /number 1, not the next/))
  })

  test("was one roster in rows from before there were chains", async () => {
    const server = await makeServer("alpha")
    const { chain } = await enrol([server], rosterOf([server], 1))
    const { enumerationSeed } = await installed(server)
    const former = struct<{ signed: SignedRoster; seed: Uint8Array<ArrayBuffer> }>({
      signed: signedRosterCodec,
      seed: fixedBytes(32),
    })
    const value = encode(former, {
      signed: chain[0] as SignedRoster,
      seed: enumerationSeed.expose(),
    })
    await opened(server, async ({ store }) => {
      const row = await store.read("meta", "roster")
      assert.deepEqual(row?.value, value, "a chain of one is written as it always was")
      const ifVersion = row?.version ?? "absent"
      await store.commit([{ kind: "put", table: "meta", id: "roster", ifVersion, value }])
    })
    const { signed, before, enumerationSeed: same } = await installed(server)
    assert.deepEqual([signed, before, same.expose()], [chain[0], [], enumerationSeed.expose()])
  })
})

describe("a roster with which a server forgets an older one", () => {
  const row = struct<{ chain: RosterChain; seed: Bytes }>({
    chain: rosterChainCodec,
    seed: fixedBytes(32),
  })

  /** Three servers under the longest chain that is kept, and the bundle of the roster after it. */
  async function atTheBound() {
    const servers = [await makeServer("alpha"), await makeServer("beta"), await makeServer("gamma")]
    const first = await enrol(servers, rosterOf(servers, 2))
    const members = servers.map((server, i) => [i + 1, server] as const)
    const [alpha, beta, gamma] = servers as [TestServer, TestServer, TestServer]
    let chain = first.chain
    const lengthen = (all: readonly Unsealed[]) => {
      while (chain.length < MAX_CHAIN) {
        const roster = encodeRoster(nextOf(chain, members))
        const signed = all.map(({ secrets }, i) => [i + 1, signRoster(roster, secrets.identity)])
        chain = [...chain, { roster, signatures: new Map(signed as [number, Bytes][]) }]
      }
    }
    await opened(alpha, (a) => opened(beta, (b) => opened(gamma, async (c) => lengthen([a, b, c]))))
    for (const server of servers) {
      const { enumerationSeed } = await installed(server)
      const value = encode(row, { chain, seed: enumerationSeed.expose() })
      await opened(server, async ({ store }) => {
        const ifVersion = (await store.read("meta", "roster"))?.version ?? "absent"
        await store.commit([{ kind: "put", table: "meta", id: "roster", ifVersion, value }])
      })
    }
    const next = await agree(servers, nextOf(chain, members), chain)
    return { alpha, bundle: encode(rosterBundleCodec, next) }
  }

  const epochAt = async (server: TestServer) =>
    decodeRoster((await installed(server)).signed.roster).rosterEpoch

  test("is refused while shares were dealt under that one, stopped or running, but by force", async () => {
    const { alpha, bundle } = await atTheBound()
    const forgets = (error: unknown) => {
      assert.ok(error instanceof LockKeeperError, String(error))
      assert.deepEqual([error.code, error.field], ["conflict", "bundle"], error.message)
      assert.match(error.message, /^With roster 65 .* forgets the one that 1 keys and 0 accounts/)
      assert.match(error.remedy, /`lockkeeper refresh` to its end first.*--force/)
      return true
    }
    await opened(alpha, async ({ store }) => store.commit(await rowsOfKey()))
    const stopped = (isForced: boolean) =>
      opened(alpha, (unsealed) => activateBundle(unsealed, bundle, { isForced }))
    await assert.rejects(stopped(false), forgets)
    const running = await start(alpha)
    const asked = { command: "roster.activate", bundle: toBase64url(bundle) } as const
    await assert.rejects(askServer(alpha.directory, asked, "activated"), forgets)
    assert.equal(running.server.self.roster.rosterEpoch, MAX_CHAIN)
    await running.close()
    assert.equal(await epochAt(alpha), MAX_CHAIN)
    await stopped(true)
    assert.equal(await epochAt(alpha), MAX_CHAIN + 1)
  })

  test("is taken where all were dealt under later ones", async () => {
    const { alpha, bundle } = await atTheBound()
    const later = (await rowsOfKey()).map((change) => {
      if (change.kind !== "put") return change
      const { keyPackage, ...rest } = decode(keyRow, change.value)
      const dealt = { ...keyPackage, public: { ...keyPackage.public, rosterEpoch: 2 } }
      return { ...change, value: encode(keyRow, { ...rest, keyPackage: dealt }) }
    })
    await opened(alpha, async ({ store }) => store.commit(later))
    await opened(alpha, (unsealed) => activateBundle(unsealed, bundle))
    const { before } = await installed(alpha)
    assert.equal(await epochAt(alpha), MAX_CHAIN + 1)
    assert.equal(decodeRoster((before[0] as SignedRoster).roster).rosterEpoch, 2)
  })
})

describe("a server's consent to a next roster", () => {
  test("is refused to a roster that does not follow the server's own", async () => {
    const [alpha, beta] = [await makeServer("alpha"), await makeServer("beta")]
    const { chain } = await enrol([alpha], rosterOf([alpha], 1))
    const next = nextOf(chain, [[1, alpha]])
    const consent = (roster: Roster) =>
      opened(alpha, (unsealed) => consentToRoster(unsealed, encodeRoster(roster), systemRandomness))
    await assert.rejects(
      consent({ ...next, rosterEpoch: 1 }),
      refusal("rosterEpoch", /Roster 1 does not follow roster 1 of this server/),
    )
    await assert.rejects(
      consent({ ...nextOf(chain, [[1, beta]]), rosterEpoch: 3 }),
      refusal("rosterEpoch", /Roster 3 does not follow/),
    )
    await assert.rejects(
      consent({ ...next, previousDigest: new Uint8Array(32) }),
      refusal("previousDigest", /Roster 2 does not follow/),
    )
    await assert.rejects(
      consent(nextOf(chain, [[1, beta]])),
      refusal("members", /"beta" takes this server's identifier/),
    )
    assert.equal((await consent(next)).identifier, 1)
  })

  test("of one that leaves passes the seed on, and counts for the threshold", async () => {
    const [alpha, beta] = [await makeServer("alpha"), await makeServer("beta")]
    const { chain } = await enrol([alpha], rosterOf([alpha], 1))
    const roster = nextOf(chain, [[2, beta]])
    const encoded = encodeRoster(roster)
    const consent = (unsealed: Unsealed) => consentToRoster(unsealed, encoded, systemRandomness)
    const leaving = await opened(alpha, consent)
    const passed = leaving.contributions.map(({ from, to }) => [from, to])
    assert.deepEqual([leaving.identifier, passed], [1, [[1, 2]]])
    const staying = await opened(beta, consent)
    assert.deepEqual(staying.contributions, [])
    assert.throws(() => joinRoster([staying], chain), refusal("signatures", /missing "alpha"/))
    const { chain: longer } = joinRoster([leaving, staying], chain)
    await opened(beta, async (unsealed) => assert.ok(ownMember(unsealed, roster)))
    assert.equal(openChain(longer).inForce.roster.rosterEpoch, 2)
  })

  test("joins to a next roster only with the one before", async () => {
    const alpha = await makeServer("alpha")
    const { chain } = await enrol([alpha], rosterOf([alpha], 1))
    const encoded = encodeRoster(nextOf(chain, [[1, alpha]]))
    const consent = await opened(alpha, (unsealed) =>
      consentToRoster(unsealed, encoded, systemRandomness),
    )
    assert.throws(() => joinRoster([consent]), refusal("after", /the next one after another/))
  })
})
