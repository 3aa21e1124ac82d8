#!/usr/bin/env node
// An installed package runs what was built; a checkout runs its source, never an old build of it.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const source = fileURLToPath(new URL("../src/main.ts", import.meta.url))
if (existsSync(source)) {
  const args = ["--conditions=lockkeeper-source", source, ...process.argv.slice(2)]
  const child = spawn(process.execPath, args, { stdio: "inherit" })
  // Ctrl-C reaches the child by itself; its exit code is what counts.
  process.on("SIGINT", () => undefined)
  process.on("SIGTERM", () => child.kill("SIGTERM"))
  child.on("exit", (code) => {
    process.exitCode = code ?? 1
  })
} else {
  await import("../dist/main.js")
}
