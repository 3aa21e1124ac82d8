import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Readable, Writable } from "node:stream"
import type { TestContext } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import type { Host } from "../src/command.ts"
import type { Keeper } from "../src/owner.ts"
import type { LocalOwner } from "./local-owner.ts"

export { LocalOwner } from "./local-owner.ts"

/** A directory that is gone after the test; short, for socket paths. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lk-"))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A file with the mode that secrets need, or another. */
export function writeSecret(directory: string, name: string, text: string, mode = 0o600): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

class Collector extends Writable {
  text = ""

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export interface TestHost extends Host {
  readonly out: Collector
  readonly err: Collector
}

/** A host that reaches nothing but what the test gives it. */
export function testHost(options: {
  readonly environment?: Record<string, string>
  readonly keeper?: Keeper
  readonly input?: string
}): TestHost {
  const out = new Collector()
  const err = new Collector()
  const input = options.input === undefined ? new PassThrough() : Readable.from([options.input])
  return {
    out,
    err,
    environment: options.environment ?? {},
    terminal: { input: input.map((part) => Buffer.from(part)), out, err, interactive: false },
    signal: new AbortController().signal,
    async connect() {
      if (options.keeper !== undefined) return options.keeper
      throw new LockKeeperError("not-enough-servers", "No server answered.", {
        remedy: "Start one.",
      })
    },
    spawnAgent: () => Promise.reject(new Error("this test starts no agent")),
  }
}

/** The JSON line that a command printed; fails on anything but exactly one. */
export function onlyLine(host: TestHost): Record<string, unknown> {
  const lines = host.out.text.split("\n")
  if (lines.length !== 2 || lines[1] !== "") throw new Error(`not one line: ${host.out.text}`)
  return JSON.parse(lines[0] ?? "")
}

/** Servers that know one password. */
export function localKeeper(owner: LocalOwner, password: string, ready = 3): Keeper {
  return {
    servers: 3,
    threshold: 2,
    placement: { possible: true, mayLose: 1 },
    allowsSignersAmong: (servers) => servers.length >= 2,
    async register() {},
    async login(_, given) {
      if (Buffer.from(given.expose()).toString() === password) return owner
      throw new LockKeeperError("wrong-password", "The password is wrong.", {
        remedy: "Try again.",
        guessesRemaining: 9,
      })
    },
    async health() {
      return [1, 2, 3].map((identifier) => ({
        identifier,
        name: `server-${identifier}`,
        url: `https://localhost:${7000 + identifier}`,
        operator: "",
        ready: identifier <= ready,
        detail: identifier <= ready ? "0.1.0" : "connection refused",
        latencyMs: identifier <= ready ? 3 : null,
      }))
    },
    async close() {},
  }
}
