import type { Readable, Writable } from "node:stream"

/** Where a command reads and writes. Results go to `out`; everything else goes to `err`. */
export interface Terminal {
  readonly input: Readable
  readonly out: Writable
  readonly err: Writable
  /** Whether a person can answer: input and `err` are both a terminal. */
  readonly interactive: boolean
}

/** The process's own streams. */
export function processTerminal(): Terminal {
  return {
    input: process.stdin,
    out: process.stdout,
    err: process.stderr,
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  }
}

const SHOW_AFTER_MS = 400
const REDRAW_MS = 120
const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

/**
 * Runs `work` and, where it takes longer than a blink and a person watches, shows on `err` what is
 * being waited for and for how long. Scripts and logs see nothing of it.
 */
export async function withProgress<T>(
  terminal: Terminal,
  what: string | (() => string),
  work: () => Promise<T>,
): Promise<T> {
  if (!terminal.interactive) return await work()
  const started = performance.now()
  let frame = 0
  const draw = () => {
    const elapsed = performance.now() - started
    if (elapsed < SHOW_AFTER_MS) return
    const seconds = elapsed < 1000 ? "" : ` ${Math.floor(elapsed / 1000)} s`
    const text = typeof what === "string" ? what : what()
    terminal.err.write(`\r\x1b[2K${FRAMES[frame++ % FRAMES.length]} ${text}${seconds}`)
  }
  const timer = setInterval(draw, REDRAW_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    if (frame > 0) terminal.err.write("\r\x1b[2K")
  }
}
