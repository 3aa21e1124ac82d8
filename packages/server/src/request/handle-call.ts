import {
  type CallAnswer,
  type CallPayload,
  callAnswer,
  callPayload,
  type Event,
  LockKeeperError,
  MAX_COUNTER,
  MAX_FRAME,
  openFrame,
  sealFrame,
} from "@lockkeeper/api"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { finishLogin } from "../operations/login.ts"
import { activateRegistration, dealRegistration } from "../operations/register-account.ts"
import { act } from "./act.ts"
import { decodeSharedAs } from "./decode.ts"
import { sessionEvent } from "./events.ts"
import { operatorNote } from "./operator.ts"
import { logRefusal, refusalOf } from "./refusal.ts"
import type { Session, SessionStage } from "./sessions.ts"
import type { CallContext } from "./step.ts"
import { visitorNote } from "./visitor.ts"

/** Opens one frame, does what it asks, seals the answer under the frame's counter. */
export async function handleCall(
  process: Omit<CallContext, "session">,
  frame: { sessionId: Bytes; counter: number; sealed: Bytes },
): Promise<Bytes> {
  const { self, deps, sessions, counters } = process
  if (frame.sealed.length > MAX_FRAME) {
    throw new LockKeeperError("too-large", `A frame takes up to ${MAX_FRAME} bytes.`, {
      field: "sealed",
    })
  }
  const session = sessions.find(frame.sessionId, deps.clock.now())
  if (session === null) throw noSuchSession()
  const content = openCounted(session, frame.counter, frame.sealed)
  sessions.touch(session, deps.clock.now())
  // Another frame may have ended the session meanwhile, and with it the keys to answer under.
  const seal = (answer: CallAnswer): Bytes => {
    if (!sessions.holds(session)) throw noSuchSession()
    return sealFrame(session.channel, "to-client", frame.counter, encode(callAnswer, answer))
  }
  const asked = session.stage
  try {
    // Nothing that it holds outlives the answer, after which the frame is wiped.
    const payload = decodeSharedAs("payload", callPayload, content)
    const answer = await answerCall({ ...process, session }, payload)
    const sealed = seal(answer)
    if (payload.kind === "close") sessions.end(session)
    return sealed
  } catch (error) {
    // Strangers write nothing by being refused; who is known cannot be refused unseen.
    const refusedOf = sessions.holds(session) ? refusalEventOf(asked) : null
    const shown = refusedOf === null ? error : await logRefusal(deps, error, refusedOf)
    const refused = refusalOf(deps, shown)
    counters.refused(refused.code)
    const refusal = seal({ kind: "refused", error: refused.toBody(self.identifier) })
    if (session.stage.kind === "ended") sessions.end(session)
    return refusal
  } finally {
    content.fill(0)
  }
}

/** How the log tells of a refusal in a session of that stage; null where it does not. */
function refusalEventOf(stage: SessionStage): ((details: Partial<Event>) => Event) | null {
  if (stage.kind === "authenticated") {
    return (details) => sessionEvent("request", stage.accountId, details)
  }
  if (stage.kind === "person") {
    const note = visitorNote(stage)
    return (details) => sessionEvent("request", stage.accountId, { ...details, note })
  }
  if (stage.kind !== "operator") return null
  const note = operatorNote(stage)
  return (details) => sessionEvent("request", stage.operatorId, { ...details, note })
}

function noSuchSession(): LockKeeperError {
  return new LockKeeperError("session-ended", "The session is unknown here or has ended.", {
    field: "sessionId",
    remedy: "Open a new session.",
  })
}

/** Authenticity first, so that a forged frame cannot use up a counter. */
function openCounted(session: Session, counter: number, sealed: Bytes): Bytes {
  if (!Number.isSafeInteger(counter) || counter < 1 || counter > MAX_COUNTER) {
    throw new LockKeeperError("invalid-request", "The counter is out of range.", {
      field: "counter",
    })
  }
  let content: Bytes | null = null
  try {
    content = openFrame(session.channel, "to-server", counter, sealed)
  } catch {
    content = null
  }
  if (content === null) {
    throw new LockKeeperError("unauthenticated", "The frame was not sealed for this session.", {
      field: "sealed",
    })
  }
  if (!session.window.accept(counter)) {
    content.fill(0)
    throw new LockKeeperError("replayed", "This frame was received before.", { field: "counter" })
  }
  return content
}

async function answerCall(context: CallContext, payload: CallPayload): Promise<CallAnswer> {
  switch (payload.kind) {
    case "act":
      return act(context, payload)
    case "register-deal":
      return alone(context, () => dealRegistration(context, payload.dealing))
    case "register-activate":
      return alone(context, () => activateRegistration(context, payload.confirmations))
    case "login-finish":
      return alone(context, () => finishLogin(context, payload.ke3))
    case "close":
      return { kind: "close" }
  }
}

/** Frames that change the session's stage run one at a time; a second one is refused. */
async function alone<T>({ session }: CallContext, run: () => Promise<T>): Promise<T> {
  if (session.busy) {
    throw new LockKeeperError("out-of-order", "Another frame of this session is being handled.", {
      remedy: "Wait for its answer.",
    })
  }
  session.busy = true
  try {
    return await run()
  } finally {
    session.busy = false
  }
}
