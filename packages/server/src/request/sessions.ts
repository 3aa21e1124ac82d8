import { type Channel, ReplayWindow, wipeChannel } from "@lockkeeper/api"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"
import type { Operator } from "./operator.ts"
import type { Visitor } from "./visitor.ts"

/**
 * Most sessions one process keeps. The one idle for longest makes room: one that has not logged in if
 * there is any, so that strangers push out no one who has.
 */
export const MAX_SESSIONS = 10_000

/** Most logged-in sessions of one account; the one idle for longest makes room. */
export const MAX_ACCOUNT_SESSIONS = 64

/** Most sessions of all operators of one server, likewise: it certifies as many keys as it likes. */
export const MAX_OPERATOR_SESSIONS = 16

/** Most sessions of all people in one account's charter, likewise. */
export const MAX_PEOPLE_SESSIONS = 64

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
  | Authenticated
  | ({ readonly kind: "operator" } & Operator)
  | ({ readonly kind: "person" } & Visitor)
  | { readonly kind: "ended" }

export interface Authenticated {
  readonly kind: "authenticated"
  readonly accountId: Bytes
  readonly opaqueVersion: number
}

/** Who shares one allowance of sessions, and how many that are; null for whoever is not known yet. */
function allowanceOf(stage: SessionStage): { readonly of: string; readonly most: number } | null {
  if (stage.kind === "authenticated") {
    return { of: `account ${toHex(stage.accountId)}`, most: MAX_ACCOUNT_SESSIONS }
  }
  if (stage.kind === "person") {
    return { of: `people of ${toHex(stage.accountId)}`, most: MAX_PEOPLE_SESSIONS }
  }
  if (stage.kind !== "operator") return null
  return { of: `operators ${stage.server}`, most: MAX_OPERATOR_SESSIONS }
}

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
    if (this.#sessions.size >= MAX_SESSIONS) this.#makeRoom()
    this.#makeRoomFor(stage)
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

  /** The session, or null when unknown, expired or idle too long. */
  find(sessionId: Uint8Array, now: number): Session | null {
    const id = toHex(sessionId)
    const session = this.#sessions.get(id)
    if (session === undefined) return null
    if (isOver(session, now)) {
      this.#remove(id)
      return null
    }
    return session
  }

  /** Moves a session to the end of the queue: its client, and nobody else, has used it. */
  touch(session: Session, now: number): void {
    const id = toHex(session.channel.sessionId)
    session.lastUsed = now
    if (this.#sessions.delete(id)) this.#sessions.set(id, session)
  }

  /** Whether the session is still open: others can end it while its frame is being handled. */
  holds(session: Session): boolean {
    return this.#sessions.get(toHex(session.channel.sessionId)) === session
  }

  /** Makes an open session a logged-in one. */
  authenticate(session: Session, stage: Authenticated, expiresAt: number): void {
    this.#makeRoomFor(stage)
    session.stage = stage
    session.expiresAt = expiresAt
  }

  end(session: Session): void {
    this.#remove(toHex(session.channel.sessionId))
  }

  /** Ends every session of an account but `except`: after a password change. */
  endAccount(accountId: Bytes, except: Session | null): void {
    for (const [id, session] of this.#sessions) {
      if (session === except || session.stage.kind !== "authenticated") continue
      if (equalBytes(session.stage.accountId, accountId)) this.#remove(id)
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

  /** How many are operators'. */
  get operators(): number {
    return [...this.#sessions.values()].filter(({ stage }) => stage.kind === "operator").length
  }

  #makeRoom(): void {
    let leaving = this.#sessions.keys().next().value as string
    for (const [id, { stage }] of this.#sessions) {
      if (allowanceOf(stage) !== null) continue
      leaving = id
      break
    }
    this.#remove(leaving)
  }

  #makeRoomFor(stage: SessionStage): void {
    const allowance = allowanceOf(stage)
    if (allowance === null) return
    const own: string[] = []
    for (const [id, { stage: other }] of this.#sessions) {
      if (allowanceOf(other)?.of === allowance.of) own.push(id)
    }
    const [oldest] = own
    if (oldest !== undefined && own.length >= allowance.most) this.#remove(oldest)
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
