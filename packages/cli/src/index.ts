export { commandAlias } from "./command-alias.ts"
export { type Cluster, type ClusterOptions, defaultThreshold, startCluster } from "./dev/cluster.ts"
export type { ServerProcess } from "./dev/server-process.ts"
