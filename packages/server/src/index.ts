export { listenHttp } from "./adapters/http/listen.ts"
export { inlineCompute } from "./adapters/inline-compute.ts"
export { MemoryRowStore } from "./adapters/memory-row-store.ts"
export { type Argon2Cost, DEFAULT_COST, PassphraseSeal } from "./adapters/passphrase-seal.ts"
export { type LogLevel, pinoEvents } from "./adapters/pino-events.ts"
export { SqliteRowStore } from "./adapters/sqlite/row-store.ts"
export { systemClock, systemRandomness } from "./adapters/system.ts"
export { WorkerCompute, type WorkerOptions } from "./adapters/worker-compute/worker-compute.ts"
export { checkClock } from "./assemble-self.ts"
export { readConfig } from "./config/read.ts"
export { parseConfig, type ServerConfig } from "./config/schema.ts"
export { readTls, type TlsMaterial } from "./config/tls.ts"
export { askServer, isRunning } from "./control/ask.ts"
export type { ControlAnswer, ControlRequest, IncidentRecord } from "./control/requests.ts"
export { Counters } from "./counters.ts"
export {
  type Activated,
  activateBundle,
  installBundle,
  settleStopped,
} from "./directory/activate.ts"
export { encodeAnchor, judgeStore } from "./directory/anchor.ts"
export { type Descriptor, readDescriptor, writeDescriptor } from "./directory/descriptor.ts"
export { type Holdings, heldShares, outlookOf } from "./directory/holdings.ts"
export { type InitOptions, initialiseServer, type ServerPlace } from "./directory/init.ts"
export { FILES } from "./directory/layout.ts"
export { checkHasCome, checkMayGoOn, type GoOnOptions } from "./directory/may-go-on.ts"
export { checkOwnerOnlyDirectory } from "./directory/owner-only.ts"
export { holdDirectory } from "./directory/process-lock.ts"
export { type RetireOptions, retireServer } from "./directory/retire.ts"
export {
  type InstalledRoster,
  installRoster,
  ownMember,
  readInstalledRoster,
  readInstalledRosterOrNone,
  signRosterAs,
} from "./directory/roster.ts"
export {
  joinRoster,
  type RosterBundle,
  type RosterSignature,
  rosterBundleCodec,
  rosterSignatureCodec,
} from "./directory/roster-bundle.ts"
export { consentToRoster } from "./directory/roster-consent.ts"
export { rotateChannelKey } from "./directory/rotate-channel-key.ts"
export { deriveSecrets, generateSeeds, type ServerSecrets } from "./directory/server-secrets.ts"
export { type Unsealed, unsealServer } from "./directory/unseal.ts"
export { endpointOf } from "./endpoint.ts"
export { markStart, markStop } from "./incarnation.ts"
export { KeyServer, type StoreCondition } from "./key-server.ts"
export { Gate } from "./limits/gate.ts"
export type {
  Clock,
  Compute,
  ComputeLoad,
  ComputePool,
  Dependencies,
  EventSink,
  Randomness,
  Urgency,
} from "./ports/dependencies.ts"
export type { Endpoint, Health, Listening, ServerState, Version } from "./ports/listener.ts"
export type { Log, LoggedEntry } from "./ports/log.ts"
export {
  checkBatch,
  checkLimit,
  demandedVersion,
  type LogRow,
  nextVersion,
  type Row,
  type RowChange,
  type RowStore,
  StoreUnavailable,
} from "./ports/row-store.ts"
export { type SealProvider, SealRecordDamaged } from "./ports/seal-provider.ts"
export {
  type Change,
  type LogEntry,
  type LogPosition,
  type Store,
  StoreConflict,
  TABLES,
  type Table,
  type Versioned,
} from "./ports/store.ts"
export { type RunningServer, type RunOptions, runServer } from "./run-server.ts"
export { SealBroken, SealedStore } from "./sealing/sealed-store.ts"
export type { ServerSelf } from "./self.ts"
export { Turnstile } from "./turnstile.ts"
export { PROTOCOL_VERSION, VERSION } from "./version.ts"
