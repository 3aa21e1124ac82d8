import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { encodeRoster, LockKeeperError, type Roster, type SignedRoster } from "@lockkeeper/api"
import { encode, equalBytes, fromBase64url, toBase64url } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { askServer } from "../src/control/ask.ts"
import { readDescriptor } from "../src/directory/descriptor.ts"
import { installRoster, signRosterAs } from "../src/directory/roster.ts"
import { type RosterBundle, rosterBundleCodec } from "../src/directory/roster-bundle.ts"
import { rotateChannelKey } from "../src/directory/rotate-channel-key.ts"
import { copyOf, liveServer, ownerAt } from "./live-server.ts"
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

const descriptorOf = ({ directory }: TestServer) =>
  readDescriptor(readFileSync(join(directory, "descriptor.json"), "utf8"))

const rotate = (server: TestServer) =>
  opened(server, (unsealed) => rotateChannelKey(unsealed, systemRandomness))

const activate = ({ directory }: TestServer, bundle: RosterBundle) =>
  askServer(
    directory,
    { command: "roster.activate", bundle: toBase64url(encode(rosterBundleCodec, bundle)) },
    "activated",
  )

async function enrolled() {
  const servers = [await makeServer("alpha"), await makeServer("beta")]
  const [alpha, beta] = servers as [TestServer, TestServer]
  const { chain } = await enrol(servers, rosterOf(servers, 2))
  /** The next roster, with the descriptors that lie in the directories now. */
  const next = (): Roster => {
    const now = servers.map((server) => ({ ...server, descriptor: descriptorOf(server) }))
    return nextOf(chain, [
      [1, now[0] as TestServer],
      [2, now[1] as TestServer],
    ])
  }
  return { servers, alpha, beta, chain, next }
}

/** Whether a session of the server's own roster opens at it. */
async function opens(
  { server }: Awaited<ReturnType<typeof start>>,
  roster: Roster,
  signed: SignedRoster,
): Promise<boolean> {
  const owner = ownerAt(server, roster, signed)
  const hello = { kind: "register", issuedAt: Date.now(), name: "alice" } as const
  const to = owner.servers[0]
  if (to === undefined) throw new Error("a cluster without a server")
  try {
    await owner.open(to, hello)
    return true
  } catch (error) {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(error.code, "wrong-server")
    return false
  }
}

test("a channel key waits, over restarts, until a roster lists it: then the one before is gone", async () => {
  const { servers, alpha, chain, next } = await enrolled()
  const before = descriptorOf(alpha)
  const running = await start(alpha)
  const { self } = running.server
  const asked = { command: "roster.rotate-channel-key" } as const
  const { channelKey } = await askServer(alpha.directory, asked, "rotated")
  const waiting = descriptorOf(alpha)
  assert.deepEqual(waiting.channelKey, fromBase64url(channelKey))
  assert.deepEqual({ ...waiting, channelKey: before.channelKey }, before, "nothing else changes")
  assert.equal(equalBytes(waiting.channelKey, before.channelKey), false)
  const again = await askServer(alpha.directory, asked, "rotated")
  assert.equal(again.channelKey, channelKey, "one that waits is told again")
  const first = chain[0] as SignedRoster
  assert.equal(await opens(running, self.roster, first), true, "the old one is in use")
  await running.close()
  assert.deepEqual((await rotate(alpha)).channelKey, waiting.channelKey)
  const roster = next()
  const bundle = await agree(servers, roster, chain)
  const second = await start(alpha)
  const old = second.server.self.channelSecret
  await activate(alpha, bundle)
  const signed = bundle.chain.at(-1) as SignedRoster
  assert.equal(await opens(second, roster, signed), true)
  const stale = { ...roster, members: [{ identifier: 1, ...before }, ...roster.members.slice(1)] }
  assert.equal(
    await opens(second, stale, signed),
    false,
    "what is sealed to the old key stays shut",
  )
  assert.throws(() => old.expose(), "the old secret is wiped")
  await second.close()
  const kept = await opened(alpha, async ({ store, secrets, nextChannel }) => {
    const row = await store.read("meta", "next-channel")
    return { row, nextChannel, key: secrets.channelPublic }
  })
  assert.deepEqual(kept, { row: null, nextChannel: null, key: waiting.channelKey })
  const third = await start(alpha)
  assert.equal(await opens(third, roster, signed), true)
  await third.close()
})

test("a roster that lists a channel key that is gone, or was never there, is not followed", async () => {
  const { servers, alpha, beta, chain, next } = await enrolled()
  const stale = encodeRoster(next())
  await rotate(alpha)
  const bundle = await agree(servers, next(), chain)
  await opened(alpha, (unsealed) => installRoster(unsealed, bundle))
  const refused = (error: unknown) =>
    error instanceof LockKeeperError && error.field === "members.alpha.channelKey"
  const sign = (encoded: Uint8Array<ArrayBuffer>) =>
    opened(alpha, async (unsealed) => signRosterAs(unsealed, encoded, systemRandomness))
  await assert.rejects(sign(stale), refused)
  const other = next().members.map((member) =>
    member.identifier === 1 ? { ...member, channelKey: descriptorOf(beta).channelKey } : member,
  )
  const swapped = other.map((member) =>
    member.identifier === 2 ? { ...member, channelKey: descriptorOf(alpha).channelKey } : member,
  )
  await assert.rejects(sign(encodeRoster({ ...next(), members: swapped })), refused)
})

test("a server that is killed around the commit has the old key with the old roster, or both new", async () => {
  const { servers, alpha, chain, next } = await enrolled()
  const old = next()
  await rotate(alpha)
  const roster = next()
  const bundle = await agree(servers, roster, chain)
  const signed = bundle.chain.at(-1) as SignedRoster
  const left: { readonly copy: TestServer; readonly isNew: boolean }[] = []
  let isNew = false
  let isWatched = false
  const live = await liveServer(alpha, async (batch, commit) => {
    if (isWatched) left.push({ copy: copyOf(alpha), isNew })
    await commit()
    isNew ||= isWatched && batch.some((change) => "id" in change && change.id === "roster")
    if (isWatched) left.push({ copy: copyOf(alpha), isNew })
  })
  isWatched = true
  await live.succession.activate(bundle)
  await live.unsealed.close()
  assert.ok(left.length >= 4)
  for (const { copy, isNew } of left) {
    const running = await start(copy)
    const listed = isNew ? roster : { ...old, rosterEpoch: 1 }
    assert.equal(running.server.self.roster.rosterEpoch, listed.rosterEpoch)
    assert.equal(await opens(running, listed, isNew ? signed : (chain[0] as SignedRoster)), true)
    await running.close()
  }
})
