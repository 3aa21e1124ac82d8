import type { Member, PlacementMargin } from "@lockkeeper/api"
import type { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `ms` milliseconds, or at once when the signal aborts; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export interface Randomness {
  /** Fresh, uniform, independent bytes; MUST be cryptographically secure in production. */
  bytes(length: number): Bytes
}

/** What a server says about itself without a session; as trustworthy as TLS. */
export interface ServerStatus {
  readonly state: "ready" | "read-only" | "sealed" | "stopping" | "unknown"
  readonly server: number
  readonly rosterEpoch: number
  readonly timeMs: number
  /** Its database was put back to an earlier state before it started. */
  readonly storeRestored: boolean
  /** What its roster's placement rules leave; null from a server that does not say. */
  readonly placement: PlacementMargin | null
  readonly version: string
  readonly protocolVersion: number
  readonly backends: readonly string[]
}

/**
 * The way to one key server. Everything secret is sealed before it comes here. Rejects with a
 * LockKeeperError: the server's refusal, or `unavailable` when there is no answer.
 */
export interface ServerLink {
  open(hello: Bytes, signal: AbortSignal): Promise<Bytes>
  call(
    frame: { readonly sessionId: Bytes; readonly counter: number; readonly sealed: Bytes },
    signal: AbortSignal,
  ): Promise<Bytes>
  status(signal: AbortSignal): Promise<ServerStatus>
  /** Canonical encoding of the RosterChain that the server publishes. */
  roster(signal: AbortSignal): Promise<Bytes>
  close(): void
}

export interface Network {
  connect(member: Member): ServerLink
}

/** Work that would hold up everything else: off the main thread where the platform can. */
export interface Compute {
  /** Argon2id (RFC 9106) with a salt of 16 zero bytes, as RFC 9807 Section 7 has it: 64 bytes. */
  stretch(input: Secret, stretching: opaque.Stretching): Promise<Secret>
}

/**
 * Secrets that stay on this device, one for each account: beside what follows from the password, what
 * opens an owner's shares. Used through a keyed hash alone, so that a key which nothing can read out
 * serves as well as a file.
 */
export interface DeviceSecrets {
  /** HMAC-SHA256 of `input` under the account's secret; null where this device has none. */
  derive(accountId: Bytes, input: Bytes): Promise<Secret | null>
  /** The same, once a secret is kept for good: made where there was none. */
  deriveOrMake(accountId: Bytes, input: Bytes): Promise<Secret>
}

/** Everything the SDK takes from the world, so that a simulator can own it. */
export interface Dependencies {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly network: Network
  readonly compute: Compute
  readonly deviceSecrets: DeviceSecrets
}
