import assert from "node:assert/strict"
import { after, describe, test } from "node:test"
import {
  decodeRoster,
  encodeRoster,
  LockKeeperError,
  type Roster,
  rosterDigest,
  type SignedRoster,
  settledRoster,
  signRoster,
} from "@lockkeeper/api"
import { decode, encode, toBase64url } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { askServer } from "../src/control/ask.ts"
import { settleStopped } from "../src/directory/activate.ts"
import { installRoster, readInstalledRoster } from "../src/directory/roster.ts"
import {
  joinRoster,
  type RosterBundle,
  rosterBundleCodec,
  rosterSignatureCodec,
} from "../src/directory/roster-bundle.ts"
import { consentToRoster } from "../src/directory/roster-consent.ts"
import { copyOf, liveServer, rowsOfKey } from "./live-server.ts"
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

const refusal = (code: string, field: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LockKeeperError, String(error))
  assert.deepEqual([error.code, error.field], [code, field], error.message)
  assert.match(error.message, message)
  return true
}

/** Nothing is held anywhere. */
const FORCED = { isForced: true }

type Three = readonly [TestServer, TestServer, TestServer, TestServer]

/** Three servers and a fourth that takes the place of the third: who signed that, and the bundle. */
async function inTransition(changes: Partial<Roster> = {}) {
  const [alpha, beta, gamma, delta] = [
    await makeServer("alpha"),
    await makeServer("beta"),
    await makeServer("gamma"),
    await makeServer("delta"),
  ]
  const servers: Three = [alpha, beta, gamma, delta]
  const first = await enrol(servers.slice(0, 3), rosterOf(servers.slice(0, 3), 2))
  const members = servers.map((server, i) => [i + 1, server] as const)
  const transition = { leaving: [3], minSignersBefore: 2 }
  const roster: Roster = { ...nextOf(first.chain, members), transition, ...changes }
  const bundle = await agree(servers, roster, first.chain)
  return { servers, alpha, gamma, delta, first, roster, bundle }
}

const install = (server: TestServer, bundle: RosterBundle) =>
  opened(server, (unsealed) => installRoster(unsealed, bundle))

const settle = ({ directory }: TestServer, bundle: RosterBundle | null = null) => {
  const given = bundle === null ? null : toBase64url(encode(rosterBundleCodec, bundle))
  return askServer(directory, { command: "roster.settle", bundle: given }, "activated")
}

const installed = (server: TestServer) =>
  opened(server, async (unsealed) => {
    const { signed, before, enumerationSeed } = await readInstalledRoster(unsealed)
    const roster = decodeRoster(signed.roster)
    const waits = (await unsealed.store.read("meta", "settled-roster")) !== null
    return { roster, before: before.length, waits, seed: enumerationSeed.expose().slice() }
  })

describe("the roster that settles another", () => {
  test("is signed with it, joined with it, and kept by every server that goes on to it", async () => {
    const { alpha, delta, roster, bundle } = await inTransition()
    const settled = bundle.settled as SignedRoster
    assert.deepEqual(decodeRoster(settled.roster), settledRoster(roster))
    assert.deepEqual([...settled.signatures.keys()], [1, 2, 4], "not by the one that leaves")
    assert.deepEqual(decode(rosterBundleCodec, encode(rosterBundleCodec, bundle)), bundle)
    for (const server of [alpha, delta]) {
      await install(server, bundle)
      assert.equal((await installed(server)).waits, true)
    }
    const running = await start(alpha)
    const was = (await running.server).self
    await settle(alpha)
    assert.deepEqual(running.server.self.roster, settledRoster(roster))
    assert.equal(running.server.self.rostersBefore.length, 2)
    assert.notEqual(running.server.self, was)
    await running.close()
    await opened(delta, (unsealed) => settleStopped(unsealed, null, FORCED))
    const [mine, theirs] = [await installed(alpha), await installed(delta)]
    assert.deepEqual([mine.waits, theirs.waits], [false, false])
    assert.deepEqual(mine.roster, theirs.roster)
    assert.deepEqual(mine.seed, theirs.seed, "the seed stays the same in every roster")
  })

  test("needs nobody to vouch for the seed, however many it takes from then on", async () => {
    const alpha = await makeServer("alpha")
    const others = [await makeServer("beta"), await makeServer("gamma")]
    const first = await enrol([alpha], rosterOf([alpha], 1))
    const members = [alpha, ...others].map((server, i) => [i + 1, server] as const)
    const transition = { leaving: [], minSignersBefore: 1 }
    const roster = { ...nextOf(first.chain, members), minSigners: 3, transition }
    const bundle = await agree([alpha, ...others], roster, first.chain)
    for (const server of [alpha, ...others]) {
      await install(server, bundle)
      await opened(server, (unsealed) => settleStopped(unsealed, null, FORCED))
      assert.deepEqual((await installed(server)).roster, settledRoster(roster))
    }
  })

  test("is taken from a bundle where the server has not kept it, and from no other's", async () => {
    const { alpha, bundle } = await inTransition()
    const other = await inTransition({ refreshHours: 24 })
    await install(alpha, { ...bundle, settled: null })
    const running = await start(alpha)
    await assert.rejects(settle(alpha), refusal("conflict", "bundle", /does not have the roster/))
    const wrong = settle(alpha, other.bundle)
    await assert.rejects(wrong, refusal("untrusted-roster", "settled", /settles another roster/))
    const settled = bundle.settled as SignedRoster
    const few = { ...settled, signatures: new Map([...settled.signatures].slice(1)) }
    const lacking = settle(alpha, { ...bundle, settled: few })
    await assert.rejects(lacking, refusal("untrusted-roster", "signatures.1", /"alpha"/))
    assert.equal(running.server.self.roster.rosterEpoch, 2)
    await settle(alpha, bundle)
    assert.equal(running.server.self.roster.rosterEpoch, 3)
    await running.close()
  })

  test("is refused in a bundle that does not fit, before anything is installed", async () => {
    const { alpha, bundle, roster: next } = await inTransition()
    const settled = bundle.settled as SignedRoster
    const other = encodeRoster({ ...settledRoster(next), refreshHours: 1 })
    const elsewhere = { ...settled, roster: other }
    const wrong = install(alpha, { ...bundle, settled: elsewhere })
    await assert.rejects(wrong, refusal("untrusted-roster", "settled", /settles another roster/))
    const { roster, signatures } = settled
    const forged = { roster, signatures: new Map([...signatures, [2, new Uint8Array(64)]]) }
    const lacking = install(alpha, { ...bundle, settled: forged as SignedRoster })
    await assert.rejects(lacking, refusal("untrusted-roster", "signatures.2", /"beta"/))
    assert.equal((await installed(alpha)).roster.rosterEpoch, 1)
  })

  test("is not joined while one that stays has not signed it, and old files read as before", async () => {
    const { servers, roster, first } = await inTransition()
    const encoded = encodeRoster(roster)
    const signatures = []
    for (const server of servers) {
      const consent = (unsealed: Parameters<typeof consentToRoster>[0]) =>
        consentToRoster(unsealed, encoded, systemRandomness)
      signatures.push(await opened(server, consent))
    }
    assert.deepEqual(
      signatures.map(({ settled }) => settled !== null),
      [true, true, false, true],
    )
    const [one, ...rest] = signatures
    if (one?.settled == null) throw new Error("a member that stays signs both")
    const file = encode(rosterSignatureCodec, one)
    assert.deepEqual(decode(rosterSignatureCodec, file), one)
    const old = { ...one, settled: null }
    assert.deepEqual(encode(rosterSignatureCodec, old), file.slice(0, -64))
    assert.deepEqual(decode(rosterSignatureCodec, file.slice(0, -64)), old)
    const lacking = refusal("misconfigured", "signatures.1.settled", /"alpha" has not signed/)
    assert.throws(() => joinRoster([old, ...rest], first.chain), lacking)
    const forged = { ...one, settled: new Uint8Array(64) }
    const wrong = refusal("untrusted-roster", "signatures.1", /"alpha"/)
    assert.throws(() => joinRoster([forged, ...rest], first.chain), wrong)
  })

  test("is refused where nothing is in transition, by one that leaves, and twice", async () => {
    const { alpha, gamma, first, bundle } = await inTransition()
    const running = await start(alpha)
    const none = refusal("conflict", "transition", /No share is on its way/)
    await assert.rejects(settle(alpha), none)
    await running.close()
    for (const server of [alpha, gamma]) await install(server, bundle)
    const leaving = await start(gamma)
    const gone = refusal("conflict", "transition.leaving", /"gamma" leaves: it is in no roster/)
    await assert.rejects(settle(gamma), gone)
    await leaving.close()
    await opened(alpha, (unsealed) => settleStopped(unsealed, null))
    await assert.rejects(
      opened(alpha, (unsealed) => settleStopped(unsealed, encode(rosterBundleCodec, bundle))),
      none,
    )
    assert.equal(first.chain.length, 1)
  })
})

describe("a transition at a server that holds shares", () => {
  test("is not ended before they have moved, running or stopped, and says how many they are", async () => {
    const { alpha, bundle } = await inTransition()
    await opened(alpha, async ({ store }) => store.commit(await rowsOfKey()))
    await install(alpha, bundle)
    const running = await start(alpha)
    const still = refusal("conflict", "transition", /^1 keys and 0 accounts of this server still/)
    await assert.rejects(settle(alpha), still)
    assert.equal(running.server.self.roster.rosterEpoch, 2)
    await running.close()
    await assert.rejects(
      opened(alpha, (unsealed) => settleStopped(unsealed, null)),
      still,
    )
    assert.equal((await installed(alpha)).roster.rosterEpoch, 2)
  })

  test("is not ended at one that joins before keys and accounts have come, but by force", async () => {
    const transition = { leaving: [], minSignersBefore: 2 }
    const { alpha, delta, bundle } = await inTransition({ transition })
    await install(delta, bundle)
    const lacks = (what: string) => (error: unknown) => {
      refusal("conflict", "transition", new RegExp(`^"delta" joins, and ${what} has come`))(error)
      assert.match((error as LockKeeperError).remedy, /`lockkeeper reshare` to its end.*--force/)
      return true
    }
    const stopped = () => opened(delta, (unsealed) => settleStopped(unsealed, null))
    await assert.rejects(stopped, lacks("nothing"))
    const running = await start(delta)
    await assert.rejects(settle(delta), lacks("nothing"))
    await running.close()
    await opened(delta, async ({ store }) => store.commit(await rowsOfKey()))
    await assert.rejects(stopped, lacks("no account"))
    assert.equal((await installed(delta)).roster.rosterEpoch, 2)
    const again = await start(delta)
    const asked = { command: "roster.settle", bundle: null, isForced: true } as const
    await askServer(delta.directory, asked, "activated")
    assert.equal(again.server.self.roster.rosterEpoch, 3)
    await again.close()
    // Who was there before can hold nothing because there is nothing.
    await install(alpha, bundle)
    await opened(alpha, (unsealed) => settleStopped(unsealed, null))
    assert.equal((await installed(alpha)).roster.rosterEpoch, 3)
  })

  test("killed before or after any commit of its end, follows the one roster or the other", async () => {
    const { alpha, bundle, roster } = await inTransition()
    await install(alpha, bundle)
    const left: { readonly copy: TestServer; readonly epoch: number }[] = []
    let epoch = 2
    let isWatched = false
    const live = await liveServer(alpha, async (batch, commit) => {
      if (isWatched) left.push({ copy: copyOf(alpha), epoch })
      await commit()
      if (isWatched && batch.some((one) => "id" in one && one.id === "roster")) epoch = 3
      if (isWatched) left.push({ copy: copyOf(alpha), epoch })
    })
    isWatched = true
    await live.succession.settle(null)
    await live.unsealed.close()
    assert.ok(left.length >= 4, `${left.length} moments`)
    for (const { copy, epoch } of left) {
      const running = await start(copy)
      assert.equal(running.server.self.roster.rosterEpoch, epoch)
      if (epoch === 2) await settle(copy)
      assert.deepEqual(running.server.self.roster, settledRoster(roster))
      await running.close()
    }
  })

  test("is not ended by another roster of that number, though all its members signed that", async () => {
    const { alpha, servers, bundle, roster } = await inTransition()
    await install(alpha, { ...bundle, settled: null })
    const wrong = encodeRoster({ ...settledRoster(roster), minSigners: 1 })
    const signatures = new Map<number, Uint8Array<ArrayBuffer>>()
    for (const [i, server] of servers.entries()) {
      const signature = await opened(server, async ({ secrets }) =>
        signRoster(wrong, secrets.identity),
      )
      signatures.set(i + 1, signature)
    }
    const running = await start(alpha)
    const forked = settle(alpha, { ...bundle, settled: { roster: wrong, signatures } })
    await assert.rejects(forked, refusal("untrusted-roster", "settled", /settles another roster/))
    const { self } = running.server
    assert.deepEqual(rosterDigest(self.signedRoster.roster), rosterDigest(encodeRoster(roster)))
    await running.close()
  })
})
