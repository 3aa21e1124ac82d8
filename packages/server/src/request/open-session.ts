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
import { type Bytes, encode } from "@lockkeeper/encoding"
import { startLogin } from "../operations/login.ts"
import { openOperator } from "../operations/open-operator.ts"
import { openVisit } from "../operations/open-visit.ts"
import { startRegistration } from "../operations/register-account.ts"
import { resumeSession } from "../operations/resume-session.ts"
import { decodeAs, decodeField } from "./decode.ts"
import type { Opening, OpeningContext } from "./opening.ts"
import { refusalOf } from "./refusal.ts"
import type { SeenHellos } from "./seen-hellos.ts"
import type { Sessions } from "./sessions.ts"

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
    case "operate":
      return openOperator(context, transcript, payload)
    case "visit":
      return openVisit(context, transcript, payload)
  }
}

async function refuseOr(
  { self, deps, counters }: OpeningContext,
  open: () => Promise<Opening>,
): Promise<Opening> {
  try {
    return await open()
  } catch (error) {
    const refusal = refusalOf(deps, error)
    counters.refused(refusal.code)
    const answer: OpenAnswer = { kind: "refused", error: refusal.toBody(self.identifier) }
    return { answer, stage: { kind: "ended" }, expiresAt: 0 }
  }
}
