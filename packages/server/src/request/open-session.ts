import {
  type AcceptedHello,
  acceptHello,
  answerHello,
  CHANNEL_VERSION,
  LockKeeperError,
  MAX_CLOCK_SKEW_MS,
  MAX_HELLO,
  type OpenAnswer,
  type OpenPayload,
  openAnswer,
  openPayload,
  wipeChannel,
} from "@lockkeeper/api"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import type { Guesses } from "../guesses.ts"
import { startLogin } from "../operations/login.ts"
import { startRegistration } from "../operations/register-account.ts"
import { resumeSession } from "../operations/resume-session.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { ServerSelf } from "../self.ts"
import { decodeAs, decodeField } from "./decode.ts"
import { refusalOf } from "./refusal.ts"
import type { SessionStage, Sessions } from "./sessions.ts"

/** What a process opens sessions with. */
export interface OpeningContext {
  readonly self: ServerSelf
  readonly deps: Dependencies
  readonly guesses: Guesses
}

/** What an opening operation decides: its answer, and the session's stage when there is to be one. */
export interface Opening {
  readonly answer: OpenAnswer
  readonly stage: SessionStage
  readonly expiresAt: number
}

/**
 * Helloes seen within the clock skew, so that a recorded one does nothing when it is repeated.
 * Bounded, and refuses new ones rather than forget a fresh one: who floods a server keeps others
 * from opening sessions for as long as it floods, but who recorded a login's hello, and repeated it,
 * would use up its owner's guesses, which lasts.
 */
export class SeenHellos {
  readonly #seen = new Map<string, number>()
  readonly #most: number

  constructor(most = 100_000) {
    this.#most = most
  }

  /** @throws LockKeeperError `replayed` when seen before; `rate-limited` when there is no room. */
  check(digest: Bytes, now: number): void {
    const key = toHex(digest)
    if (this.#seen.has(key)) {
      throw new LockKeeperError("replayed", "This hello was received before.", { field: "hello" })
    }
    for (const [old, at] of this.#seen) {
      if (now - at <= 2 * MAX_CLOCK_SKEW_MS) break
      this.#seen.delete(old)
    }
    if (this.#seen.size >= this.#most) {
      throw new LockKeeperError("rate-limited", "The server is asked for too many sessions.", {
        remedy: "Try again in some minutes, or use other servers.",
      })
    }
    this.#seen.set(key, now)
  }
}

/**
 * Opens a session: decrypts the hello, runs its operation, answers. Refusals that concern the
 * payload travel sealed; those before it could be read are thrown.
 */
export async function openSession(
  context: OpeningContext,
  sessions: Sessions,
  seen: SeenHellos,
  hello: Bytes,
): Promise<Bytes> {
  const { self } = context
  if (hello.length > MAX_HELLO) {
    throw new LockKeeperError("too-large", `A hello takes up to ${MAX_HELLO} bytes.`, {
      field: "hello",
    })
  }
  const accepted = decodeField("hello", () => acceptHello(self.channelSecret, hello))
  if (accepted === null) throw wrongServer()
  try {
    return await answerAccepted(context, sessions, seen, accepted)
  } finally {
    accepted.shared.wipe()
    accepted.payload.fill(0)
  }
}

function wrongServer(): LockKeeperError {
  return new LockKeeperError("wrong-server", "The hello was not made for this server's key.", {
    field: "hello",
    remedy: "Check that the roster's URL leads to the server it names.",
  })
}

async function answerAccepted(
  context: OpeningContext,
  sessions: Sessions,
  seen: SeenHellos,
  accepted: AcceptedHello,
): Promise<Bytes> {
  const { self, deps } = context
  if (accepted.server !== self.identifier) throw wrongServer()
  if (accepted.version !== CHANNEL_VERSION) {
    throw new LockKeeperError("invalid-request", "This channel version is not spoken here.", {
      field: "hello.version",
      remedy: "Update the client or the server.",
    })
  }
  if (accepted.rosterEpoch !== self.roster.rosterEpoch) {
    throw new LockKeeperError(
      "wrong-roster",
      `The client follows roster ${accepted.rosterEpoch}, this server roster ${self.roster.rosterEpoch}.`,
      { field: "hello.rosterEpoch", remedy: "Fetch the current roster." },
    )
  }
  const now = deps.clock.now()
  seen.check(accepted.helloDigest, now)
  const opening = await refuseOr(context, async () => {
    const payload = decodeAs("payload", openPayload, accepted.payload)
    if (Math.abs(payload.issuedAt - now) > MAX_CLOCK_SKEW_MS) {
      throw new LockKeeperError(
        "clock-skew",
        "The clocks of client and server differ by more than two minutes.",
        { field: "payload.issuedAt", remedy: "Set the client's clock." },
      )
    }
    return openFor(context, accepted.binding.transcript, payload)
  })
  const answered = answerHello(accepted, self.identity, deps.randomness.bytes(80))
  if (answered === null) {
    throw new LockKeeperError("invalid-request", "The client's key is not an X-Wing key.", {
      field: "hello.core.clientKey",
    })
  }
  const { channel, seal } = answered
  const sealed = seal(encode(openAnswer, opening.answer))
  if (opening.answer.kind === "refused") wipeChannel(channel)
  else sessions.open(channel, opening.stage, now, opening.expiresAt)
  return sealed
}

function openFor(
  context: OpeningContext,
  transcript: Bytes,
  payload: OpenPayload,
): Promise<Opening> {
  switch (payload.kind) {
    case "register":
      return startRegistration(context, payload.name)
    case "login":
      return startLogin(context, payload)
    case "resume":
      return resumeSession(context, transcript, payload)
  }
}

async function refuseOr(
  { self, deps }: OpeningContext,
  open: () => Promise<Opening>,
): Promise<Opening> {
  try {
    return await open()
  } catch (error) {
    const refusal = refusalOf(deps, error)
    const answer: OpenAnswer = { kind: "refused", error: refusal.toBody(self.identifier) }
    return { answer, stage: { kind: "ended" }, expiresAt: 0 }
  }
}
