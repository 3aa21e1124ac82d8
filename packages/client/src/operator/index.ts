export type { SharingKind, SharingListing } from "@lockkeeper/api"
export { LockKeeperError } from "@lockkeeper/api"
export type {
  RefreshOptions,
  RefreshProgress,
  RefreshReport,
  ReshareReport,
} from "./campaign.ts"
export type { PlanOptions, RefreshPlan, Skipped } from "./campaign-plan.ts"
export type { Certify } from "./credentials.ts"
export type { Lacking, LackingReason } from "./lacking.ts"
export { type FromServers, type OperatorOptions, OperatorSession } from "./operator-session.ts"
export type { NotRepaired } from "./repair-batch.ts"
export type { RepairOptions, RepairProgress, RepairReport } from "./repair-server.ts"
