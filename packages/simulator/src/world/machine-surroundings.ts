import type { RosterChain } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import {
  type Dependencies,
  type Endpoint,
  type KeyServer,
  parseConfig,
  type ServerConfig,
  type ServerSelf,
} from "@lockkeeper/server"
import type { DiskLatency } from "./disk.ts"
import type { Observations } from "./observations.ts"
import type { SeededRandomness } from "./seeded-randomness.ts"
import type { SkewedClock } from "./skewed-clock.ts"
import type { Trace } from "./trace.ts"
import type { VirtualClock } from "./virtual-clock.ts"

/** As a server's own configuration has them by default. */
export const LIMITS = parseConfig({
  version: 1,
  listen: { port: 0 },
  tls: { certificate: "none", key: "none" },
}).limits

/** What planted faults wrap: a server's own dependencies, its making, its endpoint. */
export interface Planted {
  readonly deps?: (identifier: Identifier, deps: Dependencies) => Dependencies
  readonly makeServer?: (self: ServerSelf, deps: Dependencies) => KeyServer
  readonly endpoint?: (identifier: Identifier, endpoint: Endpoint) => Endpoint
}

/** What a machine takes from its world. */
export interface MachineSurroundings extends Planted {
  readonly identifier: Identifier
  readonly clock: VirtualClock
  /** What this machine's own clock shows. */
  readonly skewed: SkewedClock
  readonly trace: Trace
  readonly observations: Observations
  readonly randomness: (actor: string) => SeededRandomness
  readonly nextProcess: () => number
  readonly latency: DiskLatency
  readonly limits: ServerConfig["limits"]
  /** The rosters that it is set up with: the world's, once all members are known. */
  readonly chain: () => RosterChain
  readonly enumerationSeed: Bytes
}

/** One run of a server's process. */
export interface RunningProcess {
  readonly number: number
  readonly endpoint: Endpoint
  /** Settles when the process is gone, whatever it was doing. */
  readonly gone: AbortSignal
}
