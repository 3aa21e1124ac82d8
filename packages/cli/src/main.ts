#!/usr/bin/env node
import { spawnAgent } from "./agent/spawn.ts"
import { run } from "./program.ts"
import { processTerminal } from "./terminal.ts"

const interrupted = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => interrupted.abort())
}
process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  terminal: processTerminal(),
  signal: interrupted.signal,
  // Loaded only by commands that need it: help and `server run` start without the SDK.
  connect: async (address, tell) => (await import("./sdk.ts")).connectKeeper(address, tell),
  spawnAgent,
})
