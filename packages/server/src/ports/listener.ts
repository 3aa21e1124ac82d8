import type { PlacementMargin, RosterChain } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"

export type ServerState = "ready" | "read-only" | "sealed" | "stopping"

/** What the network may see of a server without a session. */
export interface Health {
  readonly state: ServerState
  readonly server: number
  readonly rosterEpoch: number
  /** Milliseconds since the Unix epoch, by the server's clock. */
  readonly timeMs: number
  /** The store was put back to an earlier state before this process started. */
  readonly storeRestored: boolean
  /** What the roster's placement rules leave. */
  readonly placement: PlacementMargin
}

export interface Version {
  readonly version: string
  readonly protocolVersion: number
  readonly backends: readonly string[]
}

/**
 * The five calls of the wire, without a wire. Adapters: HTTP; a simulator's network calls it as it
 * is. Refusals that no session can carry are thrown as LockKeeperError.
 */
export interface Endpoint {
  health(): Health
  version(): Version
  /** Ends with the roster that the server follows. */
  rosterChain(): RosterChain
  /** @param source - where the bytes come from, for rates: an address, never trusted for more. */
  open(source: string, hello: Bytes): Promise<Bytes>
  call(source: string, frame: { sessionId: Bytes; counter: number; sealed: Bytes }): Promise<Bytes>
}

/** Where an endpoint is reachable. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** Takes no new connection, waits for requests under way, then cuts what is left. */
  close(timeoutMs: number): Promise<void>
}
