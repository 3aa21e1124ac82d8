import type { Identifier } from "@lockkeeper/crypto"
import { type Incident, IncidentLog } from "./incidents.ts"
import type { Servers } from "./servers.ts"
import type { OnSlow } from "./watch.ts"

/** What work that several wait for came to, and what was noticed on the way. */
export interface Shared<T> {
  readonly value: T
  readonly incidents: readonly Incident[]
}

interface Task<T> {
  /** How many had come when the work began. */
  wanted: number
  begun: boolean
  readonly slow: Set<Identifier>
  readonly listeners: Set<OnSlow>
  promise: Promise<Shared<T>>
}

/** The work itself, for as many as want it. */
export type Work<T> = (wanted: number, incidents: IncidentLog, onSlow: OnSlow) => Promise<T>

/**
 * Work of which one piece at a time is done under a name, for all who want it: who comes before it
 * begins is counted in, who comes later waits for it and may ask again. It does not end with any one
 * caller.
 */
export class SharedWork<T> {
  readonly #servers: Servers
  readonly #open = new Map<string, Task<T>>()

  constructor(servers: Servers) {
    this.#servers = servers
  }

  join(name: string, onSlow: OnSlow, work: Work<T>): Promise<Shared<T>> {
    const open = this.#open.get(name) ?? this.#start(name, work)
    if (!open.begun) open.wanted++
    open.listeners.add(onSlow)
    for (const server of open.slow) onSlow(server)
    return open.promise.finally(() => open.listeners.delete(onSlow))
  }

  #start(name: string, work: Work<T>): Task<T> {
    const { promise, resolve, reject } = Promise.withResolvers<Shared<T>>()
    const task: Task<T> = {
      ...{ wanted: 0, begun: false, promise },
      ...{ slow: new Set(), listeners: new Set() },
    }
    // The callers get the rejection, each in its own copy.
    promise.catch(() => undefined)
    this.#open.set(name, task)
    void this.#run(task, work)
      .finally(() => this.#open.delete(name))
      .then(resolve, reject)
    return task
  }

  async #run(task: Task<T>, work: Work<T>): Promise<Shared<T>> {
    // Everyone who is on the way to here in this turn of the loop is let in.
    await Promise.resolve()
    await Promise.resolve()
    task.begun = true
    const incidents = new IncidentLog(this.#servers)
    const value = await work(task.wanted, incidents, (server) => {
      task.slow.add(server)
      for (const listener of task.listeners) listener(server)
    })
    return { value, incidents: incidents.all }
  }
}
