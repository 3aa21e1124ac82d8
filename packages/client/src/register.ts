import { DEFAULT_STRETCHING, isOnItsWay, LockKeeperError } from "@lockkeeper/api"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { askAll, notEnough, tellable } from "./gather.ts"
import { type Incident, IncidentLog } from "./incidents.ts"
import { isTimeout, throwIfCancelled, within } from "./patience.ts"
import { wipeKeys } from "./principal.ts"
import { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"
import { type PasswordInput, spellName, spellPassword } from "./spelling.ts"

export interface RegisterOptions {
  readonly name: string
  /** A Secret stays the caller's to wipe. */
  readonly password: PasswordInput
  readonly signal?: AbortSignal
}

export interface Registered {
  /** The name as it is kept: see `spellName`. */
  readonly name: string
  /** 32 bytes. */
  readonly accountId: Bytes
  readonly incidents: readonly Incident[]
}

/** How many times a server is asked before its part counts as not done. */
const TRIES = 3

/**
 * Registers an account with every server of the roster. The OPRF key is dealt to each server's own
 * process; the account exists once all have signed the same registration.
 */
export async function register(
  servers: Servers,
  { name: typedName, password: typed, signal = new AbortController().signal }: RegisterOptions,
): Promise<Registered> {
  const name = spellName(typedName)
  using password = spellPassword(typed)
  const accountId = opaque.accountIdOf(name)
  const { randomness } = servers.deps
  const keys = {
    storageKey: new Secret(randomness.bytes(32)),
    signingSeed: new Secret(randomness.bytes(32)),
  }
  const incidents = new IncidentLog(servers)
  try {
    throwIfCancelled(signal)
    const { registration, dealings } = await dealAccount(servers, accountId, 1, password, keys)
    const sessions = new Map<Identifier, ServerSession>()
    try {
      const ask = (server: Identifier) => {
        const dealing = dealings.get(server) as opaque.AccountDealing
        return dealTo(servers, sessions, { server, name, dealing, signal })
      }
      const { answers, failures } = await askAll(servers, servers.holders, ask)
      if (failures.size > 0) throw needsEveryServer(servers, answers.size, failures)
      const confirmations = checkConfirmations(servers, registration, answers)
      await activateAll(servers, sessions, { name, confirmations, signal, incidents })
    } finally {
      for (const session of sessions.values()) session.end()
      for (const { share } of dealings.values()) share.wipe()
    }
  } finally {
    wipeKeys(keys)
  }
  return { name, accountId, incidents: incidents.all }
}

/** A registration of this password under a fresh OPRF key, for every server of the roster. */
export async function dealAccount(
  servers: Servers,
  accountId: Bytes,
  opaqueVersion: number,
  password: Secret,
  keys: opaque.OpenAccountKeys,
): Promise<opaque.RegistrationResult> {
  const { trust, deps, minSigners } = servers
  const plan: opaque.RegistrationPlan = {
    accountId,
    binding: opaque.accountBinding(trust.digest, accountId),
    opaqueVersion,
    rosterEpoch: trust.roster.rosterEpoch,
    minSigners,
    servers: new Map([...trust.opaqueKeys].filter(([id]) => servers.holders.includes(id))),
    stretching: DEFAULT_STRETCHING,
  }
  const start = deps.randomness.bytes(opaque.registrationStartRandomnessLength(minSigners))
  const { state, toStretch } = opaque.startRegistration(plan, password, start)
  start.fill(0)
  const stretched = await deps.compute.stretch(toStretch, plan.stretching)
  toStretch.wipe()
  const finish = deps.randomness.bytes(opaque.REGISTRATION_FINISH_RANDOMNESS_LENGTH)
  return opaque.finishRegistration(state, stretched, keys, finish)
}

/** All servers' signatures over the registration, checked. */
export function checkConfirmations(
  { trust }: Servers,
  registration: opaque.Registration,
  signatures: ReadonlyMap<Identifier, Bytes>,
): Bytes {
  const verified = opaque.verifyConfirmations(registration, signatures, trust.verifyKeys)
  if (verified.ok) return encode(opaque.confirmationsCodec, verified.value)
  const { reason, field } = verified.abort
  const server = Number(field.replace("confirmations.", ""))
  const known = trust.roster.members.find(({ identifier }) => identifier === server)
  throw new LockKeeperError(
    "untrusted-server",
    `Server "${known?.name ?? server}" did not confirm the registration (${reason}).`,
    { field, server: known === undefined ? 0 : server, remedy: "Have its operator look at it." },
  )
}

interface DealingTo {
  readonly server: Identifier
  readonly name: string
  readonly dealing: opaque.AccountDealing
  readonly signal: AbortSignal
}

/** One server's confirmation of its dealing. The same dealing again is the same registration. */
async function dealTo(
  servers: Servers,
  sessions: Map<Identifier, ServerSession>,
  { server, name, dealing, signal }: DealingTo,
): Promise<Bytes> {
  return repeatedly(servers, signal, async (limited) => {
    const session = await openToRegister(servers, sessions, server, name, limited)
    const encoded = encode(opaque.accountDealingCodec, dealing)
    const answer = await session.call({ kind: "register-deal", dealing: encoded }, limited)
    encoded.fill(0)
    return answer.signature
  })
}

async function openToRegister(
  servers: Servers,
  sessions: Map<Identifier, ServerSession>,
  server: Identifier,
  name: string,
  signal: AbortSignal,
): Promise<ServerSession> {
  const issuedAt = servers.deps.clock.now()
  const payload = () => ({ kind: "register", issuedAt, name }) as const
  const { session } = await ServerSession.open(servers, server, payload, signal)
  sessions.get(server)?.end()
  sessions.set(server, session)
  return session
}

/** Repeats what is idempotent while the server cannot be reached or has lost the session. */
async function repeatedly<T>(
  { deps: { clock }, patience: { callMs } }: Servers,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await within(clock, callMs, signal, act)
    } catch (error) {
      if (!(error instanceof LockKeeperError) || isTimeout(error) || tries === TRIES) throw error
      if (isOnItsWay(error)) throw error
      if (!["unavailable", "session-ended", "conflict"].includes(error.code)) throw error
    }
  }
}

interface Activation {
  readonly name: string
  readonly confirmations: Bytes
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

async function activateAll(
  servers: Servers,
  sessions: Map<Identifier, ServerSession>,
  { name, confirmations, signal, incidents }: Activation,
): Promise<void> {
  const { answers, failures } = await askAll(servers, servers.holders, (server) => {
    let first = true
    return repeatedly(servers, signal, async (limited) => {
      const kept = first ? sessions.get(server) : undefined
      first = false
      const session = kept ?? (await openToRegister(servers, sessions, server, name, limited))
      return session.call({ kind: "register-activate", confirmations }, limited)
    })
  })
  for (const [server, error] of failures) incidents.failed(server, error)
  if (answers.size < servers.minSigners) {
    throw notEnough(servers.minSigners, answers.size, failures)
  }
}

/** Why an operation that takes every server of the roster stopped. */
export function needsEveryServer(
  servers: Servers,
  got: number,
  failures: ReadonlyMap<Identifier, LockKeeperError>,
): LockKeeperError {
  const moving = [...failures.values()].find(isOnItsWay)
  if (moving !== undefined) return moving
  const [answered] = tellable(servers.minSigners, failures)
  if (answered !== undefined) return answered
  const names = [...failures.keys()].map((server) => `"${servers.member(server).name}"`)
  return new LockKeeperError(
    "not-enough-servers",
    `This takes every server of the roster; ${names.join(", ")} took no part.`,
    {
      remedy: "Try again when all servers are up.",
      server: [...failures.keys()][0] as number,
      cause: notEnough(servers.all.length, got, failures),
    },
  )
}
