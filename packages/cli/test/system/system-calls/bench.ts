import { argon2Sync } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { type KeyType, LockKeeperError, type Member } from "@lockkeeper/api"
import type { Incident, KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { Secret } from "@lockkeeper/crypto"
import { decode, toHex } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { FILES } from "@lockkeeper/server"
import type { ServerProcess } from "../../../src/dev/server-process.ts"
import { type Deployment, deploy, withUnsealed } from "../deployment.ts"
import { Transcript } from "../transcript.ts"
import { Witness } from "./witness.ts"

export const OWNER = { name: "ada", password: "correct horse battery staple" }

/** The server whose system calls are failed. */
export const VICTIM = 1
/** The one that takes part with it where two do. */
const PARTNER = 2
const THIRD = 3

/** As many pages in the write-ahead log as make the next commit write them to the database. */
const PAGES_TO_CHECKPOINT = 1_000

/** Argon2id at next to no cost: passwords are not what is tried here. */
async function quickStretch(input: Secret): Promise<Secret> {
  const [message, nonce] = [input.expose(), new Uint8Array(16)]
  const cost = { parallelism: 1, tagLength: 64, memory: 1024, passes: 1 }
  return new Secret(new Uint8Array(argon2Sync("argon2id", { message, nonce, ...cost })))
}

interface Link {
  close(): void
}
interface Platform {
  platformDependencies(options: { ca: string }): { network: { connect(member: Member): Link } }
}
const platform = new URL("./platform/node.ts", import.meta.resolve("@lockkeeper/client")).href
const { platformDependencies } = (await import(platform)) as Platform

interface Connection {
  pragma(source: string): void
  prepare(sql: string): { run(): void }
  close(): void
}
const fromServer = createRequire(fileURLToPath(import.meta.resolve("@lockkeeper/server")))
const Database = fromServer("better-sqlite3") as new (path: string) => Connection

/** A client from which some servers cannot be reached. */
export interface Client {
  readonly keeper: LockKeeper
  readonly session: Session
  /** Servers that it cannot reach, from now on. */
  readonly cut: Set<number>
  end(): Promise<void>
}

/** Three servers as processes of their own, an account with a key, and all that they were told. */
export class Bench {
  readonly witness = new Witness()
  readonly transcript = new Transcript()
  /** The first signs by FROST, the second by ECDSA. */
  readonly keys: KeyInfo[] = []
  /** In hexadecimal: those that the victim has said it holds. */
  readonly acknowledgedKeys = new Set<string>()
  readonly incidents: Incident[] = []
  #deployment: Deployment | null = null
  #starting: Promise<void> = Promise.resolve()

  async start(): Promise<void> {
    await this.witness.listen()
    await this.transcript.listen()
    this.#deployment = await deploy()
    const keeper = await this.connect(new Set())
    await keeper.register(OWNER)
    keeper.close()
    const client = await this.login([])
    await this.createKey(client.session, "first")
    await this.createKey(client.session, "second", "ecdsa-secp256k1")
    await client.end()
  }

  async stop(): Promise<void> {
    await this.#deployment?.stop()
  }

  get deployment(): Deployment {
    if (this.#deployment === null) throw new Error("nothing was deployed")
    return this.#deployment
  }

  get victim(): ServerProcess {
    return this.deployment.cluster.servers[VICTIM - 1] as ServerProcess
  }

  get partners(): readonly number[] {
    return [VICTIM, PARTNER]
  }

  /** The files of the victim that have to outlast it, and the directory that names them. */
  get durableFiles(): readonly string[] {
    const { directory } = this.victim
    const database = join(directory, FILES.database)
    const anchor = join(directory, FILES.anchor)
    return [directory, database, `${database}-wal`, `${database}-journal`, anchor, `${anchor}.new`]
  }

  connect(cut: ReadonlySet<number>): Promise<LockKeeper> {
    const ca = readFileSync(this.deployment.cluster.ca, "utf8")
    const { network } = platformDependencies({ ca })
    const dependencies = {
      compute: { stretch: quickStretch },
      network: { connect: (member: Member) => cuttable(network.connect(member), member, cut) },
    }
    const onIncident = (incident: Incident) => this.incidents.push(incident)
    return this.deployment.connect({ dependencies: dependencies as never, onIncident })
  }

  async login(cutOff: readonly number[]): Promise<Client> {
    const cut = new Set(cutOff)
    const keeper = await this.connect(cut)
    try {
      const session = await keeper.login(OWNER)
      const end = async () => {
        await session.logout()
        keeper.close()
      }
      return { keeper, session, cut, end }
    } catch (error) {
      keeper.close()
      throw error
    }
  }

  /** A login in which the victim must take part, as only one other server can be reached. */
  loginOfTwo(): Promise<Client> {
    return this.login([THIRD])
  }

  async createKey(session: Session, label: string, type: KeyType = "ed25519"): Promise<void> {
    const { key, log } = await session.keys.create({ type, label })
    this.keys.push(key)
    if (log.some(({ server }) => server === VICTIM)) this.acknowledgedKeys.add(toHex(key.keyId))
  }

  /** Stops the servers that no fault is made at, in order, and starts them again. */
  async restartOthers(): Promise<void> {
    for (const server of [PARTNER, THIRD]) {
      const other = this.deployment.cluster.servers[server - 1] as ServerProcess
      await other.stop("SIGTERM")
      await other.start(new AbortController().signal)
    }
  }

  /** Starts the victim, whose process is there at once. */
  beginStart(): void {
    this.#starting = this.victim.start(new AbortController().signal)
    this.#starting.catch(() => undefined)
  }

  started(): Promise<void> {
    return this.#starting
  }

  /** Starts the victim where it has stopped. */
  async running(): Promise<void> {
    if (this.victim.pid === null) await this.victim.start(new AbortController().signal)
  }

  /** After its death, if it died: the news of that comes later than that of its connections. */
  async settled(): Promise<void> {
    const { pid } = this.victim
    for (let tries = 0; pid !== null && isDying(pid) && tries < 500; tries++) await sleep(10)
    if (pid === null || existsSync(`/proc/${pid}`)) return
    while (this.victim.pid !== null) await sleep(1)
  }

  /** Makes the victim's next commit carry its write-ahead log over into the database. */
  fillWriteAheadLog(): void {
    const connection = new Database(join(this.victim.directory, FILES.database))
    connection.pragma("wal_autocheckpoint = 0")
    connection.pragma("synchronous = OFF")
    const row = `("table", id, version, value) VALUES ('padding', '', 1, x'')`
    const put = connection.prepare(`INSERT INTO records ${row}`)
    const take = connection.prepare("DELETE FROM records WHERE \"table\" = 'padding'")
    for (let page = 0; page < PAGES_TO_CHECKPOINT; page++) (page % 2 === 0 ? put : take).run()
    connection.close()
  }

  /** What the victim's database counts as guesses at the account. */
  guessesTaken(): Promise<number> {
    const id = toHex(opaque.accountIdOf(OWNER.name))
    return withUnsealed(this.deployment.directory, VICTIM, async ({ store }) => {
      const row = await store.read("guesses", id)
      return row === null ? 0 : decode(opaque.guessCounterCodec, row.value).taken
    })
  }
}

/** Whether it is gone or about to be: without memory, or waited for by its parent. */
function isDying(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

function cuttable<L extends Link>(link: L, member: Member, cut: ReadonlySet<number>): L {
  const { identifier: server } = member
  return new Proxy(link, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== "function" || name === "close") return value
      return async (...parts: readonly unknown[]) => {
        if (!cut.has(server)) return value.apply(target, parts)
        throw new LockKeeperError("unavailable", "The way to it is cut off.", { server })
      }
    },
  })
}
