export type { Custody, ErrorCode, KeyState, KeyType, LogPosition } from "@lockkeeper/api"
export { LockKeeperError } from "@lockkeeper/api"
export type {
  Clock,
  Compute,
  Dependencies,
  Network,
  Randomness,
  ServerLink,
  ServerStatus,
} from "./dependencies.ts"
export { type EvidenceVerdict, verifyEvidenceFile } from "./evidence.ts"
export type { Incident } from "./incidents.ts"
export type { KeyInfo } from "./key-info.ts"
export { DEFAULT_PATIENCE, type Patience } from "./limits.ts"
export {
  type ConnectOptions,
  LockKeeper,
  type LoginOptions,
  type ServerHealth,
} from "./lock-keeper.ts"
export type { Logged } from "./principal.ts"
export type { Registered, RegisterOptions } from "./register.ts"
export type {
  Cancellable,
  ChangePasswordOptions,
  CreatedKey,
  CreateKeyOptions,
  KeyList,
  Keys,
  Session,
  Signature,
  SignOptions,
  Taproot,
  WithIncidents,
} from "./session.ts"
export { type PasswordInput, spellName } from "./spelling.ts"
