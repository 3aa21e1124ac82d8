import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** How long a refresh that was stopped is gone on with, milliseconds: after that all begins anew. */
const LIFETIME_MS = 7 * 24 * 3_600_000

/**
 * When the refresh began that has not come to its end, kept in the server's directory: what got new
 * shares since then does not get them again.
 */
export class RefreshStart {
  readonly #path: string

  constructor(directory: string) {
    this.#path = join(directory, "refresh-started")
  }

  /** Milliseconds since the Unix epoch; null where none was stopped. */
  read(now: number): number | null {
    let text: string
    try {
      text = readFileSync(this.#path, "utf8")
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return null
      throw error
    }
    // Of a time to come nothing could be older.
    const started = /^\d{1,15}\n$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
    return started <= now && now - started <= LIFETIME_MS ? started : null
  }

  write(started: number): void {
    writeFileSync(this.#path, `${started}\n`, { mode: 0o600 })
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}
