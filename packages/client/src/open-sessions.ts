import { LockKeeperError, type LogPosition, type SignedRequest } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { followsAnother } from "./elsewhere.ts"
import { COPY_PAUSE_MS, MAX_COPIES } from "./limits.ts"
import { isTimeout, within } from "./patience.ts"
import type { ServerSession } from "./server-session.ts"
import type { Servers } from "./servers.ts"

/** One step of a request at one server, and what it takes. */
export interface Asked {
  readonly request: SignedRequest
  readonly step: number
  readonly input: Bytes
}

/** What a server did, and where it logged that before it answered. */
export interface Acted {
  readonly output: Bytes
  readonly log: LogPosition
}

/** A principal's session with each server: opened when first needed, and again when it is lost. */
export class OpenSessions {
  readonly #servers: Servers
  readonly #open: (server: Identifier, signal: AbortSignal) => Promise<ServerSession>
  readonly #sessions = new Map<Identifier, Promise<ServerSession>>()

  /** @param open - how the principal opens another session with a server. */
  constructor(
    servers: Servers,
    open: (server: Identifier, signal: AbortSignal) => Promise<ServerSession>,
  ) {
    this.#servers = servers
    this.#open = open
  }

  /** Uses these from now on, and no others. */
  replace(sessions: ReadonlyMap<Identifier, ServerSession>): void {
    const old = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const [id, session] of sessions) this.#sessions.set(id, Promise.resolve(session))
    for (const opening of old) void opening.then((session) => session.end()).catch(() => undefined)
  }

  /**
   * Has one server carry out one step of a request. Repeats it, which is harmless since the server
   * keeps the answer under the request's id: once when the connection broke, once in a new session
   * when the server has lost the old one, and a few times when a copy of the frame was there first.
   *
   * @param assertLive - throws once the principal has ended.
   */
  async act(
    server: Identifier,
    asked: Asked,
    { signal, callMs }: { readonly signal: AbortSignal; readonly callMs: number },
    assertLive: () => void,
  ): Promise<Acted> {
    const { clock } = this.#servers.deps
    const failed = new Set<string>()
    let copies = 0
    for (;;) {
      assertLive()
      const opening = this.#session(server)
      try {
        return await within(clock, callMs, signal, async (limited) => {
          const session = await opening
          return session.call({ kind: "act", ...asked }, limited)
        })
      } catch (error) {
        if (!(error instanceof LockKeeperError) || isTimeout(error)) throw error
        const { code } = error
        if (followsAnother(error)) this.#servers.reportElsewhere(server)
        if (isCopy(error)) {
          if (++copies === MAX_COPIES) throw answerLost(server, error)
          // What answers the copy may be at work yet, and does not like to be asked beside it.
          await clock.wait(copies * COPY_PAUSE_MS, signal)
          continue
        }
        const repeatable = code === "unavailable" || code === "session-ended"
        if (!repeatable || failed.has(code)) throw error
        failed.add(code)
        if (code === "session-ended") this.#forget(server, opening)
      }
    }
  }

  /** Closes every session at its server, as far as the servers answer, and wipes their keys. */
  async close(signal: AbortSignal): Promise<void> {
    const { clock } = this.#servers.deps
    const { hedgeMs } = this.#servers.patience
    const openings = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(
      openings.map(async (opening) => {
        const session = await opening.catch(() => null)
        if (session === null) return
        const close = (limited: AbortSignal) => session.call({ kind: "close" }, limited)
        await within(clock, hedgeMs, signal, close).catch(() => undefined)
        session.end()
      }),
    )
  }

  #session(server: Identifier): Promise<ServerSession> {
    const open = this.#sessions.get(server)
    if (open !== undefined) return open
    const { deps, patience } = this.#servers
    // Others may wait for the same session, so it does not end with the one call that asked first.
    const nobody = new AbortController().signal
    const opening = within(deps.clock, patience.callMs, nobody, (limited) =>
      this.#open(server, limited),
    )
    this.#sessions.set(server, opening)
    opening.catch(() => this.#forget(server, opening))
    return opening
  }

  #forget(server: Identifier, opening: Promise<ServerSession>): void {
    if (this.#sessions.get(server) === opening) this.#sessions.delete(server)
    void opening.then((session) => session.end()).catch(() => undefined)
  }
}

/** Whether the network delivered a copy first: what the server answered to that was not for our ears. */
function isCopy({ code, field }: LockKeeperError): boolean {
  return code === "replayed" && (field === "counter" || field === "hello")
}

function answerLost(server: Identifier, cause: LockKeeperError): LockKeeperError {
  const message = "Copies of every frame came first, so that no answer arrived."
  return new LockKeeperError("unavailable", message, {
    server,
    remedy: "Try again; look for what repeats traffic on the way to the server.",
    cause,
  })
}
