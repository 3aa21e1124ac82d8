import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

/** What one command printed and how it ended. */
export interface Printed {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** Runs `lockkeeper` as a process of its own, as a person or a script does. */
export async function lockkeeper(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Printed> {
  const child = spawn(process.execPath, ["-C", "lockkeeper-source", MAIN, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const [out, err, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ])
  return { exitCode: Number(exitCode), out, err }
}
