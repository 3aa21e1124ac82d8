import { LockKeeperError } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import type { ComputeLoad, ComputePool, Urgency } from "../../ports/dependencies.ts"
import { computationEnded, Thread, WORKER_PROGRAM } from "./thread.ts"

export interface WorkerOptions {
  readonly threads: number
  /** Most tasks of each urgency that wait for a thread. */
  readonly queue: number
  /** What the threads run; `dkls.work` by default. */
  readonly program?: URL
}

interface Job {
  readonly task: Bytes
  readonly urgency: Urgency
  /** Milliseconds of this process's monotonic clock. */
  readonly since: number
  readonly resolve: (result: Bytes) => void
  readonly reject: (error: unknown) => void
}

/** A load while it is counted. */
type Counted = { -readonly [K in keyof ComputeLoad]: number }

function emptyLoad(): Counted {
  return { waiting: 0, running: 0, ended: 0, waitedSeconds: 0, ranSeconds: 0 }
}

function busy(): LockKeeperError {
  return new LockKeeperError("rate-limited", "The server has too much to compute now.", {
    remedy: "Wait a moment and try again.",
  })
}

/**
 * Computes in worker threads. `now` goes before `background`, which never has the last thread where
 * there are several: so what somebody waits for waits behind one background task at most. Threads
 * start when they are first needed, and one that ended is replaced likewise.
 */
export class WorkerCompute implements ComputePool {
  readonly #options: WorkerOptions
  #threads: Thread[] = []
  readonly #waiting: Readonly<Record<Urgency, Job[]>> = { now: [], background: [] }
  readonly #load: Readonly<Record<Urgency, Counted>> = { now: emptyLoad(), background: emptyLoad() }
  #closed = false

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  work(task: Bytes, urgency: Urgency): Promise<Bytes> {
    const refused = this.#refusal(urgency)
    if (refused !== null) {
      task.fill(0)
      return Promise.reject(refused)
    }
    return new Promise((resolve, reject) => {
      const since = performance.now()
      this.#waiting[urgency].push({ task, urgency, since, resolve, reject })
      this.#startJobs()
    })
  }

  /** Starts a first thread, so that the first task does not wait for it to load. */
  warmUp(): void {
    if (!this.#closed && this.#threads.length === 0) this.#freeThread()
  }

  load(urgency: Urgency): ComputeLoad {
    return { ...this.#load[urgency], waiting: this.#waiting[urgency].length }
  }

  /** Refuses and wipes what waits, and ends the threads after what they run. */
  async close(): Promise<void> {
    this.#closed = true
    for (const jobs of Object.values(this.#waiting)) {
      for (const { task, reject } of jobs.splice(0)) {
        task.fill(0)
        reject(computationEnded())
      }
    }
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()))
  }

  #refusal(urgency: Urgency): LockKeeperError | null {
    if (this.#closed) return computationEnded()
    return this.#waiting[urgency].length >= this.#options.queue ? busy() : null
  }

  #startJobs(): void {
    for (let job = this.#nextJob(); job !== null; job = this.#nextJob()) {
      const thread = this.#freeThread()
      if (thread === null) return
      this.#waiting[job.urgency].shift()
      void this.#run(job, thread)
    }
  }

  /** The first job that may start when a thread is free; it stays in its queue. */
  #nextJob(): Job | null {
    const { now, background } = this.#waiting
    const most = Math.max(1, this.#options.threads - 1)
    const first = this.#load.background.running < most ? background[0] : undefined
    return now[0] ?? first ?? null
  }

  #freeThread(): Thread | null {
    this.#threads = this.#threads.filter(({ hasEnded }) => !hasEnded)
    const free = this.#threads.find((thread) => thread.isFree)
    if (free !== undefined) return free
    if (this.#threads.length >= this.#options.threads) return null
    const thread = new Thread(this.#options.program ?? WORKER_PROGRAM)
    this.#threads.push(thread)
    return thread
  }

  async #run({ task, urgency, since, resolve, reject }: Job, thread: Thread): Promise<void> {
    const load = this.#load[urgency]
    const started = performance.now()
    load.waitedSeconds += (started - since) / 1000
    load.running += 1
    try {
      resolve(await thread.run(task))
    } catch (error) {
      reject(error)
    } finally {
      load.running -= 1
      load.ended += 1
      load.ranSeconds += (performance.now() - started) / 1000
      if (!this.#closed) this.#startJobs()
    }
  }
}
