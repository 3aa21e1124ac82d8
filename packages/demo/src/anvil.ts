import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"

const START_TIMEOUT_MS = 20_000

/** A program of the platform's package, by `process.platform`-`process.arch`. */
const PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "@foundry-rs/anvil-linux-amd64",
  "linux-arm64": "@foundry-rs/anvil-linux-arm64",
}

/**
 * Runs a program until standard input ends, which it does however its parent ends. The program
 * alone keeps standard output open, so that its end shows there.
 */
const LEASH = `"$@" </dev/null & exec >/dev/null; read -r _; kill -9 $! 2>/dev/null; wait`

/** No chain can be run here; says which and why. Nothing is left out in silence. */
export class NoChain extends Error {
  override readonly name = "NoChain"
}

/** An EVM chain in a process of its own on this machine. */
export interface Anvil {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/**
 * Where npm put anvil for a platform.
 *
 * @throws NoChain when there is none for it, or it is not installed.
 */
export function anvilProgram(
  platform: string = process.platform,
  architecture: string = process.arch,
): string {
  const name = PACKAGES[`${platform}-${architecture}`]
  if (name === undefined) {
    const known = Object.keys(PACKAGES).join(", ")
    throw new NoChain(`This has no EVM chain for ${platform}-${architecture}, only for ${known}.`)
  }
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
    return join(dirname(manifest), "bin", "anvil")
  } catch (cause) {
    const remedy = "npm leaves out optional packages with --no-optional; install without it."
    throw new NoChain(`The package ${name} is not installed. ${remedy}`, { cause })
  }
}

/**
 * Starts a chain with one rich account on a free port of the loopback interface and resolves when
 * it answers. It ends with this process, however that ends.
 */
export async function startAnvil(
  signal: AbortSignal = new AbortController().signal,
): Promise<Anvil> {
  signal.throwIfAborted()
  const address = ["--host", "127.0.0.1", "--port", "0", "--no-cors"]
  const command = [anvilProgram(), ...address, "--accounts", "1"]
  // A session of its own: Ctrl-C is for this process to hear, which then ends the chain.
  const child = spawn("/bin/sh", ["-c", LEASH, "leash", ...command], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
    env: { HOME: process.env["HOME"], PATH: process.env["PATH"] },
  })
  child.stdin?.on("error", () => undefined)
  try {
    const port = await listeningPort(child, signal)
    return {
      url: `http://127.0.0.1:${port}`,
      pid: child.pid as number,
      stop: () => stop(child),
    }
  } catch (error) {
    await stop(child)
    throw error
  }
}

async function listeningPort(child: ChildProcess, signal: AbortSignal): Promise<number> {
  const output = createInterface({ input: child.stdout as Readable })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const refuse = () => reject(new NoChain("The chain's process ended before it listened."))
  output.on("line", (line) => {
    const port = /^Listening on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1]
    if (port !== undefined) resolve(Number(port))
  })
  output.once("close", refuse)
  child.once("error", refuse)
  const timeout = AbortSignal.timeout(START_TIMEOUT_MS)
  const tooLate = () => reject(new NoChain(`The chain was not up in ${START_TIMEOUT_MS} ms.`))
  const interrupt = () => reject(signal.reason)
  timeout.addEventListener("abort", tooLate, { once: true })
  signal.addEventListener("abort", interrupt, { once: true })
  try {
    return await promise
  } finally {
    timeout.removeEventListener("abort", tooLate)
    signal.removeEventListener("abort", interrupt)
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  // The leash and the chain are one process group.
  process.kill(-child.pid, "SIGKILL")
  await ended
}
