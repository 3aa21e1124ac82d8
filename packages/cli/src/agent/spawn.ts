import { spawn } from "node:child_process"
import { LockKeeperError } from "@lockkeeper/api"
import { childEnvironment, nodeArguments } from "../child-process.ts"
import { readFrame, writeFrame } from "./frames.ts"
import { type AgentReply, type AgentStart, agentReply, agentStart } from "./protocol.ts"

/** Starts an agent and resolves with its process id once it is logged in. */
export type SpawnAgent = (start: AgentStart, signal: AbortSignal) => Promise<number>

/**
 * Starts the background process that logs in and holds the session. The password goes through a
 * pipe, so that it is in no argument, variable or file.
 *
 * @returns the process id, once the agent is logged in and listening.
 * @throws LockKeeperError what the login refused, or `internal` when the process died.
 */
export const spawnAgent: SpawnAgent = async (start, signal) => {
  const child = spawn(process.execPath, nodeArguments("./agent/main"), {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "pipe", "ignore"],
    env: childEnvironment(),
  })
  const cancel = () => child.kill("SIGTERM")
  signal.addEventListener("abort", cancel, { once: true })
  child.stdin.on("error", () => undefined)
  try {
    await writeFrame(child.stdin, agentStart, start)
    const reply: AgentReply = await readFrame(child.stdout, agentReply)
    if (reply.kind === "failed") throw LockKeeperError.fromBody(reply.error)
    child.unref()
    return child.pid ?? 0
  } catch (thrown) {
    child.kill("SIGTERM")
    if (signal.aborted) throw new LockKeeperError("cancelled", "Cancelled.")
    if (thrown instanceof LockKeeperError && thrown.field !== "agent") throw thrown
    throw new LockKeeperError("internal", "The agent process ended before it was ready.", {
      remedy: "Run with --no-agent, and `lockkeeper doctor`.",
      cause: thrown,
    })
  } finally {
    signal.removeEventListener("abort", cancel)
    child.stdin.destroy()
    child.stdout.destroy()
  }
}
