import { Secret } from "@lockkeeper/crypto"
import { asLockKeeperError } from "../failure.ts"
import { connectKeeper } from "../sdk.ts"
import { startAgent } from "./agent.ts"
import { readFrame, writeFrame } from "./frames.ts"
import { systemTimers } from "./idle.ts"
import { type AgentReply, agentReply, agentStart } from "./protocol.ts"

/** The background process: read one start frame, log in, answer once, then serve the socket. */
async function main(): Promise<void> {
  process.umask(0o077)
  // The terminal that logged in may close; the session ends by log-out or idleness instead.
  process.on("SIGHUP", () => undefined)
  const stopping = new AbortController()
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stopping.abort())

  let reply: AgentReply = { kind: "done" }
  try {
    const start = await readFrame(process.stdin, agentStart)
    using password = new Secret(start.password)
    const keeper = await connectKeeper(start.address)
    const session = await keeper.login(start.name, password, stopping.signal)
    const { socket, idleMs } = start
    const agent = await startAgent({ session, socket, idleMs, timers: systemTimers })
    stopping.signal.addEventListener("abort", () => void agent.stop())
    void agent.ended.then(() => keeper.close()).finally(() => process.exit(0))
  } catch (thrown) {
    const error = asLockKeeperError(thrown)
    reply = { kind: "failed", error: error.toBody(error.server) }
  }
  await writeFrame(process.stdout, agentReply, reply).catch(() => undefined)
  process.stdout.end(() => {
    if (reply.kind === "failed") process.exit(1)
  })
}

await main()
