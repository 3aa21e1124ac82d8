import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import { type Incident, verifyEvidenceFile } from "@lockkeeper/client"
import { SUITE } from "@lockkeeper/protocols"
import {
  breakEveryPair,
  breakPair,
  forgetPair,
  onDeadPair,
  signWrongly,
  spoilPresignatures,
} from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { type EcdsaOwner, ecdsaOwner, signText } from "./owners.ts"

describe("a server that cheats in ECDSA", () => {
  let cluster: TestCluster
  let owner: EcdsaOwner
  /** The preferred signer set: one cheats, the other does not. */
  let cheat: number
  let honest: number

  beforeEach(async () => {
    cluster = await TestCluster.start()
    owner = await ecdsaOwner(cluster)
    const { sets } = await owner.session.pools.status(owner.key.keyId)
    const [first, second] = sets[0]!.signers
    cheat = second as number
    honest = first as number
  })

  /** A file that holds offline, for this roster only, and not when it is altered. */
  function verdictOn(incident: Incident | undefined) {
    const file = incident?.evidence as Uint8Array
    const verdict = verifyEvidenceFile(file, cluster.signedRoster)
    assert.ok(verdict.valid, JSON.stringify(verdict))
    for (const at of [file.length >> 2, file.length >> 1, file.length - 1]) {
      const altered = file.slice()
      altered[at] = (altered[at] as number) ^ 1
      assert.equal(verifyEvidenceFile(altered, cluster.signedRoster).valid, false, `byte ${at}`)
    }
    return verdict
  }

  function assertProven(incidents: readonly Incident[], reason: string): void {
    assert.deepEqual(
      incidents.map(({ kind, server }) => [kind, server]).filter(([kind]) => kind !== "refused"),
      [["proven", cheat]],
    )
    const verdict = verdictOn(incidents.find(({ kind }) => kind === "proven"))
    assert.deepEqual([verdict.culprit, verdict.pair, verdict.reason], [cheat, null, reason])
  }

  it("by a wrong share of the key in presigning is named, and another set signs", async () => {
    await signWrongly(cluster.server(cheat), owner.key.keyId)
    const signed = await signText(owner, "without it")
    assert.equal(signed.signers.includes(cheat), false)
    assertProven(signed.incidents, "wrong-key-share")
    // From then on the session leaves it out: pools are filled of other sets, and nothing is noticed.
    const { incidents, sets } = await owner.session.pools.fill({
      ...{ keyId: owner.key.keyId, floor: 2, cap: 2 },
    })
    assert.ok(sets.some(({ signers, ready }) => ready >= 2 && !signers.includes(cheat)))
    assert.deepEqual(incidents, [])
  })

  it("by a wrong online share is named, and another set signs", async () => {
    await owner.session.pools.fill({ keyId: owner.key.keyId, floor: 2, cap: 2 })
    spoilPresignatures(cluster.server(cheat))
    const signed = await signText(owner, "without it")
    assert.equal(signed.signers.includes(cheat), false)
    assertProven(signed.incidents, "invalid-partial-signature")
  })

  it("by a nonce it did not sign is suspected, and those who refuse it are not", async () => {
    const spoiling = { on: false }
    cluster = await TestCluster.start({
      spoils: (id, message) => spoiling.on && id === 2 && isNonce(message),
    })
    owner = await ecdsaOwner(cluster)
    spoiling.on = true
    const signed = []
    for (const set of [
      [1, 2],
      [2, 3],
    ]) {
      const plan = { keyId: owner.key.keyId, floor: 1, cap: 1, sets: [set] }
      await owner.session.pools.fill(plan)
      signed.push(await signText(owner, `with ${set}`))
    }
    const incidents = signed.flatMap((one) => one.incidents)
    assert.ok(
      incidents.some(({ kind, reason }) => kind === "suspected" && reason === "wrong-nonces"),
    )
    for (const { server } of incidents) assert.equal(server, 2)
    for (const { signers } of signed) assert.deepEqual(signers, [1, 3])
  })

  it("by breaking a transfer is disputed as one of a pair, which no set holds any more", async () => {
    await breakPair(cluster.server(cheat), honest)
    const signed = await signText(owner, "without the pair")
    assert.deepEqual(signed.signers.includes(cheat) && signed.signers.includes(honest), false)
    const pair = [cheat, honest].sort((a, b) => a - b)
    assert.deepEqual(
      signed.incidents.map(({ kind }) => kind),
      ["disputed"],
    )
    const [incident] = signed.incidents
    assert.deepEqual(
      [...(incident?.pair ?? [])].sort((a, b) => a - b),
      pair,
    )
    assert.match(incident?.name ?? "", /^server-\d or server-\d$/)
    const verdict = verdictOn(incident)
    assert.equal(verdict.culprit, null)
    assert.deepEqual(
      verdict.pair?.map(({ server }) => server).sort((a, b) => a - b),
      pair,
    )
    const { pairs, sets } = await owner.session.pools.status(owner.key.keyId)
    const dead = pairs.filter(({ state }) => state === "dead").map(({ servers }) => [...servers])
    assert.deepEqual(dead, [pair])
    for (const { signers } of sets) assert.notDeepEqual([...signers], pair)
    assert.deepEqual((await signText(owner, "again")).incidents, [])
  })

  for (const missing of [false, true]) {
    it(`by breaking every transfer loses its pairs, ${missing ? "new" : "old"}, and its accusers sign`, async () => {
      const third = [1, 2, 3].find((id) => id !== cheat && id !== honest) as number
      for (const peer of missing ? [honest, third] : []) {
        await forgetPair(cluster.server(cheat), peer)
      }
      breakEveryPair(cluster.server(cheat))
      const signed = await signText(owner, "without any of its pairs")
      const accusers = [honest, third].sort((a, b) => a - b)
      assert.deepEqual(signed.signers, accusers)
      const disputed = signed.incidents.filter(({ kind }) => kind === "disputed")
      assert.ok(disputed.length > 0)
      for (const { pair } of disputed) assert.ok(pair?.includes(cheat))
      const again = await signText(owner, "again")
      assert.deepEqual([again.signers, again.incidents], [accusers, []])
    })
  }

  it("by breaking a new pair is left out also when it is gone once it is accused", async () => {
    const third = [1, 2, 3].find((id) => id !== cheat && id !== honest) as number
    await forgetPair(cluster.server(cheat), honest)
    breakEveryPair(cluster.server(cheat))
    onDeadPair(cluster.server(honest), () => {
      cluster.wire(cheat).down = true
    })
    const signed = await signText(owner, "without it")
    assert.deepEqual(
      signed.signers,
      [honest, third].sort((a, b) => a - b),
    )
    assert.deepEqual([...new Set(signed.incidents.map(({ server }) => server))], [cheat])
  })
})

describe("one server that hangs, one that cheats and one that is at odds with a third, of five", () => {
  it("cost sets, and three honest servers sign", async () => {
    const cluster = await TestCluster.start({ servers: 5, minSigners: 2 })
    const owner = await ecdsaOwner(cluster)
    const { keyId } = owner.key
    const { sets } = await owner.session.pools.status(keyId)
    const [first, second] = sets[0]!.signers as [number, number]
    const [third, fourth, fifth] = [1, 2, 3, 4, 5].filter((id) => id !== first && id !== second)
    cluster.wire(first).hangs = true
    await signWrongly(cluster.server(second), keyId)
    await breakPair(cluster.server(third as number), fourth as number)
    const signed = await signText(owner, "by whoever is left")
    assert.ok(signed.signers.includes(fifth as number))
    const seen = signed.incidents.map(({ kind, server }) => `${kind} ${server}`)
    assert.ok(seen.includes(`unresponsive ${first}`))
    for (const incident of seen)
      assert.doesNotMatch(incident, new RegExp(`(proven|suspected) ${fifth}`))
  })
})

describe("two servers that break every transfer, of five of which three sign", () => {
  let owner: EcdsaOwner
  let honest: readonly number[]

  beforeEach(async () => {
    const cluster = await TestCluster.start({ servers: 5, minSigners: 3 })
    owner = await ecdsaOwner(cluster)
    const { sets } = await owner.session.pools.status(owner.key.keyId)
    const cheats = sets[0]!.signers.slice(0, 2)
    for (const cheat of cheats) breakEveryPair(cluster.server(cheat))
    honest = [1, 2, 3, 4, 5].filter((id) => !cheats.includes(id))
  })

  it("cost sets, and the honest ones sign", async () => {
    const { signers } = await signText(owner, "without both")
    assert.deepEqual(signers, honest)
  })

  it("leave no set of those in use, and another one is filled", async () => {
    const { sets } = await owner.session.pools.fill({
      ...{ keyId: owner.key.keyId, floor: 1, cap: 1 },
    })
    const filled = sets.filter(({ ready }) => ready > 0)
    assert.deepEqual(
      filled.map(({ signers }) => signers),
      [honest],
    )
  })
})

/** Whether these are the bytes that a server signs for a nonce: protocol dkls, step 6. */
function isNonce(message: Uint8Array): boolean {
  const at = Buffer.from(message).indexOf(SUITE)
  return at >= 0 && message[at + SUITE.length] === 6 && message[at + SUITE.length + 1] === 6
}
