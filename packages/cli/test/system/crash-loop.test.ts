import assert from "node:assert/strict"
import { argon2Sync } from "node:crypto"
import { after, before, describe, it } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { eventCodec, requestDigest, signBody, signStepInput } from "@lockkeeper/api"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { Secret, sha512, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { frost, headerCodec, type Message } from "@lockkeeper/protocols"
import { EMPTY_FRONTIER, EMPTY_HEAD, verifyLeaves } from "@lockkeeper/transparency"
import { type Deployment, deploy } from "./deployment.ts"
import { type Stolen, steal } from "./stolen.ts"
import { type Principal, Transcript } from "./transcript.ts"

// `npm run test:long` sets 200.
const KILLS = Number(process.env["LOCKKEEPER_KILLS"] ?? 20)
const SEED = process.env["LOCKKEEPER_SEED"] ?? "crash loop"
const LANES = 4
const OWNER = { name: "ada", password: "correct horse battery staple" }

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

/** A package over commitments that were used, or lost with a process: nobody may sign it. */
function anotherPackage(
  principal: Principal,
  old: frost.SigningPackage,
  commitments: readonly Message[],
) {
  const message = utf8("another message for the same nonces")
  const body = encode(signBody, {
    keyId: old.keyId,
    path: [],
    content: { kind: "message", message },
    merkleRoot: null,
  })
  const request = principal.request("sign", [1, 2, 3], body)
  const changed = { requestDigest: requestDigest(request), attempt: 1, message, commitments }
  const signingPackage = encode(frost.signingPackageCodec, { ...old, ...changed })
  return { request, input: encode(signStepInput, { signingPackage, prepare: 0 }) }
}

const senderOf = ({ header }: Message) => decode(headerCodec, header.bytes).sender
const idOf = ({ header }: Message) => toHex(decode(headerCodec, header.bytes).sessionId)

describe(`a signing loop through which servers are killed ${KILLS} times with kill -9`, () => {
  const transcript = new Transcript()
  const restartMs: number[] = []
  const keys: KeyInfo[] = []
  /** Key ids that a server has acknowledged to hold. */
  const acknowledged = new Map<number, Set<string>>([1, 2, 3].map((id) => [id, new Set()]))
  const failures: string[] = []
  const kept = new Map<number, Bytes[]>([1, 2, 3].map((id) => [id, []]))
  let deployment: Deployment
  let signatures = 0
  let replays = 0
  let stolen: readonly Stolen[]

  before(async () => {
    await transcript.listen()
    deployment = await deploy()
    const keeper = await connect()
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    await createKey(session, "first")
    await session.logout()
    keeper.close()
    for (let round = 0; round < KILLS; round++) {
      await oneKill(round)
      if (round % 25 === 24) await collectAnswers()
    }
    await collectAnswers()
    await Promise.all(deployment.cluster.servers.map((server) => server.stop("SIGKILL")))
    stolen = await Promise.all([1, 2, 3].map((id) => steal(deployment.directory, id)))
  })
  after(() => deployment.stop())

  function connect(): Promise<LockKeeper> {
    // A client that knows nothing of the last kill, and so asks every server again.
    return deployment.connect({ dependencies: { compute: { stretch: quickStretch } } })
  }

  async function createKey(session: Session, label: string): Promise<void> {
    const { key, log } = await session.keys.create({ type: "ed25519", label })
    keys.push(key)
    for (const { server } of log) acknowledged.get(server)?.add(toHex(key.keyId))
  }

  /** Before servers drop the answers of requests that have expired. */
  async function collectAnswers(): Promise<void> {
    for (const id of [1, 2, 3]) {
      const { answers } = await steal(deployment.directory, id)
      kept.get(id)?.push(...answers.values())
    }
  }

  async function oneKill(round: number): Promise<void> {
    const victim = deployment.cluster.servers[drawn(round, "victim", 3)]
    if (victim === undefined) throw new Error("there is no such server")
    const keeper = await connect()
    const session = await keeper.login(OWNER)
    if (round % 6 === 0) await createKey(session, `held by all ${round}`)
    let over = false
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      signUntil(session, `${round}/${lane}`, () => over),
    )
    const creating =
      round % 4 === 2 ? noted(createKey(session, `key ${round}`), "create") : Promise.resolve()
    // In microseconds: somewhere within the first signatures.
    await sleep(drawn(round, "moment", 120_000) / 1000)
    await victim.stop("SIGKILL")
    assert.equal(victim.pid, null)
    const attack = oldNonces(victim.identifier)
    const started = performance.now()
    await victim.start(new AbortController().signal)
    restartMs.push(performance.now() - started)
    over = true
    await Promise.all([...lanes, creating])
    await replay(victim.identifier, attack)
    await session.logout()
    keeper.close()
  }

  async function signUntil(session: Session, name: string, isOver: () => boolean): Promise<void> {
    // A new one now and then: each session leaves unused commitments, of which a key may have 64.
    const { keyId, publicKey } = keys.findLast(({ holders }) => holders.length === 3) as KeyInfo
    for (let n = 0; ; n++) {
      const last = isOver()
      const message = utf8(`${name}/${n}`)
      await noted(
        session.sign({ keyId, message }).then(({ signature }) => {
          assert.ok(verifySignature(publicKey, message, signature))
          signatures++
        }),
        "sign",
      )
      if (last) return
    }
  }

  async function noted(work: Promise<void>, what: string): Promise<void> {
    await work.catch((error: unknown) => failures.push(`${what}: ${error}`))
  }

  /** A dead server's last package, with the commitment in it and one that it never saw used. */
  function oldNonces(server: number) {
    const packages = transcript.packagesFor(server)
    const pkg = packages.at(-1)
    const spent = new Set(packages.flatMap(({ commitments }) => commitments.map(idOf)))
    const own = pkg?.commitments.find((message) => senderOf(message) === server)
    const unused = transcript.commitmentsOf(server).findLast((message) => !spent.has(idOf(message)))
    return { pkg, commitments: [own, unused].filter((message) => message !== undefined) }
  }

  /** Asks the restarted server for a share under nonces from before its death. */
  async function replay(server: number, { pkg, commitments }: ReturnType<typeof oldNonces>) {
    const { principal } = transcript
    if (principal === null || pkg === undefined) return
    const others = pkg.commitments.filter((message) => senderOf(message) !== server)
    for (const message of commitments) {
      const all = [...others, message].sort((a, b) => senderOf(a) - senderOf(b))
      const { request, input } = anotherPackage(principal, pkg, all)
      const { signal } = new AbortController()
      await assert.rejects(principal.act(server, request, 1, input, signal), { code: "conflict" })
      replays++
    }
  }

  it("uses no nonce twice, by the stores and everything the client was answered", (t) => {
    let shares = 0
    const points = new Set<string>()
    let commitments = 0
    const publicKeys = new Map(
      keys.map(({ keyId, certificate }) => [toHex(keyId), certificate.public]),
    )
    for (const { identifier, nonceIds } of stolen) {
      const uses = transcript.sharesOf(identifier, kept.get(identifier) ?? [], publicKeys)
      for (const [nonce, made] of uses) {
        assert.equal(made.size, 1, `server ${identifier} signed one package with nonce ${nonce}`)
        assert.ok(!nonceIds.includes(nonce), "a nonce that was used is gone from the store")
      }
      shares += uses.size
      for (const { broadcast } of transcript.commitmentsOf(identifier)) {
        commitments++
        // The two points end the body of a commitment.
        points.add(toHex(broadcast.slice(-64, -32))).add(toHex(broadcast.slice(-32)))
      }
    }
    assert.equal(points.size, 2 * commitments, "no two commitments share a point")
    assert.ok(shares >= 2 * signatures && signatures > KILLS)
    assert.ok(replays >= KILLS)
    t.diagnostic(
      `${KILLS} kills, ${signatures} signatures, ${shares} shares, each of nonces of its own`,
    )
    t.diagnostic(`${replays} requests for a second share under old nonces: all refused`)
  })

  it("keeps a log that verifies and holds every step that was acknowledged", (t) => {
    let checked = 0
    let starts = 0
    for (const { identifier, entries } of stolen) {
      const last = entries.at(-1)
      const head = last ? { treeSize: last.index + 1, rootHash: last.head } : EMPTY_HEAD
      const roots = new Map(entries.map((entry) => [entry.index + 1, entry.head]))
      assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, entries, head, roots), { valid: true })
      for (const { server, log } of transcript.steps) {
        if (server !== identifier || log === null) continue
        assert.deepEqual(entries[log.index]?.head, log.head)
        checked++
      }
      const events = entries.map(({ event }) => decode(eventCodec, event))
      starts += events.filter(({ reason }) => reason === "unclean-stop").length
    }
    assert.equal(starts, KILLS, "every kill is in the log")
    t.diagnostic(`${checked} acknowledged steps found in their place`)
  })

  it("loses no key that was acknowledged, and signs with each", async (t) => {
    for (const { identifier, keys: held } of stolen) {
      const ids = new Set(held.map(({ public: { keyId } }) => toHex(keyId)))
      for (const id of acknowledged.get(identifier) ?? []) assert.ok(ids.has(id))
    }
    const { signal } = new AbortController()
    await Promise.all(deployment.cluster.servers.map((server) => server.start(signal)))
    const keeper = await connect()
    const session = await keeper.login(OWNER)
    const listed = (await session.keys.list()).keys.map(({ keyId }) => toHex(keyId))
    for (const { keyId, publicKey } of keys) {
      assert.ok(listed.includes(toHex(keyId)))
      const message = utf8("after everything")
      const { signature } = await session.sign({ keyId, message })
      assert.ok(verifySignature(publicKey, message, signature))
    }
    await session.logout()
    keeper.close()
    t.diagnostic(`${keys.length} keys made, all there and signing`)
  })

  it("goes on signing while a server is down", (t) => {
    assert.deepEqual(failures, [])
    t.diagnostic(`${signatures} signatures, 0 failures`)
  })

  it("serves again after every kill", (t) => {
    const sorted = [...restartMs].sort((a, b) => a - b)
    const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
    t.diagnostic(
      `kill -9 to serving again, ms: least ${at(0)}, p50 ${at(0.5)}, p95 ${at(0.95)}, most ${at(1)}`,
    )
    assert.equal(restartMs.length, KILLS)
  })
})
