import assert from "node:assert/strict"
import { after, describe, test } from "node:test"
import {
  encodeRoster,
  LockKeeperError,
  openChain,
  type Roster,
  type SignedRoster,
  signedRosterCodec,
} from "@lockkeeper/api"
import { encode, fixedBytes, struct } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { installRoster, ownMember, readInstalledRoster } from "../src/directory/roster.ts"
import { joinRoster, type RosterBundle } from "../src/directory/roster-bundle.ts"
import { consentToRoster } from "../src/directory/roster-consent.ts"
import type { Unsealed } from "../src/directory/unseal.ts"
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
