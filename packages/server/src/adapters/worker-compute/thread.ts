import { Worker } from "node:worker_threads"
import { LockKeeperError } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import { ownBuffer, type TaskAnswer } from "./serve-tasks.ts"

/** Whether this file runs as source, in a checkout, and not as built JavaScript. */
const IS_SOURCE = import.meta.url.endsWith(".ts")

/** Beyond this the thread ends instead of the process; buffers of tasks do not count. */
const HEAP_MB = 256

/** After this a thread is stopped in the middle of its task, milliseconds. */
const LONGEST_END_MS = 10_000

/** What threads run unless a test gives them something else. */
export const WORKER_PROGRAM = new URL(`./worker.${IS_SOURCE ? "ts" : "js"}`, import.meta.url)

interface Pending {
  resolve(result: Bytes): void
  reject(error: Error): void
}

export function computationEnded(cause?: unknown): LockKeeperError {
  return new LockKeeperError("unavailable", "The computation ended before it had a result.", {
    remedy: "Try again.",
    cause,
  })
}

/** A task threw: wrong in itself, or a fault of ours. The thread lives on. */
class TaskFailed extends Error {
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

/** One worker thread, with one task at a time. It keeps no process alive while it has none. */
export class Thread {
  readonly #worker: Worker
  #pending: Pending | null = null
  #cause: unknown
  #isEnding = false
  #ended = false

  constructor(program: URL) {
    this.#worker = new Worker(program, {
      // A thread of source runs source, whatever was built last; and sees no variable of ours.
      execArgv: IS_SOURCE ? ["--conditions=lockkeeper-source"] : [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    this.#worker.on("message", (answer: TaskAnswer) => this.#settle(answer))
    this.#worker.on("error", (error) => {
      this.#cause = error
    })
    this.#worker.once("exit", () => {
      this.#ended = true
      this.#release()?.reject(computationEnded(this.#cause))
    })
    this.#worker.unref()
  }

  /** False while a task runs, and for ever once the thread has ended. */
  get isFree(): boolean {
    return this.#pending === null && !this.#ended
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  /** Hands the task's memory over. @throws LockKeeperError `unavailable` when the thread ends. */
  run(task: Bytes): Promise<Bytes> {
    if (!this.isFree) throw new Error("the thread is not free")
    return new Promise((resolve, reject) => {
      const own = ownBuffer(task)
      this.#worker.postMessage(own, [own.buffer])
      this.#worker.ref()
      this.#pending = { resolve, reject }
    })
  }

  /**
   * Lets the thread finish what it does and end. To be waited for before the process ends: Node
   * crashes where a thread is stopped while it loads native code.
   */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#isEnding = true
    this.#worker.ref()
    // `events.once` would throw what the thread died of, which its task has been told.
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve))
    const stop = setTimeout(() => void this.#worker.terminate(), LONGEST_END_MS)
    this.#worker.postMessage(null)
    await ended
    clearTimeout(stop)
  }

  #settle(answer: TaskAnswer): void {
    const pending = this.#release()
    if (answer.kind === "done") pending?.resolve(answer.result)
    else pending?.reject(new TaskFailed(answer.name, answer.message))
  }

  #release(): Pending | null {
    const pending = this.#pending
    this.#pending = null
    if (!this.#isEnding) this.#worker.unref()
    return pending
  }
}
