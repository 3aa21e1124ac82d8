import { type Channel, ReplayWindow, wipeChannel } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"

/** Most sessions one process keeps; the oldest idle one makes room. */
export const MAX_SESSIONS = 10_000

/** Longest a session may stay unused, milliseconds. */
export const SESSION_IDLE_MS = 30 * 60_000

/** Longest a login lasts, resumed or not, milliseconds. */
export const LOGIN_LIFETIME_MS = 12 * 3_600_000

/** Longest a registration or an unfinished login may take, milliseconds. */
export const UNFINISHED_MS = 2 * 60_000

/** What a session may do next. */
export type SessionStage =
  | { readonly kind: "registering"; readonly name: string }
  | { readonly kind: "logging-in"; readonly state: opaque.LoginServerState }
  | { readonly kind: "authenticated"; readonly accountId: Bytes; readonly opaqueVersion: number }
  | { readonly kind: "ended" }

export interface Session {
  channel: Channel
  readonly window: ReplayWindow
  stage: SessionStage
  expiresAt: number
  lastUsed: number
  /** Frames of one session are handled one after the other where they change its stage. */
  busy: boolean
}

function isOver({ expiresAt, lastUsed }: Session, now: number): boolean {
  return now >= expiresAt || now - lastUsed > SESSION_IDLE_MS
}

/** The open sessions of this process, bounded, in the order of last use. */
export class Sessions {
  readonly #sessions = new Map<string, Session>()

  open(channel: Channel, stage: SessionStage, now: number, expiresAt: number): Session {
    while (this.#sessions.size >= MAX_SESSIONS) {
      const oldest = this.#sessions.keys().next().value as string
      this.#remove(oldest)
    }
    const session: Session = {
      channel,
      window: new ReplayWindow(),
      stage,
      expiresAt,
      lastUsed: now,
      busy: false,
    }
    this.#sessions.set(toHex(channel.sessionId), session)
    return session
  }

  /** The session, moved to the end of the queue, or null when unknown, expired or idle too long. */
  find(sessionId: Uint8Array, now: number): Session | null {
    const id = toHex(sessionId)
    const session = this.#sessions.get(id)
    if (session === undefined) return null
    if (isOver(session, now)) {
      this.#remove(id)
      return null
    }
    session.lastUsed = now
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    return session
  }

  end(session: Session): void {
    this.#remove(toHex(session.channel.sessionId))
  }

  /** Ends every session of an account but `except`: after a password change. */
  endAccount(accountId: Bytes, except: Session | null): void {
    for (const [id, session] of this.#sessions) {
      if (session === except || session.stage.kind !== "authenticated") continue
      if (toHex(session.stage.accountId) === toHex(accountId)) this.#remove(id)
    }
  }

  /** Ends the sessions whose time is over, so that their keys do not wait for a next frame. */
  endExpired(now: number): void {
    for (const [id, session] of this.#sessions) if (isOver(session, now)) this.#remove(id)
  }

  endAll(): void {
    for (const id of [...this.#sessions.keys()]) this.#remove(id)
  }

  get size(): number {
    return this.#sessions.size
  }

  #remove(id: string): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    wipeChannel(session.channel)
    if (session.stage.kind === "logging-in") {
      session.stage.state.clientMac.wipe()
      session.stage.state.sessionKey.wipe()
    }
    session.stage = { kind: "ended" }
    this.#sessions.delete(id)
  }
}
