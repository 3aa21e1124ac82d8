import { join } from "node:path"
import { type ControlListening, listenForControl } from "./adapters/control-socket.ts"
import { systemClock, systemRandomness } from "./adapters/system.ts"
import { WorkerCompute } from "./adapters/worker-compute/worker-compute.ts"
import { assembleSelf, checkClock } from "./assemble-self.ts"
import type { ServerConfig } from "./config/schema.ts"
import { readTls } from "./config/tls.ts"
import { answerControl } from "./control/answer.ts"
import { maxControlRequest } from "./control/requests.ts"
import { findAnchor, judgeStore, removeAnchor, writeAnchor } from "./directory/anchor.ts"
import { FILES } from "./directory/layout.ts"
import { holdDirectory } from "./directory/process-lock.ts"
import { type Unsealed, unsealServer } from "./directory/unseal.ts"
import { markStart, markStop } from "./incarnation.ts"
import { KeyServer } from "./key-server.ts"
import { Gate } from "./limits/gate.ts"
import { openPorts } from "./open-ports.ts"
import type {
  Clock,
  ComputePool,
  Dependencies,
  EventSink,
  Randomness,
  Urgency,
} from "./ports/dependencies.ts"
import type { ServerState } from "./ports/listener.ts"
import type { SealProvider } from "./ports/seal-provider.ts"
import { RosterSuccession } from "./roster-succession.ts"
import { Turnstile } from "./turnstile.ts"
import { WatchedStore } from "./watched-store.ts"

const TIDY_MS = 60_000

export interface RunOptions {
  readonly directory: string
  readonly config: ServerConfig
  readonly seal: SealProvider
  readonly events: EventSink
  readonly clock?: Clock
  readonly randomness?: Randomness
  /** Worker threads by default. */
  readonly compute?: ComputePool
}

/** A key server that answers. */
export interface RunningServer {
  /** The one that answers now: the next one after each change of the roster. */
  readonly server: KeyServer
  readonly name: string
  /** Where it listens, as the operating system gave it. */
  readonly host: string
  readonly port: number
  /** Where it is scraped, or null. */
  readonly metrics: { readonly host: string; readonly port: number } | null
  /** Finishes requests under way, ends sessions, wipes keys, closes the store. */
  close(): Promise<void>
}

/** What a start has made so far. */
interface Started {
  readonly unsealed: Unsealed
  readonly deps: Dependencies
  readonly turnstile: Turnstile
  readonly succession: RosterSuccession
  readonly compute: ComputePool
  readonly letGo: () => void
}

/**
 * Unseals a server's directory and serves it until `close`.
 *
 * @throws LockKeeperError `misconfigured` naming field and remedy; then nothing is left running.
 */
export async function runServer(options: RunOptions): Promise<RunningServer> {
  const { directory, config, seal, events } = options
  const clock = options.clock ?? systemClock
  const randomness = options.randomness ?? systemRandomness
  // The certificate is looked at before the passphrase is stretched: the cheapest refusal first.
  readTls(directory, config.tls, clock.now())
  const letGo = holdDirectory(directory)
  const compute = options.compute ?? new WorkerCompute(config.compute)
  let unsealed: Unsealed | null = null
  try {
    const anchor = findAnchor(directory)
    unsealed = await unsealServer(directory, seal, randomness)
    const self = await assembleSelf(unsealed)
    await checkClock(unsealed, self, clock.now())
    const store = new WatchedStore(unsealed.store)
    const deps: Dependencies = { clock, randomness, compute, store, events }
    const maxAgeMs = config.pool.maxAgeHours * 3_600_000
    const server = new KeyServer(self, deps, maxAgeMs)
    const { condition, pool } = await judgeStore(anchor, store, self.identity.publicKey)
    removeAnchor(directory)
    await markStart(deps, condition)
    await server.start(condition, pool)
    const turnstile = new Turnstile(server)
    const succession = new RosterSuccession({ unsealed, store, deps, turnstile, maxAgeMs })
    return await serve(options, { unsealed, deps, turnstile, succession, compute, letGo })
  } catch (error) {
    await compute.close()
    await unsealed?.close()
    letGo()
    throw error
  }
}

/** Records the stop, closes the store, and vouches for what it then is. */
async function stopInOrder(
  { directory, events }: RunOptions,
  { unsealed, deps, turnstile }: Started,
): Promise<void> {
  const incarnation = await markStop(deps)
  const end = await unsealed.store.close()
  if (incarnation === null || end === null || turnstile.isBroken) return
  try {
    const left = { incarnation, ...end, pool: turnstile.server.poolDigest() }
    writeAnchor(directory, left, unsealed.secrets.identity)
  } catch {
    // The next start takes it for a crash and burns what it might have gone on with.
    events.event("anchor-not-written", {})
  }
}

/** The operator's way in; a server that cannot have one serves all the same, and says so. */
async function openControl(
  { directory, events }: RunOptions,
  started: Started,
): Promise<ControlListening | null> {
  const path = join(directory, FILES.control)
  try {
    return await listenForControl(path, maxControlRequest, (line) => answerControl(started, line))
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : ""
    events.event("control-unavailable", { code })
    return null
  }
}

async function serve(options: RunOptions, started: Started): Promise<RunningServer> {
  const { config, events } = options
  const { unsealed, turnstile, succession, compute, letGo } = started
  let state: ServerState = "ready"
  const gate = new Gate(config.limits)
  const source = {
    turnstile,
    gate,
    load: (urgency: Urgency) => compute.load(urgency),
    startedAt: turnstile.server.now(),
  }
  const listening = await openPorts(options, source, () => state).catch(async (error) => {
    await stopInOrder(options, started)
    throw error
  })
  const control = await openControl(options, started)
  const tidying = setInterval(() => {
    turnstile.pass((server) => server.tidy()).catch(() => events.event("tidy-failed", {}))
  }, TIDY_MS)
  tidying.unref()
  compute.warmUp()
  const { host, port, metrics } = listening
  const { identifier, roster } = turnstile.server.self
  const name = roster.members.find((m) => m.identifier === identifier)?.name ?? ""
  events.event("listening", { host, port, server: identifier, roster: roster.rosterEpoch })
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    state = "stopping"
    clearInterval(tidying)
    await control?.close()
    await succession.close()
    await listening.close(config.limits.shutdownTimeoutMs)
    await compute.close()
    turnstile.server.stop()
    try {
      await stopInOrder(options, started)
    } finally {
      await unsealed.close()
      letGo()
    }
    events.event("stopped", { refused: gate.refused })
  }
  return {
    get server() {
      return turnstile.server
    },
    name,
    host,
    port,
    metrics,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}
