import { LockKeeperError } from "@lockkeeper/api"
import type { KeyServer } from "./key-server.ts"
import { StoreConflict } from "./ports/store.ts"

/** How a server's place is taken by its next one. */
export interface Exchange {
  /** Longest that calls under way are waited for, milliseconds. */
  readonly drainMs: number
  /** With nothing under way: refuses what cannot be. Where it throws, nothing has changed. */
  readonly check: () => Promise<void>
  /** Makes the change durable. Where it throws anything but a `StoreConflict`, it may have become so. */
  readonly commit: () => Promise<void>
  /** From then on there is no way back: the server that goes on. */
  readonly build: () => Promise<KeyServer>
}

/**
 * Where everything passes that a key server is asked for, so that another one can take its place while
 * it is in use: what is under way ends first, what comes meanwhile waits and is answered by the next.
 */
export class Turnstile {
  #server: KeyServer
  #running = 0
  #exchange: Promise<void> | null = null
  #isBroken = false
  #onIdle: (() => void) | null = null

  constructor(server: KeyServer) {
    this.#server = server
  }

  /** The one that answers now. */
  get server(): KeyServer {
    return this.#server
  }

  /** Whether a change was made durable, or may have been, that no server of this process goes on from. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Runs `work` at the server that answers when its turn comes. @throws LockKeeperError `unavailable` */
  async pass<T>(work: (server: KeyServer) => Promise<T>): Promise<T> {
    while (this.#exchange !== null) await this.#exchange
    if (this.#isBroken) throw broken()
    this.#running += 1
    try {
      return await work(this.#server)
    } finally {
      this.#running -= 1
      if (this.#running === 0) this.#onIdle?.()
    }
  }

  /**
   * Has another server go on, and ends the one before: its sessions, and the secrets that it alone had.
   *
   * @throws LockKeeperError `conflict` during another exchange, `unavailable` where calls do not end in
   *   time: then nothing has changed; and what `check`, `commit` and `build` throw.
   */
  async exchange(how: Exchange): Promise<void> {
    if (this.#exchange !== null) {
      throw new LockKeeperError("conflict", "The server is changing its roster already.", {
        remedy: "Wait until that has ended.",
      })
    }
    if (this.#isBroken) throw broken()
    let open = (): void => undefined
    this.#exchange = new Promise<void>((resolve) => {
      open = resolve
    })
    try {
      await this.#drain(how.drainMs)
      await how.check()
      await this.#commit(how)
      const next = await how.build()
      this.#server.stop(next)
      this.#server = next
      this.#isBroken = false
    } finally {
      this.#exchange = null
      open()
    }
  }

  async #commit({ commit }: Exchange): Promise<void> {
    this.#isBroken = true
    try {
      await commit()
    } catch (error) {
      // Anything else can come after the change is on the disk: the server before must not go on then.
      if (error instanceof StoreConflict) this.#isBroken = false
      throw error
    }
  }

  async #drain(mostMs: number): Promise<void> {
    if (this.#running === 0) return
    let cut: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      cut = setTimeout(() => resolve(false), mostMs)
    })
    const idle = new Promise<boolean>((resolve) => {
      this.#onIdle = () => resolve(true)
    })
    const ended = await Promise.race([idle, late])
    clearTimeout(cut)
    this.#onIdle = null
    if (ended) return
    const calls = this.#running
    throw new LockKeeperError("unavailable", `${calls} calls under way did not end in time.`, {
      remedy: "Nothing was changed. Try again when the server has less to do.",
    })
  }
}

function broken(): LockKeeperError {
  return new LockKeeperError("unavailable", "The server could not go on under its next roster.", {
    remedy: "Its operator has to start it anew: it goes on under that roster then.",
  })
}
