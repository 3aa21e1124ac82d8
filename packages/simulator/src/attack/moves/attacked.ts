import { LockKeeperError, reshareStepInput, type SealedRecords } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { type AbortReason, opaque } from "@lockkeeper/protocols"
import type { Ended, Verdicts } from "../harness.ts"
import { callOf, type Move, OLD } from "./move.ts"
import { ask, type Call } from "./operator.ts"
import { copyOf, type Running, start } from "./servers.ts"
import { differences, isSame, type State, standingOf, stateOf } from "./state.ts"

// How an altered call ends: who was asked refuses it and nothing has changed, so that what it should have
// been asked for goes on; or it does what it should have done.

interface Asked {
  /** Null where it was refused. */
  readonly output: Bytes | null
  readonly error: LockKeeperError | null
}

async function tried(at: Running, call: Call): Promise<Asked> {
  try {
    return { output: await ask(at, call), error: null }
  } catch (error) {
    if (!(error instanceof LockKeeperError) || error.code === "internal") throw error
    return { output: null, error }
  }
}

const ABORTED = /^The protocol aborted: ([a-z-]+); (?:server ([\d, ]+) is|nobody is)/

/** What a refusal says, as the suite judges it. */
function saidOf(error: LockKeeperError): Pick<Verdicts, "aborts"> & { refused: readonly string[] } {
  const refused = [`${error.code} ${error.field}`.trim()]
  const [, reason, culprits] = ABORTED.exec(error.message) ?? []
  if (reason === undefined) return { aborts: [], refused }
  const named = culprits === undefined ? [] : culprits.split(", ").map(Number)
  const abort: Ended = {
    ...{ reason: reason as AbortReason, culprits: named, pair: null, evidence: [] },
  }
  return { aborts: [abort], refused }
}

/** The server as it was before it was asked for a step. */
export async function before(move: Move, step: string, server: Identifier): Promise<Running> {
  const { at } = callOf(move, step, server)
  return start(move.followed, server, copyOf(at), { now: move.now, what: `attacked at ${step}` })
}

const right = new WeakMap<Move, Map<string, Promise<State>>>()

/** What a server comes to by a step as it should be. */
export function rightState(move: Move, step: string, server: Identifier): Promise<State> {
  const known = right.get(move) ?? new Map<string, Promise<State>>()
  right.set(move, known)
  const name = `${step}/${server}`
  const found = known.get(name) ?? reached(move, step, server)
  known.set(name, found)
  return found
}

async function reached(move: Move, step: string, server: Identifier): Promise<State> {
  const at = await before(move, step, server)
  await ask(at, callOf(move, step, server).call)
  return stateOf(at)
}

const joined = new WeakMap<Move, Promise<readonly State[]>>()

/** What a joiner comes to, whichever holder's record of each account it takes: all are as good. */
function rightStates(move: Move, joiner: Identifier): Promise<readonly State[]> {
  const found = joined.get(move) ?? Promise.all([reached(move, "activate", joiner), toldByOthers()])
  joined.set(move, found)
  return found

  async function toldByOthers(): Promise<State> {
    const at = await before(move, "verdict", joiner)
    await ask(at, withRecords(move, joiner, move.records.slice(1)))
    await ask(at, callOf(move, "activate", joiner).call)
    return stateOf(at)
  }
}

/** The joiner's verdict with these tellings. */
export function withRecords(
  move: Move,
  joiner: Identifier,
  records: readonly SealedRecords[],
): Call {
  const { call } = callOf(move, "verdict", joiner)
  const input = encode(reshareStepInput, { ...decode(reshareStepInput, call.input), records })
  return { ...call, input }
}

function verdicts(
  { followed }: Move,
  { aborts, refused }: Pick<Verdicts, "aborts" | "refused">,
  accepted: readonly string[],
): Verdicts {
  const verifyKeys = new Map(followed.roster.members.map((m) => [m.identifier, m.identityKey]))
  const finished = (refused ?? []).length === 0
  return { verifyKeys, aborts, finished, accepted, ...(refused && { refused }) }
}

const NOTHING = { aborts: [], refused: [] }

/** Asks for something else than the step, of a server as it was before it. */
export async function askedOtherwise(
  move: Move,
  step: string,
  server: Identifier,
  call: Call,
): Promise<Verdicts> {
  const at = await before(move, step, server)
  const was = await stateOf(at)
  const { error } = await tried(at, call)
  const is = await stateOf(at)
  const should = await rightState(move, step, server)
  const said = error === null ? NOTHING : saidOf(error)
  const changed = differences(was, is)
  if (error !== null && changed.length > 0) {
    return verdicts(move, said, [`refused, and changed ${changed}`])
  }
  const wrong = namesFit({ was, is, should })
    ? halfDone(move, changed, differences(should, is)).filter((name) => name !== NAMES)
    : halfDone(move, changed, differences(should, is))
  if (wrong.length > 0) return verdicts(move, said, [`made ${wrong}`])
  // Whatever it was, what should have been asked for comes to what it should.
  const honest = await tried(at, callOf(move, step, server).call)
  const late = differences(should, await stateOf(at))
  const spoilt = honest.error === null && late.length === 0 ? [] : [`spoilt ${late}`]
  return verdicts(move, said, spoilt)
}

/**
 * What is neither as it was nor as it should be. Keys are each by itself; accounts and the names between
 * change together or not at all.
 */
function halfDone(
  { kind }: Move,
  changed: readonly string[],
  undone: readonly string[],
): readonly string[] {
  const isTogether = (name: string) => /^(accounts|guesses|generations)\//.test(name)
  const isHalf = kind === "accounts" && changed.some(isTogether)
  return undone.filter((name) => changed.includes(name) || (isHalf && isTogether(name)))
}

const NAMES = "meta/unknown-names"

interface Change {
  readonly was: State
  readonly is: State
  readonly should: State
}

/** Whether names have gone where their accounts have, and nowhere else. */
function namesFit({ was, is, should }: Change): boolean {
  return [...is.keys()]
    .filter((name) => name.startsWith("accounts/"))
    .every((name) => {
      const hasLeft = !isSame(name, is, was) && isSame(name, is, should)
      return hasLeft === (standingOf(is, name.slice("accounts/".length)) === "gone")
    })
}

/** Asks again for what was done, or for what is not due: nothing changes, however it is answered. */
export async function askedInVain(move: Move, at: Running, call: Call): Promise<Verdicts> {
  const was = await stateOf(at)
  const { error } = await tried(at, call)
  const changed = differences(was, await stateOf(at))
  const said = error === null ? NOTHING : saidOf(error)
  return verdicts(move, said, changed.length === 0 ? [] : [`changed ${changed}`])
}

/** The joiner's verdict with other tellings than it should have had: what it holds in the end is right. */
export async function toldOtherwise(move: Move, joiner: Identifier, call: Call): Promise<Verdicts> {
  const at = await before(move, "verdict", joiner)
  const was = await stateOf(at)
  const { error } = await tried(at, call)
  const said = error === null ? NOTHING : saidOf(error)
  if (error !== null) {
    const changed = differences(was, await stateOf(at))
    if (changed.length > 0) return verdicts(move, said, [`refused, and changed ${changed}`])
    await ask(at, callOf(move, "verdict", joiner).call)
  }
  const activated = await tried(at, callOf(move, "activate", joiner).call)
  const is = await stateOf(at)
  const kept = await Promise.all(OLD.map(async (id) => stateOf(await before(move, "describe", id))))
  const wrong = differences(is, ...(await rightStates(move, joiner))).filter(
    (name) => !isLeftOut(name, is) && !isBetween(name, is, kept),
  )
  const isRight = activated.error === null && wrong.length === 0
  return verdicts(move, said, isRight ? [] : [`holds otherwise ${wrong}`])
}

/** Children that it is not told of alike are registered when they next sign. */
function isLeftOut(name: string, is: State): boolean {
  return name.startsWith("children/") && !is.has(name)
}

/** Guesses that were taken are no fewer and no more than honest holders have counted. */
function isBetween(name: string, is: State, kept: readonly State[]): boolean {
  const takenIn = (state: State) => {
    const row = state.get(name)
    return row === undefined ? 0 : decode(opaque.guessCounterCodec, row).taken
  }
  if (!/^guesses\/[0-9a-f]{64}$/.test(name)) return false
  const counted = kept.map(takenIn)
  const taken = takenIn(is)
  return taken >= Math.min(...counted) && taken <= Math.max(...counted)
}
