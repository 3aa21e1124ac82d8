import { chmodSync, rmSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { asLockKeeperError } from "../failure.ts"
import type { OwnerSession } from "../owner.ts"
import { readFrame, writeFrame } from "./frames.ts"
import { IdleTimer, type Timers } from "./idle.ts"
import { type AgentReply, type AgentRequest, agentReply, agentRequest } from "./protocol.ts"
import { remoteSession } from "./remote-session.ts"
import { prepareSocketDirectory } from "./socket.ts"

/** Most commands that may be connected at once; more are turned away. */
const MAX_CONNECTIONS = 16

/** How long a connection may take to say what it wants, milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000

export type AgentEnd = "logout" | "idle" | "stopped"

/** A session behind an owner-only socket. */
export interface Agent {
  /** Resolves when the session is closed and the socket is gone. */
  readonly ended: Promise<AgentEnd>
  stop(): Promise<void>
}

/**
 * Listens on `socket` for commands of the same user and serves them from `session` until it is
 * logged out, stopped, or idle for `idleMs`. Who may connect is decided by file permission alone.
 */
export async function startAgent(options: {
  readonly session: OwnerSession
  readonly socket: string
  readonly idleMs: number
  readonly timers: Timers
}): Promise<Agent> {
  const { session, socket, idleMs, timers } = options
  const { promise: ended, resolve: announceEnd } = Promise.withResolvers<AgentEnd>()
  let ending: Promise<void> | null = null
  const end = (why: AgentEnd): Promise<void> => {
    if (ending !== null) return ending
    // The last connection, which may be the log-out's own, still gets its answer.
    server.once("close", () => announceEnd(why))
    ending = close(server, socket, session, idle)
    return ending
  }
  const idle = new IdleTimer(idleMs, timers, () => void end("idle"))
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    const refusal = ending === null ? null : sessionEnded()
    void serve(connection, refusal, async (request, signal) => {
      if (request.kind === "logout") await end("logout")
      return await answer(request, session, idle, signal)
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  try {
    await endBefore(socket)
    await listen(server, socket)
  } catch (error) {
    idle.stop()
    throw error
  }
  return {
    ended,
    async stop() {
      await end("stopped")
      await ended
    },
  }
}

/** Who has logged in anew takes the place of the agent before, whose session must not linger. */
async function endBefore(socket: string): Promise<void> {
  const { signal } = new AbortController()
  const before = await remoteSession(socket, signal).catch(() => null)
  // One that does not answer loses its socket all the same, and its session by idleness.
  await before?.logout().catch(() => undefined)
}

/** Binds the socket, replacing one that a dead agent left, and closes it to other users. */
async function listen(server: Server, socket: string): Promise<void> {
  prepareSocketDirectory(socket)
  rmSync(socket, { force: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.listen({ path: socket, readableAll: false, writableAll: false }, resolve)
  await promise
  server.off("error", reject)
  chmodSync(socket, 0o600)
}

async function close(
  server: Server,
  socket: string,
  session: OwnerSession,
  idle: IdleTimer,
): Promise<void> {
  idle.stop()
  rmSync(socket, { force: true })
  server.close()
  try {
    await session.logout()
  } catch {
    // The servers forget the session by themselves; here it is wiped either way.
  }
}

/** Answers the one request of a connection and closes it; never rejects. */
async function serve(
  connection: Socket,
  refusal: LockKeeperError | null,
  act: (request: AgentRequest, signal: AbortSignal) => Promise<AgentReply>,
): Promise<void> {
  const gone = new AbortController()
  connection.on("error", () => gone.abort())
  connection.on("close", () => gone.abort())
  connection.setTimeout(REQUEST_TIMEOUT_MS, () => connection.destroy())
  try {
    const request = await readFrame(connection, agentRequest)
    connection.setTimeout(0)
    if (refusal !== null) throw refusal
    await writeFrame(connection, agentReply, await act(request, gone.signal))
  } catch (thrown) {
    const error = asLockKeeperError(thrown)
    const failed: AgentReply = { kind: "failed", error: error.toBody(error.server) }
    await writeFrame(connection, agentReply, failed).catch(() => undefined)
  } finally {
    connection.end()
  }
}

async function answer(
  request: AgentRequest,
  session: OwnerSession,
  idle: IdleTimer,
  signal: AbortSignal,
): Promise<AgentReply> {
  // Asking how long is left, or having ended, is no use of the session.
  if (request.kind === "status") {
    return { kind: "status", name: session.name, idleLeftMs: idle.leftMs }
  }
  if (request.kind === "logout") return { kind: "done" }
  return await idle.during(() => use(request, session, signal))
}

async function use(
  request: Exclude<AgentRequest, { kind: "status" | "logout" }>,
  session: OwnerSession,
  signal: AbortSignal,
): Promise<AgentReply> {
  switch (request.kind) {
    case "create-key": {
      const { kind: _, ...order } = request
      return { kind: "created", ...(await session.createKey(order, signal)) }
    }
    case "list-keys":
      return { kind: "keys", keys: await session.listKeys(signal) }
    case "show-key":
      return { kind: "keys", keys: [await session.showKey(request.keyId, signal)] }
    case "show-child": {
      const { keyId, path } = request
      return { kind: "child", ...(await session.showChild(keyId, path, signal)) }
    }
    case "derive-child": {
      const { keyId, path } = request
      return { kind: "derived", ...(await session.deriveChild(keyId, path, signal)) }
    }
    case "sign": {
      const { kind: _, ...order } = request
      return { kind: "signature", ...(await session.sign(order, signal)) }
    }
    case "change-key-state": {
      const { keyId, change } = request
      const changed = await session.changeKeyState(keyId, change, signal)
      return { kind: "state-changed", ...changed }
    }
    case "pool-status":
      return { kind: "pool", ...(await session.poolStatus(request.keyId, signal)) }
    case "fill-pool": {
      const { keyId, floor, cap } = request
      return { kind: "filled", ...(await session.fillPool(keyId, { floor, cap }, signal)) }
    }
    case "recorded-incidents":
      return { kind: "recorded", ...(await session.recordedIncidents(signal)) }
    case "change-password": {
      using current = new Secret(request.current)
      using next = new Secret(request.next)
      await session.changePassword(current, next, signal)
      return { kind: "done" }
    }
  }
}

function sessionEnded(): LockKeeperError {
  return new LockKeeperError("session-ended", "The agent is ending.", {
    remedy: "Run `lockkeeper login`.",
  })
}
