export type { Coordinator } from "./world/coordinator.ts"
export { type DiskLatency, type DiskSnapshot, SimulatedDisk } from "./world/disk.ts"
export type { DiskContent } from "./world/disk-content.ts"
export { CALM, type Direction, type LinkFaults, type LinkPlace } from "./world/faults.ts"
export type { Machine } from "./world/machine.ts"
export type { Planted } from "./world/machine-surroundings.ts"
export { SimulatedNetwork } from "./world/network.ts"
export type {
  ObservedAnswer,
  ObservedBug,
  ObservedChange,
  ObservedCommit,
  ObservedEvent,
  ObservedGuesses,
  ObservedIncident,
  ObservedUse,
} from "./world/observations.ts"
export { Observations } from "./world/observations.ts"
export {
  type Asked,
  type Delivery,
  forgedRefusal,
  honestRelay,
  type Relay,
  type WireAnswer,
  type WireRequest,
} from "./world/relay.ts"
export { SeededRandomness } from "./world/seeded-randomness.ts"
export { SimulatedRowStore } from "./world/simulated-row-store.ts"
export { SkewedClock } from "./world/skewed-clock.ts"
export { Trace, type TraceEntry, type TraceLine } from "./world/trace.ts"
export { VirtualClock } from "./world/virtual-clock.ts"
export { World, type WorldOptions } from "./world/world.ts"
