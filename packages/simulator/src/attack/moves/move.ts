import {
  LAST_ACCOUNT_ID,
  leaveReshareBody,
  leaveReshareInput,
  RESHARE_STEPS,
  type ReshareBody,
  type Roster,
  reshareBody,
  reshareDescribeInput,
  reshareOpenInput,
  reshareOpenOutput,
  reshareStepInput,
  type SealedRecords,
  type SharingKind,
  sealedRecordsCodec,
  transitionFrom,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { compareBytes, decode, encode } from "@lockkeeper/encoding"
import { type Message, messageCodec, reshare, type sharing } from "@lockkeeper/protocols"
import { SimulatedDisk } from "../../world/disk.ts"
import { ask, type Call } from "./operator.ts"
import {
  after,
  connect,
  copyOf,
  type Followed,
  firstRoster,
  followedBy,
  memberFor,
  type Running,
  START_MS,
  start,
} from "./servers.ts"
import { sharingsAt } from "./state.ts"

/** Two of 1, 2, 3 hold what two of 2, 3, 4 are to hold: server 1 leaves, and server 4 joins. */
export const LEAVER: Identifier = 1
export const JOINER: Identifier = 4
export const STAYING: readonly Identifier[] = [2, 3]
export const OLD: readonly Identifier[] = [1, 2, 3]
const HOLDERS: readonly Identifier[] = [2, 3, 4]
const DEALERS: readonly Identifier[] = [1, 2]
export const MIN_SIGNERS = 2

const NAMES = ["alice", "bob"] as const

/** A call that was answered, with the server as it was before it. */
export interface Recorded {
  readonly at: Running
  readonly call: Call
}

/** A move as it goes when everyone keeps to it, with every call that attacks change. */
export interface Move {
  readonly kind: SharingKind
  readonly followed: Followed
  readonly now: number
  readonly params: reshare.ReshareParams
  readonly keys: readonly reshare.ReshareKey[]
  readonly range: ReshareBody["range"]
  /** The joiner's, to which others seal. */
  readonly opening: Message
  readonly records: readonly SealedRecords[]
  readonly certificate: reshare.BatchCertificate
  readonly certificates: readonly reshare.ReshareCertificate[]
  /** What each server was asked, by step, before it was. */
  readonly calls: ReadonlyMap<string, Recorded>
  /** Servers as they are when everything is done. */
  readonly end: ReadonlyMap<Identifier, Running>
}

export function callOf({ calls }: Move, step: string, server: Identifier): Recorded {
  const found = calls.get(`${step}/${server}`)
  if (found === undefined) throw new Error(`server ${server} was not asked for ${step}`)
  return found
}

/** Two owners with two keys each at three servers. */
export interface Settled {
  readonly followed: Followed
  readonly disks: ReadonlyMap<Identifier, SimulatedDisk>
}

export async function settled(): Promise<Settled> {
  const followed = followedBy(null, firstRoster(MIN_SIGNERS, OLD))
  const running = new Map<Identifier, Running>()
  for (const id of OLD) {
    const at = { now: START_MS, what: "first process" }
    running.set(id, await start(followed, id, new SimulatedDisk(), at))
  }
  const keeper = await connect(followed, running)
  for (const [i, name] of NAMES.entries()) {
    const credentials = { name, password: `correct horse ${i}` }
    await keeper.register(credentials)
    const session = await keeper.login(credentials)
    const { key } = await session.keys.create({ type: "ed25519", label: `${name}'s first` })
    await session.keys.derive(key.keyId, [i, 7])
    await session.keys.create({ type: "bip340", label: `${name}'s second` })
    await session.logout()
  }
  keeper.close()
  await guessed(followed, running)
  return { followed, disks: new Map([...running].map(([id, { disk }]) => [id, disk])) }
}

/** Of guesses that were taken those who join are told too: at each server as many. */
async function guessed(
  followed: Followed,
  running: ReadonlyMap<Identifier, Running>,
): Promise<void> {
  for (const down of OLD) {
    const up = new Map([...running].filter(([id]) => id !== down))
    const keeper = await connect(followed, up)
    for (const name of [...NAMES, "nobody"]) {
      await keeper.login({ name, password: "a guess" }).catch(() => undefined)
    }
    keeper.close()
  }
}

function inTransition(before: Followed): Roster {
  const { roster } = before
  return {
    ...{ ...roster, ...after(before), members: [...roster.members, memberFor(JOINER)] },
    ...{ createdAt: START_MS + 1, transition: transitionFrom(roster, MIN_SIGNERS, [LEAVER]) },
  }
}

export interface MoveOptions {
  readonly kind: SharingKind
  /** When it begins, after the roster: another one makes another run. */
  readonly afterMs: number
  /** How many of the sharings, from the last. */
  readonly most: number
}

/** Moves sharings of one kind, and keeps all that was asked. */
export async function carryOut(
  { followed: before, disks }: Settled,
  { kind, afterMs, most }: MoveOptions,
): Promise<Move> {
  const followed = followedBy(before, inTransition(before))
  const now = START_MS + afterMs
  const running = new Map<Identifier, Running>()
  for (const id of [...OLD, JOINER]) {
    const disk = new SimulatedDisk()
    const left = disks.get(id)
    if (left !== undefined) disk.restore(left.snapshot())
    running.set(id, await start(followed, id, disk, { now, what: `process ${kind} ${afterMs}` }))
  }
  const run = await Run.begin({ kind, followed, running, now, most })
  return run.toItsEnd()
}

interface Begun {
  readonly kind: SharingKind
  readonly followed: Followed
  readonly running: ReadonlyMap<Identifier, Running>
  readonly now: number
  readonly most: number
}

/** A coordinator that keeps what it asks. */
class Run {
  readonly #of: Begun
  readonly #params: reshare.ReshareParams
  readonly #keys: readonly reshare.ReshareKey[]
  readonly #range: ReshareBody["range"]
  readonly #calls = new Map<string, Recorded>()
  #opening: Message | null = null
  #records: readonly SealedRecords[] = []
  #waiting: reshare.ReshareWaiting | null = null

  private constructor(of: Begun, sharings: readonly sharing.Sharing[]) {
    const { kind, followed, now, most } = of
    this.#of = of
    this.#keys = sharings
      .slice(-most)
      .map((one) => ({ sharing: one, toKeyEpoch: one.keyEpoch + 1 }))
    const attempt = Math.floor(now / 1000)
    this.#params = {
      ...{ kind: "reshare", dealers: DEALERS, holders: HOLDERS, minSigners: MIN_SIGNERS },
      ...{ rosterEpoch: followed.roster.rosterEpoch, attempt },
      groups: this.#keys.map((key) => key.sharing.group),
      keys: reshare.keysRoot(this.#keys),
    }
    const whole = { after: null, to: LAST_ACCOUNT_ID, generation: attempt }
    this.#range = kind === "accounts" ? whole : null
  }

  static async begin(of: Begun): Promise<Run> {
    const [first] = OLD
    const at = of.running.get(first as Identifier) as Running
    const listed = await sharingsAt(at, of.kind)
    const sorted = [...listed].sort((a, b) => compareBytes(a.sharing.id, b.sharing.id))
    return new Run(
      of,
      sorted.map((one) => one.sharing),
    )
  }

  async toItsEnd(): Promise<Move> {
    const { kind, followed, now, running } = this.#of
    const verifyKeys = new Map(followed.roster.members.map((m) => [m.identifier, m.identityKey]))
    let task = reshare.reshareCoordinate(this.#params, this.#keys, verifyKeys, [])
    while (task.kind === "ask") {
      const { step, deliveries, waiting } = task
      if (step === "verdict") this.#waiting = waiting
      const responses: reshare.ReshareResponse[] = []
      for (const [from, delivery] of deliveries) {
        responses.push({ from, message: await this.#step(from, step, delivery) })
      }
      task = reshare.reshareAdvance(waiting, responses)
    }
    if (task.kind !== "confirmed" || this.#waiting === null || this.#opening === null) {
      throw new Error("an honest move was not confirmed")
    }
    const { certificate } = task
    const found = reshare.certificatesFor(this.#waiting, certificate)
    if (!found.ok) throw new Error("an honest move has no certificates")
    const certified = encode(reshare.batchCertificateCodec, certificate)
    for (const id of [JOINER, ...STAYING]) {
      await this.#ask("activate", id, this.#reshare("activate", certified))
    }
    await this.#ask("leave", LEAVER, this.#leave(found.value))
    return {
      ...{ kind, followed, now, params: this.#params, keys: this.#keys, range: this.#range },
      ...{ opening: this.#opening, records: this.#records },
      ...{ certificate, certificates: found.value, calls: this.#calls, end: running },
    }
  }

  async #step(from: Identifier, step: reshare.ReshareStep, delivery: reshare.Delivery) {
    if (step === "open") {
      const input = encode(reshareOpenInput, { keys: this.#keys })
      const output = await this.#ask(step, from, this.#reshare(step, input))
      const opened = decode(reshareOpenOutput, output)
      if (opened.kind !== "message") throw new Error("an honest batch is unfit")
      const message = decode(messageCodec, opened.message)
      if (from === JOINER) this.#opening = message
      return message
    }
    const isTold = step === "verdict" && from === JOINER
    if (isTold) this.#records = await this.#tellings()
    const records = isTold ? this.#records : []
    const [messages, opens] = [delivery.messages, delivery.opens].map((all) =>
      all.map((one) => encode(messageCodec, one)),
    )
    const input = encode(reshareStepInput, {
      messages: messages ?? [],
      opens: opens ?? [],
      records,
    })
    return decode(messageCodec, await this.#ask(step, from, this.#reshare(step, input)))
  }

  async #tellings(): Promise<readonly SealedRecords[]> {
    const told: SealedRecords[] = []
    for (const teller of OLD) {
      const input = encode(reshareDescribeInput, {
        ...{ keys: this.#keys, member: JOINER },
        opening: encode(messageCodec, this.#opening as Message),
      })
      const output = await this.#ask("describe", teller, this.#reshare("describe", input))
      told.push(decode(sealedRecordsCodec, output))
    }
    return told
  }

  #reshare(step: keyof typeof RESHARE_STEPS, input: Call["input"]): Call {
    const { kind, running } = this.#of
    const body = encode(reshareBody, { kind, params: this.#params, range: this.#range })
    const servers = [...running.keys()]
    return { operation: "reshare", servers, body, step: RESHARE_STEPS[step], input }
  }

  #leave(certificates: readonly reshare.ReshareCertificate[]): Call {
    const run = reshare.openingDigest(this.#params)
    const body = encode(leaveReshareBody, { kind: this.#of.kind, range: this.#range, run })
    const input = encode(leaveReshareInput, { certificates })
    return {
      operation: "reshare.leave",
      servers: [...this.#of.running.keys()],
      body,
      step: 1,
      input,
    }
  }

  async #ask(step: string, server: Identifier, call: Call) {
    const at = this.#of.running.get(server) as Running
    this.#calls.set(`${step}/${server}`, { at: { ...at, disk: copyOf(at) }, call })
    return ask(at, call)
  }
}
