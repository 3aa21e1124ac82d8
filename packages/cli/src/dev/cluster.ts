import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import { readRoster } from "../roster-file.ts"
import { type ClusterPlan, clusterLayout, makeCluster, readPlan } from "./cluster-files.ts"
import { ServerProcess } from "./server-process.ts"

/** Most servers of a local cluster. */
const MAX_LOCAL_SERVERS = 16

export interface ClusterOptions {
  readonly servers: number
  readonly threshold: number
  /** Kept across runs; null for a temporary one that is deleted at the end. */
  readonly directory: string | null
  /** First port, the others follow; null for any free ones. */
  readonly firstPort?: number | null
  readonly allowedOrigins?: readonly string[]
  readonly signal?: AbortSignal
}

/** Key servers on this machine, each a process of its own with storage of its own. */
export interface Cluster {
  readonly directory: string
  readonly temporary: boolean
  /** Profile directory for clients: set LK_HOME to it. */
  readonly profile: string
  /** Path of the signed roster. */
  readonly roster: string
  /** Digest of the roster, 32 bytes. */
  readonly rosterPin: Bytes
  /** Path of the cluster's own certificate authority, PEM. */
  readonly ca: string
  readonly threshold: number
  readonly servers: readonly ServerProcess[]
  /** Ends every server and deletes a temporary directory. */
  stop(): Promise<void>
}

/** The majority: the usual threshold when none is asked for. */
export function defaultThreshold(servers: number): number {
  return Math.floor(servers / 2) + 1
}

/**
 * Brings up a cluster: makes it where there is none, then starts its servers.
 *
 * @throws LockKeeperError `misconfigured` naming the option, or what a server refused.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  checkSize(options)
  const temporary = options.directory === null
  const directory = temporary
    ? mkdtempSync(join(tmpdir(), "lockkeeper-"))
    : resolve(options.directory ?? "")
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const signal = options.signal ?? new AbortController().signal
  const clear = () => {
    if (temporary) rmSync(directory, { recursive: true, force: true })
  }
  let servers: readonly ServerProcess[] = []
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop("SIGTERM")))
    clear()
  }
  try {
    const plan = readPlan(directory) ?? (await makePlan(directory, options))
    checkSame(plan, options)
    servers = plan.ports.map((port, i) => new ServerProcess(directory, i + 1, port))
    await Promise.all(servers.map((server) => server.start(signal)))
    signal.throwIfAborted()
  } catch (error) {
    await stop()
    throw error
  }
  const { profile, roster, ca } = clusterLayout(directory)
  const { digest: rosterPin } = readRoster(roster, null)
  const { threshold } = options
  return { directory, temporary, profile, roster, rosterPin, ca, threshold, servers, stop }
}

async function makePlan(directory: string, options: ClusterOptions): Promise<ClusterPlan> {
  const { servers, threshold, firstPort = null, allowedOrigins = [] } = options
  const ports =
    firstPort === null
      ? await freePorts(servers)
      : Array.from({ length: servers }, (_, i) => firstPort + i)
  const plan = { threshold, ports, allowedOrigins }
  await makeCluster(directory, plan)
  return plan
}

/** Ports that nobody listens on, all held at once so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(listeners.map((listener) => once(listener, "listening")))
  const ports = listeners.map((listener) => (listener.address() as AddressInfo).port)
  await Promise.all(listeners.map((listener) => once(listener.close(), "close")))
  return ports
}

function checkSize({ servers, threshold }: ClusterOptions): void {
  if (!Number.isInteger(servers) || servers < 1 || servers > MAX_LOCAL_SERVERS) {
    throw new LockKeeperError(
      "misconfigured",
      `A local cluster has 1 to ${MAX_LOCAL_SERVERS} servers, not ${servers}.`,
      { field: "servers", remedy: "Try --servers 3." },
    )
  }
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > servers) {
    throw new LockKeeperError(
      "misconfigured",
      `The threshold is ${threshold} but there are ${servers} servers.`,
      { field: "threshold", remedy: `Choose a threshold from 1 to ${servers}.` },
    )
  }
}

function checkSame(plan: ClusterPlan, { servers, threshold }: ClusterOptions): void {
  if (plan.ports.length === servers && plan.threshold === threshold) return
  throw new LockKeeperError(
    "misconfigured",
    `The directory holds a cluster of ${plan.ports.length} servers with threshold ${plan.threshold}.`,
    { field: "directory", remedy: "Ask for the same numbers, or name an empty directory." },
  )
}
