import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, utf8 } from "@lockkeeper/encoding"
import { type AbortReason, opaque } from "@lockkeeper/protocols"
import type { Ended, Verdicts } from "../harness.ts"
import { seeded } from "../seeded.ts"
import {
  accountKeys,
  loginPlan,
  PASSWORD,
  type Records,
  SERVERS,
  serverOf,
  stretch,
  VERIFY_KEYS,
} from "./account.ts"

/** What an attack changes of one login; null is silence. */
export interface Meddling {
  readonly dishonest: Identifier | null
  asks?(server: Identifier, ke1: Bytes): Bytes | null
  answers?(server: Identifier, response: Bytes, ke1: Bytes): Bytes | null
  proves?(server: Identifier, ke3: Bytes): Bytes
}

interface Answered {
  readonly responses: ReadonlyMap<Identifier, Bytes>
  readonly states: ReadonlyMap<Identifier, opaque.LoginServerState>
  readonly ended: Ended[]
}

const ended = (reason: AbortReason): Ended => ({ reason, culprits: [], pair: null, evidence: [] })

function start(seed: string, password: string) {
  const randomness = seeded(`${seed}/login`, opaque.loginRandomnessLength(SERVERS.length))
  return opaque.startLogin(loginPlan(), new Secret(utf8(password)), randomness)
}

export interface LoginSetting {
  readonly records: Records
  /** Seed of the login's randomness: another session has another. */
  readonly seed: string
  readonly password: string
}

function askAll(
  { records, seed }: LoginSetting,
  ke1s: ReadonlyMap<Identifier, Bytes>,
  meddling: Meddling,
): Answered {
  const responses = new Map<Identifier, Bytes>()
  const states = new Map<Identifier, opaque.LoginServerState>()
  const stopped: Ended[] = []
  const { accountId, binding } = loginPlan()
  for (const [server, sent] of ke1s) {
    const ke1 = meddling.asks ? meddling.asks(server, sent) : sent
    if (ke1 === null) continue
    const randomness = seeded(`${seed}/answer/${server}`, opaque.ANSWER_RANDOMNESS_LENGTH)
    const question = { accountId, binding, ke1 }
    const record = records.get(server)
    const account = record === undefined ? null : opaque.asRegistered(record)
    const answered = opaque.answerLogin(serverOf(server), question, account, randomness)
    if (!answered.ok) {
      stopped.push(answered.abort)
      continue
    }
    states.set(server, answered.value.state)
    const { response } = answered.value
    const got = meddling.answers ? meddling.answers(server, response, sent) : response
    if (got !== null) responses.set(server, got)
  }
  return { responses, states, ended: stopped }
}

/** What was sent in an honest login. */
export interface RecordedLogin {
  readonly ke1: ReadonlyMap<Identifier, Bytes>
  readonly responses: ReadonlyMap<Identifier, Bytes>
  readonly ke3: ReadonlyMap<Identifier, Bytes>
}

export function recordLogin(setting: LoginSetting): RecordedLogin {
  const { state, ke1 } = start(setting.seed, setting.password)
  const { responses } = askAll(setting, ke1, { dishonest: null })
  const combined = opaque.combineLogin(state, responses)
  if (!combined.ok) throw new Error("an honest login did not combine")
  const finished = opaque.finishLogin(combined.value.combined, stretch(combined.value.toStretch))
  if (!finished.ok) throw new Error("an honest login did not finish")
  const ke3 = new Map([...finished.value.sessions].map(([i, session]) => [i, session.ke3]))
  return { ke1, responses, ke3 }
}

function login(setting: LoginSetting, meddling: Meddling): Verdicts {
  const { state, ke1 } = start(setting.seed, setting.password)
  const { responses, states, ended: stopped } = askAll(setting, ke1, meddling)
  const aborts = [...stopped]
  const verdicts = { verifyKeys: VERIFY_KEYS, aborts, accepted: [] as string[] }
  const combined = opaque.combineLogin(state, responses)
  if (!combined.ok) return { ...verdicts, aborts: [...aborts, combined.abort], finished: false }
  for (const { reason, identifier, evidence } of combined.value.combined.faults) {
    const named = evidence ? { culprits: [identifier], evidence: [evidence] } : {}
    aborts.push({ ...ended(reason), ...named })
  }
  const finished = opaque.finishLogin(combined.value.combined, stretch(combined.value.toStretch))
  if (!finished.ok) return { ...verdicts, aborts: [...aborts, finished.abort], finished: false }
  const { sessions, refused, exportKey } = finished.value
  for (const reason of refused.values()) aborts.push(ended(reason))
  const accepted = wrongKeys(setting, exportKey)
  for (const [server, { sessionKey, ke3 }] of sessions) {
    const proof = meddling.proves ? meddling.proves(server, ke3) : ke3
    const judged = opaque.verifyLogin(states.get(server)!, proof)
    const altered = !equalBytes(proof, ke3)
    if (!judged.ok) aborts.push(judged.abort)
    else if (altered) accepted.push("an altered proof of the password")
    else if (!equalBytes(judged.value.sessionKey.expose(), sessionKey.expose())) {
      accepted.push(`another session key than server ${server}'s`)
    }
  }
  const enough = sessions.size >= loginPlan().minSigners
  return { ...verdicts, finished: enough, accepted }
}

/** What the export key opens must be the account's keys and nothing else. */
function wrongKeys({ records }: LoginSetting, exportKey: Secret): string[] {
  const { accountId } = loginPlan()
  const wrapped = records.get(SERVERS[0] as Identifier)!.registration.keys
  const opened = opaque.openAccountKeys(exportKey, accountId, wrapped)
  if (!opened.ok) return ["an export key that opens nothing"]
  const { storageKey, signingSeed } = accountKeys()
  const same =
    equalBytes(opened.value.storageKey.expose(), storageKey.expose()) &&
    equalBytes(opened.value.signingSeed.expose(), signingSeed.expose())
  return same ? [] : ["other account keys"]
}

/**
 * Runs one attack on a login with the right password, and the same with a wrong one, which must get
 * nowhere. One bad server of three must not keep the right password out.
 */
export function attackedLogin(setting: LoginSetting, meddling: Meddling): Verdicts {
  const right = login(setting, meddling)
  const wrong = login({ ...setting, password: "wrong" }, meddling)
  const accepted = [...right.accepted]
  if (wrong.finished) accepted.push("a wrong password")
  if (meddling.dishonest !== null && !right.finished) accepted.push("no login though two would do")
  return { ...right, accepted }
}

export function honestLogin(records: Records, seed = "login"): LoginSetting {
  return { records, seed, password: PASSWORD }
}
