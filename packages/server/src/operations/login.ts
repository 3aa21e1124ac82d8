import {
  advanceChannel,
  type CallAnswer,
  type Event,
  LockKeeperError,
  type LoginStatement,
  type LogPosition,
  loginStatement,
  type OpenPayload,
} from "@lockkeeper/api"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { type ActiveAccount, heldRecord, readActiveAccount, wipeAccount } from "../accounts.ts"
import { readDecoy } from "../decoy-account.ts"
import { lockedOut } from "../guesses.ts"
import { checkAnswers } from "../names-under-roster.ts"
import type { Versioned } from "../ports/store.ts"
import { commitChanges } from "../request/commit.ts"
import { sessionEvent } from "../request/events.ts"
import type { Opening, OpeningContext } from "../request/opening.ts"
import { LOGIN_LIFETIME_MS, UNFINISHED_MS } from "../request/sessions.ts"
import type { CallContext } from "../request/step.ts"
import { rosterBinding } from "../self.ts"
import { readUnknownNames } from "../unknown-names.ts"
import { abortError } from "./aborts.ts"

/** How often a login that others of the account get ahead of tries to count itself. */
const MOST_TRIES = 16

/**
 * First half of a login: takes a guess durably, and only then evaluates. Unknown names take the same
 * path and cost the same work.
 */
export async function startLogin(
  context: OpeningContext,
  payload: Extract<OpenPayload, { kind: "login" }>,
): Promise<Opening> {
  const { self, deps } = context
  const accountId = opaque.accountIdOf(payload.name)
  const { value: unknown } = await readUnknownNames(deps.store)
  const { generation: epoch, minSigners } = checkAnswers(unknown, accountId)
  const account = await readActiveAccount(deps.store, accountId)
  // Reading an account takes a while, which must not tell whether there is one.
  if (account === null) wipeAccount(await readDecoy(deps.store))
  const { counter } = await moveCounter(context, accountId, account !== null, (before) => {
    const taken = opaque.takeGuess(before)
    if (!taken.ok) throw lockedOut()
    const event = sessionEvent("login.start", account === null ? null : accountId, {
      // Logged where the lock begins: whoever is refused from here on writes nothing.
      reason: opaque.guessesRemaining(taken.value) === 0 ? "last-guess" : "",
    })
    return { counter: taken.value, event }
  })

  const record =
    account === null ? null : recordFor(self.loginServer.fakes, account, payload.shownVersion)
  const { ke1 } = payload
  const fakes = { ...self.loginServer.fakes, epoch }
  const answered = opaque.answerLogin(
    { ...self.loginServer, minSigners, fakes },
    { accountId, binding: rosterBinding(self, accountId), ke1 },
    record,
    deps.randomness.bytes(opaque.ANSWER_RANDOMNESS_LENGTH),
  )
  if (account !== null) wipeAccount(account.value)
  if (!answered.ok) throw abortError(answered.abort, `payload.${answered.abort.field || "ke1"}`)
  const { response, state } = answered.value
  return {
    answer: { kind: "login", response, guessesRemaining: opaque.guessesRemaining(counter) },
    stage: { kind: "logging-in", state },
    expiresAt: deps.clock.now() + UNFINISHED_MS,
  }
}

/**
 * Commits what becomes of an account's counter, with its log entry. Other logins of the same account
 * move it too: of those that come at once each starts again from what the one before has left.
 */
async function moveCounter(
  { deps, guesses }: Pick<OpeningContext, "deps" | "guesses">,
  accountId: Bytes,
  exists: boolean,
  move: (before: opaque.GuessCounter) => {
    readonly counter: opaque.GuessCounter
    readonly event: Event
  },
): Promise<{ readonly counter: opaque.GuessCounter; readonly log: LogPosition }> {
  for (let tries = 1; ; tries++) {
    const guess = await guesses.read(accountId, exists)
    const { counter, event } = move(guess.counter)
    try {
      const log = await commitChanges(deps, [guesses.put(guess, counter)], event)
      guesses.remember(guess, counter)
      return { counter, log }
    } catch (error) {
      const beaten = error instanceof LockKeeperError && error.code === "conflict"
      if (!beaten || tries === MOST_TRIES) throw error
    }
  }
}

/**
 * The active record, or the previous one when the client asks for its version by number. Never the
 * pending one: until every server has confirmed it, its password must not log in.
 */
function recordFor(
  fakes: Pick<opaque.FakeSource, "seed">,
  { value: account }: Versioned<ActiveAccount>,
  shown: number,
): opaque.HeldAccount {
  const { active, previous, accountId } = account
  if (shown === 0 || previous === null) return active
  const { opaqueVersion } = previous.registration.keys
  return opaque.shownVersion(fakes, accountId, opaqueVersion) === shown ? previous : active
}

/**
 * Second half: a right KE3 proves the password, gives the guess back, and moves the session to keys
 * that only who knows the password can have.
 */
export async function finishLogin(context: CallContext, ke3: Bytes): Promise<CallAnswer> {
  const { self, deps, session, sessions } = context
  const { stage } = session
  if (stage.kind !== "logging-in") {
    throw new LockKeeperError("out-of-order", "No login is waiting for this.", {
      remedy: "Start the login again.",
    })
  }
  // One KE3 for each KE2: whatever follows, this session logs in now or never.
  session.stage = { kind: "ended" }
  const verified = opaque.verifyLogin(stage.state, ke3)
  if (!verified.ok) {
    await commitChanges(
      deps,
      [],
      sessionEvent("login.finish", null, { outcome: "refused", reason: "wrong-password" }),
    )
    throw new LockKeeperError("wrong-password", "The name or the password is wrong.", {
      remedy: "Try again; each try uses up a guess.",
    })
  }
  const { accountId, opaqueVersion } = verified.value
  using sessionKey = verified.value.sessionKey
  const account = await readActiveAccount(deps.store, accountId)
  if (account === null) {
    // With the names of its range, while this login waited.
    checkAnswers((await readUnknownNames(deps.store)).value, accountId)
    throw new Error("an account vanished during its login")
  }
  wipeAccount(account.value)
  const record = heldRecord(account.value, opaqueVersion)
  if (record === null) {
    throw new LockKeeperError("conflict", "The password was changed during this login.", {
      remedy: "Log in with the new password.",
    })
  }
  const { log } = await moveCounter(context, accountId, true, (before) => {
    // The owner may have forgiven it, from another session, since this login took it.
    const counter = before.taken === 0 ? before : opaque.giveGuessBack(before)
    return { counter, event: sessionEvent("login.finish", accountId) }
  })

  const now = deps.clock.now()
  const expiresAt = now + LOGIN_LIFETIME_MS
  if (!sessions.holds(session)) throw new LockKeeperError("session-ended", "The session has ended.")
  session.channel = advanceChannel(session.channel, sessionKey)
  const loggedIn = { accountId, opaqueVersion }
  sessions.authenticate(session, { kind: "authenticated", ...loggedIn }, expiresAt)
  const said: LoginStatement = {
    server: self.identifier,
    rosterEpoch: self.roster.rosterEpoch,
    accountId,
    opaqueVersion,
    loginAt: now,
    expiresAt,
  }
  const statement = encode(loginStatement, { ...said, label: null })
  return {
    kind: "login-finish",
    accountId,
    opaqueVersion,
    statement: { statement, signature: self.identity.sign(statement) },
    accountKeys: encode(opaque.accountKeysCodec, record.registration.keys),
    confirmations: encode(opaque.confirmationsCodec, record.confirmations ?? new Map()),
    expiresAt,
    log,
  }
}
