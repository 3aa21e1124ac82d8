import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import { LockKeeperError, quarantinedError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { Exclusions } from "../src/exclusions.ts"
import { EXCLUSION_MS } from "../src/limits.ts"
import { TestCluster } from "./cluster.ts"
import { ecdsaOwner, signText } from "./owners.ts"

const refusal = (about: number) =>
  new LockKeeperError("quarantined", "no", { field: `quarantined.${about}` })

const ALL = [1, 2, 3, 4, 5]

describe("who is left out", () => {
  let now = 0
  let exclusions: Exclusions

  beforeEach(() => {
    now = 1_000
    const clock = { now: () => now, wait: async () => undefined }
    exclusions = new Exclusions({ all: ALL, minSigners: 3 }, clock)
  })

  it("is whom this client has proof against, for a while", () => {
    exclusions.prove(2)
    assert.equal(exclusions.isOut(2), true)
    assert.deepEqual(exclusions.together([5, 4, 3, 2, 1]), [5, 4, 3, 1])
    now += EXCLUSION_MS - 1
    assert.equal(exclusions.isOut(2), true)
    now += 1
    assert.equal(exclusions.isOut(2), false)
  })

  it("is whom as many refuse as it takes to sign, and nobody for the word of fewer", () => {
    for (const refuser of [1, 3]) assert.equal(exclusions.heard(refuser, refusal(2), ALL), 2)
    exclusions.heard(1, refusal(2), ALL)
    assert.equal(exclusions.isOut(2), false)
    assert.equal(exclusions.areApart(2, 1), true)
    assert.equal(exclusions.areApart(2, 4), false)
    exclusions.heard(4, refusal(2), ALL)
    assert.equal(exclusions.isOut(2), true)
    now += EXCLUSION_MS
    assert.equal(exclusions.isOut(2), false)
    assert.equal(exclusions.areApart(1, 2), false)
  })

  it("is the liar who refuses everyone, and not those whom it refuses", () => {
    for (const about of [1, 2, 4, 5]) exclusions.heard(3, refusal(about), ALL)
    assert.deepEqual(exclusions.together([1, 2, 3, 4, 5]), [1, 2, 4, 5])
    for (const id of [1, 2, 4, 5]) assert.equal(exclusions.isOut(id), false)
  })

  it("is who is at odds with most, so that those who agree with each other are left", () => {
    for (const refuser of [1, 4]) exclusions.heard(refuser, refusal(5), ALL)
    assert.deepEqual(exclusions.together([5, 4, 3, 2, 1]), [4, 3, 2, 1])
    assert.deepEqual(exclusions.together([5, 3, 2]), [5, 3, 2])
  })

  it("is the refused one where two are alike, whatever their order", () => {
    exclusions.heard(4, refusal(2), ALL)
    assert.deepEqual(exclusions.together([1, 2, 3, 4, 5]), [1, 3, 4, 5])
    assert.deepEqual(exclusions.together([5, 4, 3, 2, 1]), [5, 4, 3, 1])
    exclusions.heard(4, refusal(5), ALL)
    assert.deepEqual(exclusions.together([1, 2, 3, 4, 5]), [1, 2, 3, 5])
  })

  it("is never so many that fewer are left than honest ones, whatever fewer than t servers say", () => {
    for (const [liar, about] of [
      [4, 1],
      [5, 1],
      [4, 2],
      [5, 3],
    ] as const) {
      exclusions.heard(liar, refusal(about), ALL)
    }
    assert.equal(exclusions.together(ALL).length, 3)
    // Each of all that two liars can say of three others, 3 at the least who have nothing to say.
    for (let said = 0; said < 64; said++) {
      const clock = { now: () => now, wait: async () => undefined }
      const some = new Exclusions({ all: ALL, minSigners: 3 }, clock)
      for (let bit = 0; bit < 6; bit++) {
        if (said & (1 << bit)) some.heard(4 + (bit % 2), refusal(1 + (bit >> 1)), ALL)
      }
      const left = some.together(ALL)
      assert.ok(left.length >= 3, `${said}`)
      assert.ok(left.every((a) => left.every((b) => !some.areApart(a, b))))
    }
  })

  it("is found at once among as many as a roster may have", () => {
    const all = Array.from({ length: 24 }, (_, i) => i + 1)
    const clock = { now: () => now, wait: async () => undefined }
    for (const step of [1, 2, 5, 7, 12]) {
      const many = new Exclusions({ all, minSigners: 13 }, clock)
      for (const a of all) many.heard(a, refusal(((a - 1 + step) % 24) + 1), all)
      for (const a of all) many.heard(a, refusal(((a - 1 + 2 * step) % 24) + 1), all)
      const started = performance.now()
      assert.ok(many.together(all).length >= 6)
      assert.ok(performance.now() - started < 500)
    }
  })

  it("is whoever refuses, of what lasts: a word keeps no honest server out of it", () => {
    exclusions.heard(4, refusal(2), ALL)
    exclusions.heard(5, refusal(2), ALL)
    assert.deepEqual(exclusions.withoutRefusers(ALL), [1, 2, 3])
    exclusions.heard(1, refusal(2), ALL)
    assert.deepEqual(exclusions.withoutRefusers(ALL), [1, 3, 4, 5], "t say so, one of them honest")
  })

  it("is nobody for other refusals, of strangers, or about the refuser itself", () => {
    const other = new LockKeeperError("permission-denied", "no", { field: "quarantined.2" })
    for (const error of [other, refusal(1), refusal(9), refusal(0)]) {
      assert.equal(exclusions.heard(1, error, ALL), null)
    }
    assert.equal(exclusions.heard(1, refusal(2), [1, 3, 4]), null, "it was not to take part")
    assert.deepEqual(exclusions.together([1, 2, 3, 4, 5]), [1, 2, 3, 4, 5])
  })
})

/** From now on this server says of others that they are quarantined, whatever is true. */
function refuseFalsely(cluster: TestCluster, liar: Identifier, about?: Identifier): void {
  const { server, self } = cluster.server(liar)
  server.incidents.checkNone = (participants) => {
    const others = [...participants].filter((id) => id !== liar)
    const named = about ?? others[0]
    if (named !== undefined) throw quarantinedError(self.roster, named)
  }
}

const OWNER = { name: "alice", password: "correct horse" }

describe("a server that says falsely of others that they are quarantined", () => {
  async function start(servers: number, minSigners: number) {
    const cluster = await TestCluster.start({ servers, minSigners })
    const keeper = await cluster.connect()
    await keeper.register(OWNER)
    return { cluster, session: await keeper.login(OWNER) }
  }

  for (const about of [undefined, 2] as const) {
    it(`(${about ?? "of everyone"}) keeps nobody from making keys and signing with FROST`, async () => {
      const { cluster, session } = await start(5, 3)
      const { key } = await session.keys.create({ type: "ed25519" })
      refuseFalsely(cluster, 1, about)
      for (let i = 0; i < 6; i++) {
        const { signers } = await session.sign({ keyId: key.keyId, message: utf8(`${i}`) })
        assert.equal(signers.length, 3)
      }
      const made = await session.keys.create({ type: "ed25519" })
      assert.ok(made.key.holders.length >= 3)
      assert.ok(made.incidents.every(({ kind }) => kind !== "proven" && kind !== "disputed"))
    })
  }

  for (const [servers, minSigners, liars] of [
    [3, 2, [3]],
    [5, 3, [1, 5]],
  ] as const) {
    it(`keeps no honest server out of a new key (${liars.length} of ${servers})`, async () => {
      const { cluster, session } = await start(servers, minSigners)
      for (const liar of liars) refuseFalsely(cluster, liar, 2)
      const { key } = await session.keys.create({ type: "ed25519" })
      assert.deepEqual(
        key.holders,
        cluster.roster.members
          .map((m) => m.identifier)
          .filter((id) => !(liars as readonly number[]).includes(id)),
      )
    })
  }

  it("keeps nobody from making a key by saying something else each time", async () => {
    const { cluster, session } = await start(5, 3)
    const said = new Map([
      [4, [1, 2]],
      [5, [1, 3]],
    ])
    for (const [liar, names] of said) {
      const { server, self } = cluster.server(liar)
      server.incidents.checkNone = (participants) => {
        const among = [...participants]
        const named = names.find((id) => among.includes(id)) ?? among.find((id) => id < 4)
        if (named !== undefined) throw quarantinedError(self.roster, named)
      }
    }
    const { key } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(key.holders, [1, 2, 3])
    const { signers } = await session.sign({ keyId: key.keyId, message: utf8("text") })
    assert.deepEqual(signers, [1, 2, 3])
  })

  it("keeps nobody from signing with ECDSA", async () => {
    const cluster = await TestCluster.start({ servers: 4 })
    const owner = await ecdsaOwner(cluster)
    const { sets } = await owner.session.pools.status(owner.key.keyId)
    const liar = sets[0]!.signers[0] as Identifier
    refuseFalsely(cluster, liar)
    for (let i = 0; i < 3; i++) {
      const { signers } = await signText(owner, `text ${i}`)
      assert.ok(!signers.includes(liar))
    }
  })

  it("naming a server that is not among the signers is left out itself", async () => {
    const { cluster, session } = await start(3, 2)
    const { key } = await session.keys.create({ type: "ed25519" })
    refuseFalsely(cluster, 1, 3)
    for (let i = 0; i < 4; i++) {
      const { signers } = await session.sign({ keyId: key.keyId, message: utf8(`${i}`) })
      assert.equal(signers.length, 2)
    }
  })
})
