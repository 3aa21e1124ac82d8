import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type Incident,
  type LockKeeper,
  type Session,
  verifyEvidenceFile,
} from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { equalBytes, utf8 } from "@lockkeeper/encoding"
import {
  borrowListing,
  dealWronglyTo,
  evaluateWrongly,
  hideListing,
  inventKey,
  revealAnotherVector,
  showAnotherVector,
  signWrongly,
  spoilEnvelope,
} from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }

async function owner(cluster: TestCluster): Promise<{ keeper: LockKeeper; session: Session }> {
  const keeper = await cluster.connect()
  await keeper.register(OWNER)
  return { keeper, session: await keeper.login(OWNER) }
}

/** Exactly this server is proven at fault, by a file that holds offline and for this roster only. */
function assertProven(
  cluster: TestCluster,
  incidents: readonly Incident[],
  server: number,
  reason: string,
): void {
  const proven = incidents.filter(({ kind }) => kind === "proven")
  assert.deepEqual(
    proven.map((incident) => [incident.server, incident.name, incident.reason]),
    [[server, `server-${server}`, reason]],
  )
  const file = proven[0]?.evidence as Uint8Array
  const verdict = verifyEvidenceFile(file, cluster.signedRoster)
  assert.ok(verdict.valid && verdict.pair === null, JSON.stringify(verdict))
  assert.deepEqual([verdict.culprit, verdict.reason], [server, reason])
  assert.equal(verdict.operator, `operator-${server}`)
  for (const at of [file.length >> 2, file.length >> 1, file.length - 1]) {
    const altered = file.slice()
    altered[at] = (altered[at] as number) ^ 1
    assert.equal(verifyEvidenceFile(altered, cluster.signedRoster).valid, false, `byte ${at}`)
  }
}

/** Repeats until the rotation has put the server into the first signer set. */
async function untilProven(act: () => Promise<readonly Incident[]>): Promise<readonly Incident[]> {
  for (let i = 0; i < 6; i++) {
    const incidents = await act()
    if (incidents.some(({ kind }) => kind === "proven")) return incidents
  }
  return assert.fail("nobody was proven at fault")
}

describe("a server that evaluates the OPRF wrongly", () => {
  it("is named with evidence, and login finishes without it", async () => {
    const cluster = await TestCluster.start()
    const { keeper } = await owner(cluster)
    await evaluateWrongly(cluster.server(2), OWNER.name)
    const incidents = await untilProven(async () => {
      const session = await keeper.login(OWNER)
      await session.keys.create({ type: "ed25519" })
      return session.incidents
    })
    assertProven(cluster, incidents, 2, "wrong-evaluation")
  })
})

describe("a server that signs with a wrong share", () => {
  for (const type of ["ed25519", "bip340"] as const) {
    it(`is named with evidence, and the ${type} signature is made without it`, async () => {
      const cluster = await TestCluster.start()
      const { session } = await owner(cluster)
      const { key } = await session.keys.create({ type })
      await signWrongly(cluster.server(3), key.keyId)
      const message = new Uint8Array(32).fill(5)
      const incidents = await untilProven(async () => {
        const signed = await session.sign({ keyId: key.keyId, message })
        if (type === "ed25519") assert.ok(verifySignature(key.publicKey, message, signed.signature))
        assert.deepEqual(signed.signers.includes(3), false)
        return signed.incidents
      })
      assertProven(cluster, incidents, 3, "invalid-signature-share")
    })
  }
})

describe("a server that cheats in key generation", () => {
  it("by a wrong share to one server is named with evidence, and the key is made without it", async () => {
    const cluster = await TestCluster.start()
    cluster.wire(2).recall = dealWronglyTo(cluster.server(2), 1)
    const { session } = await owner(cluster)
    const { key, incidents } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(key.holders, [1, 3])
    assertProven(cluster, incidents, 2, "bad-dealing")
    const message = utf8("made without it")
    const { signature } = await session.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, signature))
  })

  it("by another vector than it committed to is named with evidence", async () => {
    const cluster = await TestCluster.start()
    cluster.wire(1).recall = revealAnotherVector(cluster.server(1))
    const { session } = await owner(cluster)
    const { key, incidents } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(key.holders, [2, 3])
    assertProven(cluster, incidents, 1, "wrong-opening")
  })
})

describe("a server that lies where no proof exists", () => {
  it("about the commitment vector is suspected, not named, and login finishes without it", async () => {
    const cluster = await TestCluster.start()
    const { keeper } = await owner(cluster)
    await showAnotherVector(cluster.server(1), OWNER.name)
    const seen: Incident[] = []
    for (let i = 0; i < 3; i++) seen.push(...(await keeper.login(OWNER)).incidents)
    assert.ok(seen.length > 0)
    for (const { kind, server, reason, evidence } of seen) {
      assert.deepEqual([kind, server, reason, evidence], ["suspected", 1, "stale-or-lying", null])
    }
  })

  it("about its envelope is suspected, and login finishes without it", async () => {
    const cluster = await TestCluster.start()
    const { keeper } = await owner(cluster)
    await spoilEnvelope(cluster.server(1), OWNER.name)
    const seen: Incident[] = []
    for (let i = 0; i < 3; i++) seen.push(...(await keeper.login(OWNER)).incidents)
    assert.ok(seen.length > 0)
    for (const { kind, server } of seen) assert.deepEqual([kind, server], ["suspected", 1])
  })

  it("by a key it made up shows the owner nothing", async () => {
    const cluster = await TestCluster.start()
    const { session } = await owner(cluster)
    const { key } = await session.keys.create({ type: "ed25519" })
    await inventKey(cluster.server(1), session.accountId, key.certificate.public)
    for (let i = 0; i < 3; i++) {
      const { keys, unconfirmed } = await session.keys.list()
      assert.deepEqual(
        keys.map(({ keyId }) => keyId),
        [key.keyId],
      )
      assert.deepEqual(unconfirmed, [])
    }
  })

  it("by another account's key does not put it into this account's list", async () => {
    const cluster = await TestCluster.start()
    const { keeper, session } = await owner(cluster)
    const { key } = await session.keys.create({ type: "ed25519" })
    await keeper.register({ name: "bob", password: "other" })
    const bob = await keeper.login({ name: "bob", password: "other" })
    await borrowListing(cluster.server(2), bob.accountId, session.accountId, key.keyId)
    let noticed = 0
    for (let i = 0; i < 3; i++) {
      const { keys, unconfirmed } = await bob.keys.list()
      assert.deepEqual(keys, [])
      noticed += unconfirmed.length
    }
    assert.ok(noticed > 0)
  })

  it("by hiding a key hides it from nobody", async () => {
    const cluster = await TestCluster.start()
    const { session } = await owner(cluster)
    const { key } = await session.keys.create({ type: "ed25519" })
    await hideListing(cluster.server(2), session.accountId, key.keyId)
    for (let i = 0; i < 3; i++) {
      const { keys, unconfirmed } = await session.keys.list()
      assert.deepEqual(
        keys.map(({ keyId }) => keyId),
        [key.keyId],
      )
      assert.deepEqual(unconfirmed, [])
      assert.deepEqual((await session.keys.show(key.keyId)).keyId, key.keyId)
    }
  })

  it("by a login statement that is not signed is left out of the login", async () => {
    const isStatement = (message: Uint8Array) => startsWith(message, "lockkeeper/login-statement/")
    const cluster = await TestCluster.start({ spoils: (id, m) => id === 1 && isStatement(m) })
    const keeper = await cluster.connect()
    await keeper.register(OWNER)
    let noticed = 0
    for (let i = 0; i < 3; i++) {
      const session = await keeper.login(OWNER)
      noticed += session.incidents.filter(({ server }) => server === 1).length
      assert.ok(session.incidents.every(({ server }) => server === 1))
      // Its statements resume the session at every other server.
      await session.keys.create({ type: "ed25519" })
    }
    assert.ok(noticed > 0)
  })

  it("by not confirming a registration stops it, and is named in the error", async () => {
    const isOther = (message: Uint8Array) => !startsWith(message, "lockkeeper/channel/answer/")
    const cluster = await TestCluster.start({ spoils: (id, m) => id === 3 && isOther(m) })
    const keeper = await cluster.connect()
    const error = await refused(() => keeper.register(OWNER), "untrusted-server")
    assert.deepEqual([error.server, error.field], [3, "confirmations.3"])
    assert.match(error.message, /server-3/)
  })
})

function startsWith(message: Uint8Array, label: string): boolean {
  return equalBytes(message.subarray(0, label.length), utf8(label))
}

describe("one server that hangs and one that signs wrongly, of four", () => {
  it("cost an attempt, and the wrong one is named before the other has answered", async () => {
    const cluster = await TestCluster.start({ servers: 4 })
    const { session } = await owner(cluster)
    const { key } = await session.keys.create({ type: "ed25519" })
    // Commitments of all servers are at hand, so that signers are chosen before any is known to hang.
    for (let i = 0; i < 4; i++) await session.sign({ keyId: key.keyId, message: utf8("warm") })
    await signWrongly(cluster.server(3), key.keyId)
    cluster.wire(2).hangs = true
    const incidents = await untilProven(async () => {
      const signed = await session.sign({ keyId: key.keyId, message: utf8("message") })
      assert.ok(verifySignature(key.publicKey, utf8("message"), signed.signature))
      assert.deepEqual(signed.signers, [1, 4])
      return signed.incidents
    })
    assertProven(cluster, incidents, 3, "invalid-signature-share")
  })
})
