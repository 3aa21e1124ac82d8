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

/** Runs protocol steps; those that take more than 2 ms may go to another thread. */
export interface Compute {
  run<T>(step: () => T): Promise<T>
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
