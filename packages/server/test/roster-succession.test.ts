import assert from "node:assert/strict"
import { after, describe, test } from "node:test"
import { createClient } from "@connectrpc/connect"
import { createConnectTransport } from "@connectrpc/connect-node"
import {
  decodeRoster,
  encodeRoster,
  eventCodec,
  LockKeeperError,
  openChain,
  type Roster,
  type SignedRoster,
  signRoster,
  wire,
} from "@lockkeeper/api"
import { decode, encode, fromHex, toBase64url } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { askServer } from "../src/control/ask.ts"
import { activateBundle, settleStopped } from "../src/directory/activate.ts"
import { installRoster, readInstalledRoster } from "../src/directory/roster.ts"
import {
  joinRoster,
  type RosterBundle,
  rosterBundleCodec,
  rosterSignatureCodec,
} from "../src/directory/roster-bundle.ts"
import { consentToRoster } from "../src/directory/roster-consent.ts"
import type { Unsealed } from "../src/directory/unseal.ts"
import { StoreConflict } from "../src/ports/store.ts"
import type { RunningServer } from "../src/run-server.ts"
import { copyOf, liveServer, ownerAt, rowsOfKey } from "./live-server.ts"
import {
  agree,
  closeAll,
  enrol,
  makeServer,
  nextOf,
  opened,
  RecordedEvents,
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

interface Enrolled {
  readonly servers: readonly TestServer[]
  readonly alpha: TestServer
  readonly first: RosterBundle
}

async function enrolled(names = ["alpha", "beta"], minSigners = 2): Promise<Enrolled> {
  const servers = []
  for (const name of names) servers.push(await makeServer(name))
  const first = await enrol(servers, rosterOf(servers, minSigners))
  return { servers, alpha: servers[0] as TestServer, first }
}

/** The next roster with everybody in it, and what all of them make of it. */
async function next(
  { servers, first }: Enrolled,
  changes: Partial<Roster> = { refreshHours: 24 },
): Promise<{ readonly roster: Roster; readonly bundle: RosterBundle }> {
  const members = servers.map((server, i) => [i + 1, server] as const)
  const roster = { ...nextOf(first.chain, members), ...changes }
  return { roster, bundle: await agree(servers, roster, first.chain) }
}

const askToActivate = ({ directory }: TestServer, bundle: RosterBundle) =>
  askServer(
    directory,
    { command: "roster.activate", bundle: toBase64url(encode(rosterBundleCodec, bundle)) },
    "activated",
  )

function health({ port }: RunningServer) {
  const nodeOptions = { rejectUnauthorized: false }
  const baseUrl = `https://127.0.0.1:${port}`
  const transport = createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions })
  return createClient(wire.KeyServerService, transport)
}

const epochOf = async (server: TestServer) =>
  decodeRoster((await opened(server, readInstalledRoster)).signed.roster).rosterEpoch

const notesOf = (server: TestServer, operation: string) =>
  opened(server, async ({ store }) => {
    const entries = (await store.entries(0, 64)).map(({ event }) => decode(eventCodec, event))
    return entries.filter((event) => event.operation === operation).map(({ note }) => note)
  })

describe("a server that runs", () => {
  test("agrees to its next roster by its operator's word alone, and logs that", async () => {
    const { servers, alpha, first } = await enrolled()
    const members = servers.map((server, i) => [i + 1, server] as const)
    const roster = encodeRoster({ ...nextOf(first.chain, members), refreshHours: 24 })
    const running = await start(alpha)
    const asked = { command: "roster.consent", roster: toBase64url(roster) } as const
    const { signature } = await askServer(alpha.directory, asked, "consented")
    const wrong = (encoded: Uint8Array) =>
      askServer(alpha.directory, { ...asked, roster: toBase64url(encoded) }, "consented")
    const fork = encodeRoster({ ...decodeRoster(roster), previousDigest: new Uint8Array(32) })
    await assert.rejects(wrong(fork), refusal("untrusted-roster", "previousDigest", /not follow/))
    const ahead = encodeRoster({ ...decodeRoster(roster), rosterEpoch: 1 })
    await assert.rejects(wrong(ahead), refusal("untrusted-roster", "rosterEpoch", /not follow/))
    await assert.rejects(wrong(roster.slice(1)), refusal("invalid-request", "roster", /malformed/))
    await running.close()
    const mine = decode(rosterSignatureCodec, fromHex(signature))
    assert.equal(mine.identifier, 1)
    const consent = (unsealed: Parameters<typeof consentToRoster>[0]) =>
      consentToRoster(unsealed, roster, systemRandomness)
    const theirs = await opened(servers[1] as TestServer, consent)
    assert.equal(openChain(joinRoster([mine, theirs], first.chain).chain).before.length, 1)
    assert.equal((await notesOf(alpha, "roster.consent")).length, 1)
  })

  test("goes on under its next roster at the same port, and owners log in again", async () => {
    const set = await enrolled()
    const { alpha } = set
    const { roster, bundle } = await next(set)
    const events = new RecordedEvents()
    const running = await start(alpha, {}, events)
    const calls = health(running)
    const before = running.server
    const firstRoster = before.self.roster
    const owner = ownerAt(before, firstRoster, set.first.chain[0] as SignedRoster)
    const hello = { kind: "register", issuedAt: Date.now(), name: "alice" } as const
    const { session } = await owner.open(owner.servers[0] as never, hello)
    assert.equal(before.sessionCount, 1)
    before.counters.signed("ed25519")
    before.counters.pooled([1, 2], 7)
    const answer = await askToActivate(alpha, bundle)
    assert.deepEqual(decodeRoster(fromHex(answer.before)), firstRoster)
    assert.deepEqual(decodeRoster(fromHex(answer.roster)), roster)
    const { rosterEpoch, state } = await calls.getHealth({})
    assert.deepEqual([rosterEpoch, state], [2, wire.GetHealthResponse_State.READY])
    const { server } = running
    assert.notEqual(server, before)
    assert.deepEqual([server.sessionCount, before.sessionCount], [0, 0])
    assert.equal(server.counters.signatures().get("ed25519"), 1, "counters go on")
    assert.equal(server.counters.pools().get("1-2"), 0, "what was left in memory does not")
    const counter = 1
    const frame = { sessionId: session.channel.sessionId, counter, sealed: new Uint8Array(32) }
    const lost = server.call(frame)
    await assert.rejects(lost, (error) => (error as LockKeeperError).code === "session-ended")
    const stale = owner.open({ identifier: 1, server } as never, hello)
    await assert.rejects(stale, refusal("wrong-roster", "hello.rosterEpoch", /follows roster 1/))
    const known = ownerAt(server, roster, bundle.chain.at(-1) as SignedRoster)
    await known.open(known.servers[0] as never, hello)
    assert.equal(server.sessionCount, 1)
    assert.ok(events.seen.some(([name]) => name === "roster-activated"))
    assert.equal(before.self.loginServer.fakes.seed === server.self.loginServer.fakes.seed, false)
    assert.throws(() => before.self.loginServer.fakes.seed.expose(), "the old copy is wiped")
    await running.close()
    assert.equal((await notesOf(alpha, "roster.activate")).length, 1)
    const again = await start(alpha)
    assert.deepEqual([again.server.storeCondition, again.server.self.roster], ["orderly", roster])
    await again.close()
  })

  test("follows one roster after another, and does as before what its operator asks", async () => {
    const set = await enrolled(["alpha"], 1)
    const running = await start(set.alpha)
    let { chain } = set.first
    for (const refreshHours of [24, 48, 72]) {
      const roster = { ...nextOf(chain, [[1, set.alpha]]), refreshHours }
      const asked = {
        command: "roster.consent",
        roster: toBase64url(encodeRoster(roster)),
      } as const
      const { signature } = await askServer(set.alpha.directory, asked, "consented")
      const bundle = joinRoster([decode(rosterSignatureCodec, fromHex(signature))], chain)
      await askToActivate(set.alpha, bundle)
      chain = bundle.chain
      await running.server.tidy()
      const publicKey = "07".repeat(32)
      const certify = { command: "operator.certify", publicKey } as const
      await askServer(set.alpha.directory, certify, "certified")
      const { server } = await askServer(
        set.alpha.directory,
        { command: "incidents.list" },
        "listed",
      )
      assert.equal(server, 1)
    }
    const { rosterChain } = await health(running).getRoster({})
    assert.ok(rosterChain.length > 4 * 1216)
    assert.equal((await health(running).getHealth({})).rosterEpoch, 4)
    await running.close()
  })

  test("refuses what is not its next roster, and goes on as it was", async () => {
    const set = await enrolled()
    const { alpha } = set
    const { bundle } = await next(set)
    const { bundle: fork } = await next(set, { refreshHours: 48 })
    const other = await enrolled(["other"], 1)
    const otherNext = await next(other)
    const running = await start(alpha)
    const was = running.server
    const refused = async (
      wrong: RosterBundle,
      field: string,
      message: RegExp,
      code = "untrusted-roster",
    ) => assert.rejects(askToActivate(alpha, wrong), refusal(code, field, message))
    await refused(set.first, "rosterEpoch", /is number 1, not the next one after 1/)
    await refused(otherNext.bundle, "previousDigest", /does not follow/)
    const signed = bundle.chain.at(-1) as SignedRoster
    const lacking = { ...signed, signatures: new Map([...signed.signatures].slice(0, 1)) }
    await refused({ ...bundle, chain: [...set.first.chain, lacking] }, "signatures.2", /"beta"/)
    await refused({ ...bundle, contributions: [] }, "seed", /0 members of the roster before/)
    const late = await next(set, { createdAt: Date.now() + 3_600_000 })
    await refused(late.bundle, "clock", /behind the roster's making/, "misconfigured")
    assert.equal(running.server, was)
    await askToActivate(alpha, bundle)
    await refused(bundle, "rosterEpoch", /is number 2, not the next one after 2/)
    await refused(fork, "rosterEpoch", /is number 2, not the next one after 2/)
    const damaged = { command: "roster.activate", bundle: "AAAA" } as const
    const ask = (request: object) => askServer(alpha.directory, request as never, "activated")
    await assert.rejects(
      ask(damaged),
      refusal("invalid-request", "bundle.chain.roster", /malformed/),
    )
    const wrong = { command: "roster.activate", bundle: "not base64!" }
    await assert.rejects(ask(wrong), refusal("invalid-request", "bundle", /base64url/))
    assert.equal(running.server.self.roster.rosterEpoch, 2)
    await running.close()
  })

  test("refuses a roster that members signed who are out since the last one", async () => {
    const set = await enrolled(["alpha", "beta", "gamma"])
    const [alpha, beta, gamma] = set.servers as [TestServer, TestServer, TestServer]
    const without = nextOf(set.first.chain, [
      [1, alpha],
      [2, beta],
    ])
    const transition = { leaving: [], minSignersBefore: 2 }
    const dropped = await agree([alpha, beta], { ...without, transition }, set.first.chain)
    const running = await start(alpha)
    await askToActivate(alpha, dropped)
    const back = nextOf(dropped.chain, [
      [1, alpha],
      [3, gamma],
    ])
    const encoded = encodeRoster(back)
    const signatures = new Map<number, Uint8Array<ArrayBuffer>>()
    for (const [identifier, server] of [
      [1, copyOf(alpha)],
      [3, gamma],
    ] as const) {
      const sign = async ({ secrets }: Unsealed) => signRoster(encoded, secrets.identity)
      signatures.set(identifier, await opened(server, sign))
    }
    const signed = { roster: encoded, signatures }
    const bundle = { chain: [...dropped.chain, signed], contributions: [], settled: null }
    const few = /1 of the 2 it takes; missing "beta"/
    await assert.rejects(
      askToActivate(alpha, bundle),
      refusal("untrusted-roster", "signatures", few),
    )
    assert.equal(running.server.self.roster.rosterEpoch, 2)
    await running.close()
  })
})

describe("shares that a server holds", () => {
  /** Under a threshold of three, with no transition to it, nothing can be done with what takes two. */
  async function withKey() {
    const set = await enrolled(["alpha", "beta", "gamma"])
    const { bundle } = await next(set, { minSigners: 3 })
    return { ...set, bundle, rows: await rowsOfKey() }
  }

  const stranded = refusal("conflict", "bundle", /1 keys and 0 accounts of this server/)

  test("keep it from a roster under which they are of no use, running and stopped", async () => {
    const { alpha, bundle, rows } = await withKey()
    await opened(alpha, ({ store }) => store.commit(rows))
    const running = await start(alpha)
    const was = running.server
    await assert.rejects(askToActivate(alpha, bundle), stranded)
    assert.equal(running.server, was)
    await running.close()
    const encoded = encode(rosterBundleCodec, bundle)
    await assert.rejects(
      opened(alpha, (unsealed) => activateBundle(unsealed, encoded)),
      stranded,
    )
    assert.equal(await epochOf(alpha), 1)
  })

  test("are looked at once more when nothing is under way: a share may have come meanwhile", async () => {
    const { alpha, bundle, rows } = await withKey()
    const live = await liveServer(alpha)
    let came = false
    const { scan } = live.unsealed.store
    live.unsealed.store.scan = async (...args) => {
      const found = await scan.apply(live.unsealed.store, args)
      // As a call under way would, after keys were gone through.
      if (args[0] === "accounts" && !came) {
        came = true
        await live.store.commit(rows)
      }
      return found
    }
    await assert.rejects(live.succession.activate(bundle), stranded)
    assert.deepEqual([came, live.turnstile.isBroken], [true, false])
    await live.unsealed.close()
    assert.equal(await epochOf(alpha), 1)
  })
})

describe("members that are replaced one after the other", () => {
  const transition = { leaving: [], minSignersBefore: 2 }

  /** The third of three members is replaced; then the second, by a bundle that nobody has taken yet. */
  async function replacedTwice(hasKey: boolean) {
    const set = await enrolled(["alpha", "beta", "gamma"])
    const [alpha, beta] = set.servers as [TestServer, TestServer]
    const [delta, epsilon] = [await makeServer("delta"), await makeServer("epsilon")]
    const rows = hasKey ? await rowsOfKey() : []
    if (hasKey) await opened(alpha, ({ store }) => store.commit(rows))
    const members = [alpha, beta, delta].map((server, i) => [i + 1, server] as const)
    const roster = { ...nextOf(set.first.chain, members), transition }
    const bundle = await agree([alpha, beta, delta], roster, set.first.chain)
    for (const server of [alpha, delta]) {
      await opened(server, (unsealed) => installRoster(unsealed, bundle))
      await opened(server, (unsealed) => settleStopped(unsealed, null, { isForced: true }))
    }
    const chain = [...bundle.chain, bundle.settled as SignedRoster]
    const others = [alpha, epsilon, delta].map((server, i) => [i + 1, server] as const)
    const again = { ...nextOf(chain, others), transition }
    return { alpha, second: await agree([alpha, epsilon, delta], again, chain) }
  }

  const doubted = (error: unknown) => {
    refusal(
      "conflict",
      "bundle",
      /^Roster 4 leaves too few .* 1 keys and 0 accounts .*"delta" came/,
    )(error)
    const { remedy } = error as LockKeeperError
    assert.match(remedy, /`lockkeeper refresh`, under the roster in force/)
    assert.match(remedy, /`lockkeeper repair --server delta --dry-run` .* --force/)
    return true
  }

  test("leave nobody sure to hold shares with the first: refused, running and stopped", async () => {
    const { alpha, second } = await replacedTwice(true)
    const running = await start(alpha)
    await assert.rejects(askToActivate(alpha, second), doubted)
    assert.equal(running.server.self.roster.rosterEpoch, 3)
    await running.close()
    const encoded = encode(rosterBundleCodec, second)
    await assert.rejects(
      opened(alpha, (unsealed) => activateBundle(unsealed, encoded)),
      doubted,
    )
    assert.equal(await epochOf(alpha), 3)
  })

  test("are taken where the operator says that they hold them, and where nothing is held", async () => {
    const { alpha, second } = await replacedTwice(true)
    const running = await start(alpha)
    const bundle = toBase64url(encode(rosterBundleCodec, second))
    const asked = { command: "roster.activate", bundle, isForced: true } as const
    await askServer(alpha.directory, asked, "activated")
    assert.equal(running.server.self.roster.rosterEpoch, 4)
    await running.close()
    await opened(alpha, (unsealed) => settleStopped(unsealed, null))
    assert.equal(await epochOf(alpha), 5)
    const empty = await replacedTwice(false)
    const encoded = encode(rosterBundleCodec, empty.second)
    await opened(empty.alpha, (unsealed) => activateBundle(unsealed, encoded))
    assert.equal(await epochOf(empty.alpha), 4)
  })
})

describe("a server that ends while it goes on to its next roster", () => {
  test("killed before or after any of its commits, follows the one or the other", async () => {
    const set = await enrolled()
    const { bundle } = await next(set)
    const left: { readonly copy: TestServer; readonly atLeast: number }[] = []
    let isWatched = false
    let installed = false
    const live = await liveServer(set.alpha, async (batch, commit) => {
      if (isWatched) left.push({ copy: copyOf(set.alpha), atLeast: installed ? 2 : 1 })
      await commit()
      installed ||= isWatched && batch.some((change) => "id" in change && change.id === "roster")
      if (isWatched) left.push({ copy: copyOf(set.alpha), atLeast: installed ? 2 : 1 })
    })
    isWatched = true
    await live.succession.activate(bundle)
    await live.unsealed.close()
    assert.ok(left.length >= 4, `${left.length} moments`)
    const epochs: number[] = []
    for (const { copy, atLeast } of left) {
      const running = await start(copy)
      const { rosterEpoch } = running.server.self.roster
      assert.equal(running.server.storeCondition, "unclean")
      assert.equal(rosterEpoch, atLeast)
      if (rosterEpoch === 1) await askToActivate(copy, bundle)
      assert.equal(running.server.self.roster.rosterEpoch, 2)
      epochs.push(rosterEpoch)
      await running.close()
    }
    assert.deepEqual([...new Set(epochs)], [1, 2])
  })

  test("where a commit fails, goes on as it was on a conflict alone, and as nothing after", async () => {
    const set = await enrolled()
    const { bundle } = await next(set)
    let failing: "roster" | "after" | null = "roster"
    let installed = false
    const live = await liveServer(set.alpha, async (batch, commit) => {
      const isRoster = batch.some((change) => "id" in change && change.id === "roster")
      if (failing === "roster" && isRoster) throw new StoreConflict("meta", "roster")
      if (failing === "after" && installed) throw new Error("the disk is full")
      await commit()
      installed ||= isRoster
    })
    const was = live.turnstile.server
    await assert.rejects(live.succession.activate(bundle), StoreConflict)
    assert.deepEqual([live.turnstile.server === was, live.turnstile.isBroken], [true, false])
    assert.ok(was.self.channelSecret.expose().length > 0)
    failing = "after"
    await assert.rejects(live.succession.activate(bundle), /the disk is full/)
    assert.equal(live.turnstile.isBroken, true)
    assert.ok(live.events.seen.some(([name]) => name === "roster-not-taken-up"))
    const broken = (error: unknown) =>
      error instanceof LockKeeperError && error.code === "unavailable"
    await assert.rejects(
      live.turnstile.pass(async () => 1),
      broken,
    )
    failing = null
    await live.unsealed.close()
    assert.equal(await epochOf(set.alpha), 2)
    const running = await start(set.alpha)
    assert.equal(running.server.self.roster.rosterEpoch, 2)
    await running.close()
  })

  test("begins no change when it is stopping, and ends one that is under way", async () => {
    const set = await enrolled()
    const { bundle } = await next(set)
    const live = await liveServer(set.alpha)
    const activated = live.succession.activate(bundle)
    const other = live.succession.activate(bundle)
    await assert.rejects(other, refusal("conflict", "", /changing its roster already/))
    await live.succession.close()
    assert.equal(live.turnstile.server.self.roster.rosterEpoch, 2)
    await activated
    const late = live.succession.activate(bundle)
    await assert.rejects(late, refusal("conflict", "", /The server is stopping/))
    await live.unsealed.close()
  })
})
