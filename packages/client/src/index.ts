export type {
  Custody,
  ErrorCode,
  KeyState,
  KeyType,
  LogPosition,
  PairState,
  PlacementMargin,
  Roster,
  RosterDifference,
  SignContent,
  Subject,
} from "@lockkeeper/api"
export { LockKeeperError } from "@lockkeeper/api"
export type {
  AccountRequest,
  ShownAccountRequest,
  ToldServers,
  VerdictInfo,
} from "./account-requests.ts"
export { type ChildKeyInfo, extendedPublicKey } from "./child-keys.ts"
export type {
  Clock,
  Compute,
  Dependencies,
  DeviceSecrets,
  Network,
  Randomness,
  ServerLink,
  ServerStatus,
} from "./dependencies.ts"
export {
  type EvidenceVerdict,
  evidenceFile,
  MAX_EVIDENCE_FILE,
  verifyEvidenceFile,
} from "./evidence.ts"
export type { OpenedRequest, OpenRequestOptions, Policies, Requests } from "./governance.ts"
export type { Incident } from "./incidents.ts"
export type { KeyInfo } from "./key-info.ts"
export { DEFAULT_PATIENCE, type Patience } from "./limits.ts"
export {
  type ConnectOptions,
  LockKeeper,
  type LoginOptions,
  type ServerHealth,
} from "./lock-keeper.ts"
export type {
  Cancellable,
  ChangePasswordOptions,
  CreatedKey,
  CreateKeyOptions,
  DerivedKey,
  EcdsaSignature,
  KeyList,
  KeyStateResult,
  Keys,
  RecordedIncidents,
  Signature,
  SignDigestOptions,
  SignOptions,
  Taproot,
  WhatToSign,
  WhichKey,
  WithIncidents,
} from "./options.ts"
export { type DecideOptions, type PersonOptions, PersonSession } from "./person-session.ts"
export type { PairInfo, PoolSet } from "./pool-news.ts"
export type {
  FillOptions,
  FillResult,
  MaintainOptions,
  PoolEvent,
  PoolReport,
  Pools,
} from "./pools.ts"
export type { Logged } from "./principal.ts"
export type { Registered, RegisterOptions } from "./register.ts"
export type { RecordedIncident } from "./reports.ts"
export type { RosterChange } from "./roster-watch.ts"
export type { Session } from "./session.ts"
export type { SignerSet } from "./signer-sets.ts"
export { type PasswordInput, spellName } from "./spelling.ts"
