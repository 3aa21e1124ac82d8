import { connect, type Socket } from "node:net"
import { LockKeeperError } from "@lockkeeper/api"
import type { OwnerSession } from "../owner.ts"
import { readFrame, writeFrame } from "./frames.ts"
import {
  type AgentReply,
  type AgentRequest,
  type AgentStatus,
  agentReply,
  agentRequest,
} from "./protocol.ts"
import { socketIsUsable } from "./socket.ts"

type ReplyOf<K extends AgentReply["kind"]> = Extract<AgentReply, { kind: K }>

/** The agent's state, or null when none runs for this profile. */
export async function agentStatus(
  socket: string,
  signal: AbortSignal,
): Promise<AgentStatus | null> {
  if (!socketIsUsable(socket)) return null
  const reply = await ask(socket, { kind: "status" }, "status", signal)
  return reply === null ? null : { name: reply.name, idleLeftMs: reply.idleLeftMs }
}

/**
 * The session that the agent holds, as if it were held here; null when no agent runs. The session
 * itself never leaves the agent's process.
 */
export async function remoteSession(
  socket: string,
  signal: AbortSignal,
): Promise<OwnerSession | null> {
  const status = await agentStatus(socket, signal)
  if (status === null) return null
  const request = async <K extends AgentReply["kind"]>(
    what: AgentRequest,
    kind: K,
    signal: AbortSignal,
  ): Promise<ReplyOf<K>> => {
    const reply = await ask(socket, what, kind, signal)
    if (reply === null) throw agentGone()
    return reply
  }
  return {
    name: status.name,
    async createKey(order, signal) {
      const asked = { kind: "create-key", ...order } as const
      const { kind: _, ...created } = await request(asked, "created", signal)
      return created
    },
    listKeys: async (signal) => (await request({ kind: "list-keys" }, "keys", signal)).keys,
    async showKey(keyId, signal) {
      const { keys } = await request({ kind: "show-key", keyId }, "keys", signal)
      return keys[0] ?? noKey()
    },
    async showChild(keyId, path, signal) {
      const order = { kind: "show-child", keyId, path } as const
      const { kind: _, ...child } = await request(order, "child", signal)
      return child
    },
    async deriveChild(keyId, path, signal) {
      const order = { kind: "derive-child", keyId, path } as const
      const { kind: _, ...derived } = await request(order, "derived", signal)
      return derived
    },
    async changeKeyState(keyId, change, signal) {
      const order = { kind: "change-key-state", keyId, change } as const
      const { kind: _, ...changed } = await request(order, "state-changed", signal)
      return changed
    },
    async sign(order, signal) {
      const { kind: _, ...signed } = await request({ kind: "sign", ...order }, "signature", signal)
      return signed
    },
    async poolStatus(keyId, signal) {
      const { kind: _, ...pool } = await request({ kind: "pool-status", keyId }, "pool", signal)
      return pool
    },
    async fillPool(keyId, targets, signal) {
      const order = { kind: "fill-pool", keyId, ...targets } as const
      const { kind: _, ...filled } = await request(order, "filled", signal)
      return filled
    },
    async recordedIncidents(signal) {
      const { kind: _, ...records } = await request(
        { kind: "recorded-incidents" },
        "recorded",
        signal,
      )
      return records
    },
    async changePassword(current, next, signal) {
      const secrets = { current: current.expose(), next: next.expose() }
      await request({ kind: "change-password", ...secrets }, "done", signal)
    },
    async logout() {
      await request({ kind: "logout" }, "done", new AbortController().signal)
    },
  }
}

/** One request on its own connection; null when nobody listens. */
async function ask<K extends AgentReply["kind"]>(
  socket: string,
  request: AgentRequest,
  kind: K,
  signal: AbortSignal,
): Promise<ReplyOf<K> | null> {
  const connection = await dial(socket)
  if (connection === null) return null
  const cancel = () => connection.destroy()
  signal.addEventListener("abort", cancel, { once: true })
  try {
    signal.throwIfAborted()
    await writeFrame(connection, agentRequest, request)
    const reply = await readFrame(connection, agentReply)
    if (reply.kind === "failed") throw LockKeeperError.fromBody(reply.error)
    if (reply.kind !== kind) throw new Error("the agent answers another question")
    return reply as ReplyOf<K>
  } catch (error) {
    if (signal.aborted) throw new LockKeeperError("cancelled", "Cancelled.")
    if (isReset(error)) return null
    throw error
  } finally {
    signal.removeEventListener("abort", cancel)
    connection.destroy()
  }
}

async function dial(socket: string): Promise<Socket | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket | null>()
  const connection = connect(socket)
  connection.once("connect", () => resolve(connection))
  connection.on("error", (error: NodeJS.ErrnoException) => {
    // A socket without a listener is what a killed agent leaves behind.
    if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(null)
    else reject(error)
  })
  return await promise
}

/** The agent ended while we were asking. */
function isReset(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : ""
  return code === "ECONNRESET" || code === "EPIPE"
}

function agentGone(): LockKeeperError {
  return new LockKeeperError("session-ended", "The agent has ended.", {
    remedy: "Run `lockkeeper login`.",
  })
}

function noKey(): never {
  throw new LockKeeperError("not-found", "You have no such key.", {
    field: "key",
    remedy: "See `lockkeeper keys list`.",
  })
}
