import assert from "node:assert/strict"
import { argon2Sync } from "node:crypto"
import { after, before, describe, it } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { eventCodec } from "@lockkeeper/api"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { Secret, sha256, sha512 } from "@lockkeeper/crypto"
import { decode, toHex, utf8 } from "@lockkeeper/encoding"
import { type Deployment, deploy } from "./deployment.ts"
import { askForShare, type Presignature, sharesOf, usedPresignatures } from "./presignature-uses.ts"
import { type Stolen, steal } from "./stolen.ts"
import { type Principal, Transcript } from "./transcript.ts"

// `npm run test:long` sets 200.
const KILLS = Number(process.env["LOCKKEEPER_KILLS"] ?? 4)
const SEED = process.env["LOCKKEEPER_SEED"] ?? "presignature crashes"
const LANES = 3
const OWNER = { name: "ada", password: "correct horse battery staple" }
const SERVERS = [1, 2, 3]

/** Uniform below `bound`, the same for the same seed, round and purpose. */
function drawn(round: number, purpose: string, bound: number): number {
  const digest = sha512(utf8(`${SEED}/${round}/${purpose}`))
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0) % bound
}

/** Argon2id at next to no cost: logging in is not what is measured here. */
async function quickStretch(input: Secret): Promise<Secret> {
  const [message, nonce] = [input.expose(), new Uint8Array(16)]
  const cost = { parallelism: 1, tagLength: 64, memory: 1024, passes: 1 }
  return new Secret(new Uint8Array(argon2Sync("argon2id", { message, nonce, ...cost })))
}

describe(`ECDSA signatures and refills through which servers are killed ${KILLS} times`, () => {
  const transcript = new Transcript()
  const failures: string[] = []
  const kept = new Map<number, Stolen["answers"][]>(SERVERS.map((id) => [id, []]))
  let deployment: Deployment
  let key: KeyInfo
  let signatures = 0
  let refused = 0
  /** What servers had at their death. */
  const burnt = new Map<number, Set<string>>(SERVERS.map((id) => [id, new Set()]))

  before(async () => {
    await transcript.listen()
    deployment = await deploy()
    const keeper = await connect()
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    key = (await session.keys.create({ type: "ecdsa-secp256k1" })).key
    await session.logout()
    keeper.close()
    for (let round = 0; round < KILLS; round++) await oneKill(round)
  })
  after(() => deployment.stop())

  function connect(): Promise<LockKeeper> {
    return deployment.connect({ dependencies: { compute: { stretch: quickStretch } } })
  }

  async function oneKill(round: number): Promise<void> {
    const server = deployment.cluster.servers[drawn(round, "victim", 3)]
    if (server === undefined) throw new Error("there is no such server")
    const keeper = await connect()
    const session = await keeper.login(OWNER)
    const { keyId } = key
    await session.pools.fill({ keyId, floor: 4, cap: 4 })
    let over = false
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      signUntil(session, `${round}/${lane}`, () => over),
    )
    const refill = refillUntil(session, () => over)
    // In microseconds: somewhere within the first signatures and the first refill.
    await sleep(drawn(round, "moment", 200_000) / 1000)
    let dead: Stolen
    try {
      await server.stop("SIGKILL")
      dead = await steal(deployment.directory, server.identifier)
      await server.start(new AbortController().signal)
    } finally {
      over = true
      await Promise.all([...lanes, refill])
    }
    kept.get(server.identifier)?.push(dead.answers)
    await attack(server.identifier, dead)
    await session.logout()
    keeper.close()
  }

  async function signUntil(session: Session, name: string, isOver: () => boolean): Promise<void> {
    for (let n = 0; ; n++) {
      const last = isOver()
      const digest = sha256(utf8(`${name}/${n}`))
      const content = { kind: "message", message: digest } as const
      await noted("sign", async () => {
        await session.signDigestOf({ keyId: key.keyId, content })
        signatures++
      })
      if (last) return
    }
  }

  async function refillUntil(session: Session, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      // A batch in which the victim takes part fails: that is what is tried here.
      await session.pools.fill({ keyId: key.keyId, floor: 8, cap: 8 }).catch(() => undefined)
      await sleep(10)
    }
  }

  async function noted(what: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => failures.push(`${what}: ${error}`))
  }

  /** Asks the restarted server for shares from what it had and from what it used before its death. */
  async function attack(server: number, dead: Stolen): Promise<void> {
    const who = transcript.principal as Principal
    const unused = dead.presignatures.map(
      ({ presignatureId, record }): Presignature => ({
        id: presignatureId,
        signers: [...record.signers.keys()],
      }),
    )
    for (const { id } of unused) burnt.get(server)?.add(toHex(id))
    // What others used, and this one never did, would be its to use now.
    const used = usedPresignatures(transcript, server)
    for (const presignature of [...unused.slice(0, 4), ...used.slice(-4)]) {
      const asked = askForShare(who, key.keyId, server, presignature)
      await assert.rejects(asked, { code: "conflict", field: "input.presignature" })
      refused++
    }
  }

  it("gives shares of one signature from each presignature, by answers and stores", async (t) => {
    await Promise.all(deployment.cluster.servers.map((server) => server.stop("SIGKILL")))
    let presignatures = 0
    for (const server of SERVERS) {
      const stolen = await steal(deployment.directory, server)
      const answers = [...(kept.get(server) ?? []), stolen.answers]
      const uses = sharesOf(transcript, server, answers)
      for (const [id, shares] of uses) {
        assert.equal(shares.size, 1, `server ${server} used presignature ${id} once`)
      }
      const waiting = new Set(stolen.presignatures.map((one) => toHex(one.presignatureId)))
      for (const id of uses.keys()) assert.ok(!waiting.has(id), "what was used is gone")
      for (const id of burnt.get(server) ?? []) assert.ok(!waiting.has(id), "and what was burnt")
      presignatures += uses.size
      const reasons = stolen.entries.map(({ event }) => decode(eventCodec, event).reason)
      assert.ok(!reasons.includes("store-restored"))
    }
    assert.ok(signatures > KILLS)
    assert.ok(presignatures >= 2 * signatures)
    t.diagnostic(`${KILLS} kills, ${signatures} signatures, ${presignatures} shares`)
  })

  it("burns what a killed server had, and refuses what it used", (t) => {
    const count = [...burnt.values()].reduce((sum, { size }) => sum + size, 0)
    assert.ok(count > 0 && refused > 0)
    t.diagnostic(`${count} burnt by kills; ${refused} requests for used or burnt ones refused`)
  })

  it("goes on signing while a server is down", (t) => {
    assert.deepEqual(failures, [])
    t.diagnostic(`${signatures} signatures, 0 failures`)
  })
})
