import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { argon2Sync } from "node:crypto"
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { eventCodec } from "@lockkeeper/api"
import type { KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { Secret, sha256 } from "@lockkeeper/crypto"
import { decode, toHex, utf8 } from "@lockkeeper/encoding"
import { FILES } from "@lockkeeper/server"
import { serverDirectory } from "../../src/dev/cluster-files.ts"
import { type Deployment, deploy } from "./deployment.ts"
import {
  askForShare,
  type Presignature,
  poolAt,
  readyIn,
  usedPresignatures,
} from "./presignature-uses.ts"
import { type Stolen, steal } from "./stolen.ts"
import { type Principal, Transcript } from "./transcript.ts"

const OWNER = { name: "ada", password: "correct horse battery staple" }
const SERVERS = [1, 2, 3]
/** The one whose files are put back. */
const VICTIM = 1

/** Argon2id at next to no cost: logging in is not what is measured here. */
async function quickStretch(input: Secret): Promise<Secret> {
  const [message, nonce] = [input.expose(), new Uint8Array(16)]
  const cost = { parallelism: 1, tagLength: 64, memory: 1024, passes: 1 }
  return new Secret(new Uint8Array(argon2Sync("argon2id", { message, nonce, ...cost })))
}

function presignaturesOf({ presignatures }: Stolen): Presignature[] {
  return presignatures.map(({ presignatureId, record }) => ({
    id: presignatureId,
    signers: [...record.signers.keys()],
  }))
}

describe("presignatures of a server that was stopped", () => {
  const transcript = new Transcript()
  let deployment: Deployment
  let directory: string
  let key: KeyInfo
  let signed = 0

  before(async () => {
    await transcript.listen()
    deployment = await deploy()
    directory = serverDirectory(deployment.directory, VICTIM)
    const keeper = await connect()
    await keeper.register(OWNER)
    await keeper.close()
    key = await loggedIn(
      async (session) => (await session.keys.create({ type: "ecdsa-secp256k1" })).key,
    )
  })
  after(() => deployment.stop())

  function connect(): Promise<LockKeeper> {
    return deployment.connect({ dependencies: { compute: { stretch: quickStretch } } })
  }

  /** In sessions that know nothing of the servers' restarts. */
  async function loggedIn<T>(use: (session: Session, keeper: LockKeeper) => Promise<T>) {
    const keeper = await connect()
    const session = await keeper.login(OWNER)
    try {
      return await use(session, keeper)
    } finally {
      await session.logout()
      keeper.close()
    }
  }

  async function sign(session: Session, times: number): Promise<void> {
    for (let n = 0; n < times; n++) {
      const message = sha256(utf8(`signature ${signed++}`))
      await session.signDigestOf({ keyId: key.keyId, content: { kind: "message", message } })
    }
  }

  const fill = (session: Session) => session.pools.fill({ keyId: key.keyId, floor: 4, cap: 4 })

  const principal = () => transcript.principal as Principal

  const pools = () => Promise.all(SERVERS.map((id) => poolAt(principal(), key.keyId, id)))

  const at = (id: number) => {
    const server = deployment.cluster.servers[id - 1]
    assert.ok(server)
    return server
  }

  async function stopInOrder(id: number): Promise<void> {
    await at(id).stop("SIGTERM")
    const anchor = join(serverDirectory(deployment.directory, id), FILES.anchor)
    assert.ok(existsSync(anchor), "the stop was in order")
  }

  const begin = (id: number) => at(id).start(new AbortController().signal)

  function hasUsedSome(kept: readonly Presignature[]): boolean {
    const used = new Set(usedPresignatures(transcript, VICTIM).map(({ id }) => toHex(id)))
    return kept.some(({ id }) => used.has(toHex(id)))
  }

  /** Fills the pools, stops the victim, keeps a copy, starts it and has presignatures used. */
  async function usedSince(copy: () => void): Promise<readonly Presignature[]> {
    await loggedIn(fill)
    await stopInOrder(VICTIM)
    copy()
    const kept = presignaturesOf(await steal(deployment.directory, VICTIM))
    await begin(VICTIM)
    await loggedIn(async (session) => {
      await session.keys.list()
      assert.equal(readyIn(await poolAt(principal(), key.keyId, VICTIM)), kept.length)
      // The set that signs may be one without the victim: another is taken when it is used up.
      for (let n = 0; n < 12 && !hasUsedSome(kept); n++) await sign(session, 1)
    })
    assert.ok(hasUsedSome(kept))
    return kept
  }

  /** The victim runs over what was put back: nothing of `kept`, used or not, is of use with it. */
  async function assertUseless(kept: readonly Presignature[], restored: boolean): Promise<void> {
    await loggedIn(async (session, keeper) => {
      await session.keys.list()
      const used = usedPresignatures(transcript, VICTIM)
      assert.equal(readyIn(await poolAt(principal(), key.keyId, VICTIM)), 0)
      for (const presignature of [...kept, ...used.slice(-4)]) {
        const asked = askForShare(principal(), key.keyId, VICTIM, presignature)
        await assert.rejects(asked, { code: "conflict", field: "input.presignature" })
      }
      const health = await keeper.health()
      const told = health.map(({ status }) => status?.storeRestored)
      assert.deepEqual(told, [restored, false, false])
      await sign(session, 2)
    })
  }

  async function reasonsLogged(): Promise<readonly string[]> {
    const { entries } = await steal(deployment.directory, VICTIM)
    return entries.map(({ event }) => decode(eventCodec, event).reason)
  }

  it("are there after an orderly stop, and sign without new ones", async () => {
    await loggedIn(fill)
    const full = await loggedIn(async (session) => {
      await session.keys.list()
      return pools()
    })
    assert.ok(full.every((status) => readyIn(status) > 0))
    await Promise.all(SERVERS.map(stopInOrder))
    await Promise.all(SERVERS.map(begin))
    const before = transcript.steps.length
    await loggedIn(async (session) => {
      await session.keys.list()
      assert.deepEqual(
        (await pools()).map(({ sets }) => sets),
        full.map(({ sets }) => sets),
      )
      await sign(session, 1)
    })
    const asked = transcript.steps.slice(before).map(({ operation }) => operation)
    assert.ok(asked.includes("ecdsa.sign") && !asked.includes("presign"))
  })

  it("are useless once its database was put back under the anchor of a later stop", async () => {
    const [database, copy] = [join(directory, FILES.database), `${directory}.database`]
    const kept = await usedSince(() => copyFileSync(database, copy))
    await stopInOrder(VICTIM)
    copyFileSync(copy, database)
    await begin(VICTIM)
    await assertUseless(kept, true)
    assert.ok((await reasonsLogged()).includes("store-restored"))
  })

  it("are useless once its whole directory was put back, anchor and all", async () => {
    const copy = `${directory}.copy`
    const copyAll = (from: string, to: string) => execFileSync("cp", ["-a", from, to])
    const kept = await usedSince(() => copyAll(directory, copy))
    await stopInOrder(VICTIM)
    const anchor = readFileSync(join(copy, FILES.anchor))
    rmSync(directory, { recursive: true })
    copyAll(copy, directory)
    assert.deepEqual(readFileSync(join(directory, FILES.anchor)), anchor)
    await begin(VICTIM)
    await assertUseless(kept, true)
    rmSync(copy, { recursive: true })
  })

  it("are useless once it was killed and its database put back", async () => {
    const [database, copy] = [join(directory, FILES.database), `${directory}.database`]
    const kept = await usedSince(() => copyFileSync(database, copy))
    await at(VICTIM).stop("SIGKILL")
    for (const suffix of ["-wal", "-shm"]) rmSync(database + suffix, { force: true })
    copyFileSync(copy, database)
    await begin(VICTIM)
    await assertUseless(kept, false)
    rmSync(copy)
  })
})
