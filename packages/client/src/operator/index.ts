export type { SharingKind, SharingListing } from "@lockkeeper/api"
export { LockKeeperError } from "@lockkeeper/api"
export type { Certify } from "./credentials.ts"
export { type FromServers, type OperatorOptions, OperatorSession } from "./operator-session.ts"
