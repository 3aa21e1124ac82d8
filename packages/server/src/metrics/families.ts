import { ERROR_CODES, KEY_TYPES } from "@lockkeeper/api"
import { COUNTED, type Counted, INCIDENT_KINDS } from "../counters.ts"
import type { KeyServer } from "../key-server.ts"
import type { Gate } from "../limits/gate.ts"
import type { ComputeLoad, Urgency } from "../ports/dependencies.ts"
import type { ReshareRuns } from "../resharing/room.ts"
import type { Turnstile } from "../turnstile.ts"
import { VERSION } from "../version.ts"
import type { Family, Sample } from "./exposition.ts"

const COUNTED_HELP: Readonly<Record<Counted, string>> = {
  "presignatures-made": "Presignatures put into pools.",
  "presignatures-used": "Presignatures taken to sign with.",
  "presignatures-burnt":
    "Presignatures thrown away: too old, or after a crash or a restored store.",
  "presign-aborts": "Presigning runs that a wrong message ended.",
  "pairs-set-up": "Servers that this one set up oblivious transfer with.",
  "pairs-dead": "Servers that this one no longer presigns with, since a check failed.",
  "operator-steps": "Steps carried out for operators of the roster's servers.",
}

const RUN_STATES: readonly (keyof ReshareRuns)[] = ["open", "pending", "active"]

const URGENCIES: readonly Urgency[] = ["now", "background"]

/** Where the numbers come from: all of them are in memory. */
export interface MetricsSource {
  readonly turnstile: Turnstile
  readonly gate: Gate
  readonly load: (urgency: Urgency) => ComputeLoad
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number
}

function one(name: string, type: Family["type"], help: string, value: number): Family {
  return { name: `lockkeeper_${name}`, type, help, samples: [{ labels: {}, value }] }
}

/** One sample for each of the label's values, 0 where nothing is known of it. */
function by(label: string, values: readonly string[], known: ReadonlyMap<string, number>) {
  return values.map(
    (value): Sample => ({ labels: { [label]: value }, value: known.get(value) ?? 0 }),
  )
}

function processFamilies({ turnstile, gate, startedAt }: MetricsSource): Family[] {
  const { server } = turnstile
  const uptime = (server.now() - startedAt) / 1000
  const restored = server.storeCondition === "restored" ? 1 : 0
  const version = { labels: { version: VERSION }, value: 1 }
  const { user, system } = process.cpuUsage()
  return [
    {
      ...one("build_info", "gauge", "The version that runs.", 1),
      samples: [version],
    },
    one("uptime_seconds", "gauge", "Since this process started.", uptime),
    one("cpu_seconds_total", "counter", "Processor time of all threads.", (user + system) / 1e6),
    one("memory_bytes", "gauge", "Resident memory.", process.memoryUsage.rss()),
    one("store_restored", "gauge", "1 when the store was put back before this start.", restored),
    one("sessions", "gauge", "Open sessions.", server.sessionCount),
    one("operator_sessions", "gauge", "Open sessions of operators.", server.operatorSessionCount),
    one("requests_running", "gauge", "Requests under way.", gate.running),
  ]
}

function countedFamilies({ counters }: KeyServer): Family[] {
  const pools = [...counters.pools()].map(
    ([signers, value]): Sample => ({ labels: { signers }, value }),
  )
  return [
    {
      ...one("requests_refused_total", "counter", "Requests refused, by error code.", 0),
      samples: by("code", ERROR_CODES, counters.refusals()),
    },
    {
      ...one("signature_shares_total", "counter", "Signature shares given, by key type.", 0),
      samples: by("key_type", KEY_TYPES, counters.signatures()),
    },
    ...COUNTED.map((counted) =>
      one(
        `${counted.replaceAll("-", "_")}_total`,
        "counter",
        COUNTED_HELP[counted],
        counters.counts().get(counted) ?? 0,
      ),
    ),
    {
      ...one("incidents_total", "counter", "Evidence recorded against servers, by kind.", 0),
      samples: by("kind", INCIDENT_KINDS, counters.incidents()),
    },
    one(
      "quarantined_servers",
      "gauge",
      "Servers that this one works with no more.",
      counters.quarantined,
    ),
    {
      ...one("pool_presignatures", "gauge", "Unused presignatures of all keys, by signer set.", 0),
      samples: pools,
    },
  ]
}

function sharesFamilies(server: KeyServer): Family[] {
  const oldest = server.oldestShareMs
  const age = one("oldest_share_seconds", "gauge", "Age of the oldest shares of a key.", 0)
  const runs = one("reshare_runs", "gauge", "Runs of resharing that are kept, by state.", 0)
  return [
    { ...age, samples: oldest === null ? [] : [{ labels: {}, value: oldest / 1000 }] },
    {
      ...runs,
      samples: by("state", RUN_STATES, new Map(Object.entries(server.reshareRuns))),
    },
  ]
}

function computeFamilies(load: MetricsSource["load"]): Family[] {
  const family = (
    name: string,
    type: Family["type"],
    help: string,
    value: (load: ComputeLoad) => number,
  ): Family => ({
    ...one(`compute_${name}`, type, help, 0),
    samples: URGENCIES.map((urgency) => ({ labels: { urgency }, value: value(load(urgency)) })),
  })
  return [
    family("waiting", "gauge", "Tasks that wait for a thread.", ({ waiting }) => waiting),
    family("running", "gauge", "Tasks that run.", ({ running }) => running),
    family("tasks_total", "counter", "Tasks that ended.", ({ ended }) => ended),
    family("waited_seconds_total", "counter", "Time tasks waited.", (l) => l.waitedSeconds),
    family("ran_seconds_total", "counter", "Time tasks ran.", (l) => l.ranSeconds),
  ]
}

/** Everything that a scrape shows. Labels are of closed sets or sets of servers, never an id. */
export function metricFamilies(source: MetricsSource): readonly Family[] {
  const { server } = source.turnstile
  return [
    ...processFamilies(source),
    ...countedFamilies(server),
    ...sharesFamilies(server),
    ...computeFamilies(source.load),
  ]
}
