import assert from "node:assert/strict"
import { after, test } from "node:test"
import { LockKeeperError, passSeedOn, type Roster } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { systemRandomness } from "../src/adapters/system.ts"
import { installRoster, readInstalledRoster } from "../src/directory/roster.ts"
import type { RosterBundle } from "../src/directory/roster-bundle.ts"
import {
  agree,
  closeAll,
  enrol,
  makeServer,
  nextOf,
  opened,
  rosterOf,
  type TestServer,
} from "./server-directories.ts"

after(closeAll)

const install = (server: TestServer, bundle: RosterBundle) =>
  opened(server, (unsealed) => installRoster(unsealed, bundle))

const seedOf = (server: TestServer) =>
  opened(server, async (unsealed) => {
    const { enumerationSeed } = await readInstalledRoster(unsealed)
    return toHex(enumerationSeed.expose())
  })

const refusal = (code: string, field: string, message: RegExp) => (error: unknown) =>
  error instanceof LockKeeperError &&
  error.code === code &&
  error.field === field &&
  message.test(error.message)

async function roster2of3() {
  const all = [await makeServer("one"), await makeServer("two"), await makeServer("three")]
  const [one, two, three] = all as [TestServer, TestServer, TestServer]
  const joining = await makeServer("joining")
  const { chain } = await enrol(all, rosterOf(all, 2))
  const next = nextOf(chain, [
    [1, one],
    [2, two],
    [4, joining],
  ])
  return { one, two, three, joining, chain, next }
}

test("the seed stays the same over rosters, also where no member of the first one is left", async () => {
  const { one, two, joining, chain, next } = await roster2of3()
  const seed = await seedOf(one)
  assert.equal(await seedOf(two), seed)
  // The one that leaves is not asked.
  const second = await agree([one, two, joining], next, chain)
  for (const server of [one, two, joining]) {
    await install(server, second)
    assert.equal(await seedOf(server), seed)
  }
  const [later, last] = [await makeServer("later"), await makeServer("last")]
  const members = [
    [5, later],
    [6, last],
  ] as const
  const third = await agree(
    [two, joining, later, last],
    nextOf(second.chain, members),
    second.chain,
  )
  for (const server of [later, last]) {
    await install(server, third)
    assert.equal(await seedOf(server), seed)
  }
})

/** What a server passes on that says it has this seed. */
async function passedOn(
  server: TestServer,
  from: number,
  next: Roster,
  { chain }: RosterBundle,
  seed: Bytes,
) {
  const encoded = chain.at(-1)!.roster
  return opened(server, async ({ secrets }) => {
    const randomness = systemRandomness.bytes(64 * next.members.length)
    return passSeedOn(next, encoded, from, new Secret(seed), secrets.identity, randomness)
  })
}

test("a member that passes on another seed is named, and every server stays as it was", async () => {
  const { one, two, three, joining, chain, next } = await roster2of3()
  const seed = await seedOf(one)
  const bundle = await agree([one, two, three, joining], next, chain)
  const lie = await passedOn(three, 3, next, bundle, new Uint8Array(32).fill(7))
  const contributions = [...bundle.contributions.filter(({ from }) => from !== 3), ...lie]
  const torn = { ...bundle, contributions }
  const named = (message: RegExp) => refusal("untrusted-roster", "seed.3", message)
  await assert.rejects(install(joining, torn), named(/"three" is not what enough others/))
  for (const server of [one, two]) {
    await assert.rejects(install(server, torn), named(/"three" is not the one that is held here/))
    assert.equal(await seedOf(server), seed)
  }
  await assert.rejects(opened(joining, readInstalledRoster), /in no roster yet/)
  const without = { ...bundle, contributions: contributions.filter(({ from }) => from !== 3) }
  await install(joining, without)
  assert.equal(await seedOf(joining), seed)
})

test("fewer than the threshold of the roster before make no seed for a new member", async () => {
  const { one, two, joining, chain, next } = await roster2of3()
  const bundle = await agree([one, two, joining], next, chain)
  const contributions = bundle.contributions.filter(({ from }) => from === 1)
  const few = refusal("untrusted-roster", "seed", /^1 members .* it takes 2/)
  for (const server of [one, joining]) {
    await assert.rejects(install(server, { ...bundle, contributions }), few)
  }
  const alone = { ...bundle, chain: bundle.chain.slice(-1) }
  const lacks = refusal("misconfigured", "chain", /lacks the roster before/)
  await assert.rejects(install(joining, alone), lacks)
})
