import type { Bytes } from "@lockkeeper/encoding"
import type { Store } from "./store.ts"

/** Milliseconds since the Unix epoch. */
export interface Clock {
  now(): number
}

/** Fresh, uniform, independent bytes; MUST be cryptographically secure in production. */
export interface Randomness {
  bytes(length: number): Bytes
}

/** `now` while somebody waits for an answer to sign with; `background` for refills. */
export type Urgency = "now" | "background"

/**
 * Runs `dkls.work`: the heavy part of setup and presigning steps, pure, from bytes to bytes. May do
 * so in another thread, so that one slow step does not hold up other requests.
 */
export interface Compute {
  /**
   * Takes ownership of `task`: it is empty or zero afterwards. The caller wipes the result.
   *
   * @throws LockKeeperError `rate-limited` when too much waits already, `unavailable` when the
   *   thread ended; in both cases nothing was made.
   */
  work(task: Bytes, urgency: Urgency): Promise<Bytes>
}

/** What one urgency has done in this process and waits for, for metrics. */
export interface ComputeLoad {
  readonly waiting: number
  readonly running: number
  /** Tasks that ended, well or not. */
  readonly ended: number
  readonly waitedSeconds: number
  readonly ranSeconds: number
}

/** What a process computes with from its start to its end. */
export interface ComputePool extends Compute {
  /** Gets ready, so that the first task does not wait for that. */
  warmUp(): void
  load(urgency: Urgency): ComputeLoad
  /** Refuses what waits, and resolves when what runs has ended. */
  close(): Promise<void>
}

/** What an operator may read: never a body, a name, a key or a secret. */
export interface EventSink {
  event(name: string, fields: Readonly<Record<string, string | number | boolean>>): void
}

/** Everything a key server takes from the world, so that a simulator can own it. */
export interface Dependencies {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly compute: Compute
  readonly store: Store
  readonly events: EventSink
}
