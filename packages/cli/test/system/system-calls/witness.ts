import { LockKeeperError, type LogPosition } from "@lockkeeper/api"

/** One frame that a server was sent, and what came back. */
export interface Exchange {
  readonly server: number
  /** Of the payload: `login`, `login-finish`, `act` and so on. */
  readonly kind: string
  /** When the answer came, in seconds since the Unix epoch; null when none came. */
  readonly answeredAt: number | null
  /** Where the server says it logged it. */
  readonly log: LogPosition | null
  /** Why not, where it was refused or nothing came back. */
  readonly error: LockKeeperError | null
}

interface Frames {
  readonly identifier: number
  call(payload: { readonly kind: string }, signal: AbortSignal): Promise<object>
  finishLogin(...parts: unknown[]): Promise<object>
}

interface FramesClass {
  readonly prototype: Frames
  open(
    servers: unknown,
    identifier: number,
    payload: (transcript: never) => { readonly kind: string },
    signal: AbortSignal,
  ): Promise<object>
}

/** Everything that servers have acknowledged to this process, or refused it. */
export class Witness {
  readonly exchanges: Exchange[] = []

  /** The SDK keeps most of it to itself, so this listens where it comes out of the channel. */
  async listen(): Promise<void> {
    const inside = new URL("./server-session.ts", import.meta.resolve("@lockkeeper/client")).href
    const { ServerSession } = (await import(inside)) as { ServerSession: FramesClass }
    const { prototype, open } = ServerSession
    const { call, finishLogin } = prototype
    const witness = this
    prototype.call = function (payload, signal) {
      const { identifier } = this
      return witness.#noted(identifier, payload.kind, () => call.call(this, payload, signal))
    }
    prototype.finishLogin = function (...parts) {
      const { identifier } = this
      return witness.#noted(identifier, "login-finish", () => finishLogin.apply(this, parts))
    }
    ServerSession.open = function (servers, identifier, payload, signal) {
      let kind = "open"
      const named = (transcript: never) => {
        const first = payload(transcript)
        kind = first.kind
        return first
      }
      const opened = () => open.call(this, servers, identifier, named, signal)
      return witness.#noted(identifier, () => kind, opened)
    }
  }

  async #noted<T extends object>(
    server: number,
    kind: string | (() => string),
    exchange: () => Promise<T>,
  ): Promise<T> {
    const note = (rest: Pick<Exchange, "answeredAt" | "log" | "error">) => {
      this.exchanges.push({ server, kind: typeof kind === "string" ? kind : kind(), ...rest })
    }
    try {
      const answer = await exchange()
      const log = "log" in answer ? (answer.log as LogPosition) : null
      note({ answeredAt: now(), log, error: null })
      return answer
    } catch (error) {
      if (!(error instanceof LockKeeperError)) throw error
      note({ answeredAt: null, log: null, error })
      throw error
    }
  }
}

/** To the microsecond, by the same clock as strace's. */
function now(): number {
  return (performance.timeOrigin + performance.now()) / 1000
}

/** Whether the server itself said no; otherwise it, or the way to it, was silent. */
export function isRefusal({ error }: Exchange): boolean {
  return error !== null && !/gave no answer|refuses connections|cut off/.test(error.message)
}
