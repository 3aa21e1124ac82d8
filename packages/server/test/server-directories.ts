import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  encodeRoster,
  NO_SCHEDULE,
  openChain,
  type Roster,
  type RosterChain,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { inlineCompute } from "../src/adapters/inline-compute.ts"
import { PassphraseSeal } from "../src/adapters/passphrase-seal.ts"
import { systemRandomness } from "../src/adapters/system.ts"
import { parseConfig, type ServerConfig } from "../src/config/schema.ts"
import type { Descriptor } from "../src/directory/descriptor.ts"
import { initialiseServer } from "../src/directory/init.ts"
import { installRoster } from "../src/directory/roster.ts"
import { joinRoster, type RosterBundle } from "../src/directory/roster-bundle.ts"
import { consentToRoster } from "../src/directory/roster-consent.ts"
import { type Unsealed, unsealServer } from "../src/directory/unseal.ts"
import type { ComputePool, EventSink } from "../src/ports/dependencies.ts"
import { type RunningServer, runServer } from "../src/run-server.ts"

const CHEAPEST = { memoryKiB: 19_456, passes: 2, lanes: 1 }

export const seal = (passphrase = "test passphrase"): PassphraseSeal =>
  new PassphraseSeal(new Secret(utf8(passphrase)), systemRandomness, CHEAPEST)

/** Events a test can look at. */
export class RecordedEvents implements EventSink {
  readonly seen: [string, Readonly<Record<string, string | number | boolean>>][] = []

  event(name: string, fields: Readonly<Record<string, string | number | boolean>>): void {
    this.seen.push([name, fields])
  }
}

const made: string[] = []
process.once("exit", () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

/** A directory that is removed when the process ends. */
export function scratch(prefix = "lockkeeper-"): string {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  made.push(directory)
  return directory
}

/** A self-signed certificate for localhost, made by the openssl command. */
export function certify(directory: string, name = "tls", days = 30): void {
  const key = join(directory, `${name}.key`)
  const out = join(directory, `${name}.crt`)
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
  execFileSync(
    "openssl",
    ["req", "-x509", ...curve, "-keyout", key, "-out", out, "-days", String(days), ...subject],
    { stdio: "ignore" },
  )
  execFileSync("chmod", ["600", key])
}

export interface TestServer {
  readonly directory: string
  readonly descriptor: Descriptor
}

/** A server's directory with keys, configuration and certificate, in no roster yet. */
export async function makeServer(name: string, port = 0): Promise<TestServer> {
  const directory = join(scratch(), name)
  const place = {
    name,
    url: `https://${name}.test:7443`,
    operator: `${name} operator`,
    cloud: `${name} cloud`,
    jurisdiction: `${name} land`,
  }
  const options = { directory, place, seal: seal(), randomness: systemRandomness }
  const descriptor = await initialiseServer(options)
  certify(directory)
  const config = { version: 1, listen: { port }, tls: { certificate: "tls.crt", key: "tls.key" } }
  writeFileSync(join(directory, "server.json"), JSON.stringify(config), { mode: 0o600 })
  return { directory, descriptor }
}

export function rosterOf(servers: readonly TestServer[], minSigners: number): Roster {
  return {
    rosterEpoch: 1,
    minSigners,
    members: servers.map(({ descriptor }, i) => ({ identifier: i + 1, ...descriptor })),
    placement: {
      distinctOperators: false,
      distinctClouds: false,
      distinctJurisdictions: false,
    },
    previousDigest: new Uint8Array(32),
    ...NO_SCHEDULE,
    transition: null,
    createdAt: Date.now(),
  }
}

/** Every server signs the roster and installs it, as operators would one after the other. */
export async function enrol(
  servers: readonly TestServer[],
  roster: Roster,
  before: RosterChain | null = null,
): Promise<RosterBundle> {
  const encoded = encodeRoster(roster)
  const signatures = []
  for (const { directory } of servers) {
    const unsealed = await unsealServer(directory, seal(), systemRandomness)
    signatures.push(await consentToRoster(unsealed, encoded, systemRandomness))
    await unsealed.close()
  }
  const bundle = joinRoster(signatures, before)
  for (const { directory } of servers) {
    const unsealed = await unsealServer(directory, seal(), systemRandomness)
    await installRoster(unsealed, bundle)
    await unsealed.close()
  }
  return bundle
}

export function testConfig(changes: Partial<ServerConfig> = {}): ServerConfig {
  return {
    ...parseConfig({
      version: 1,
      listen: { port: 0 },
      tls: { certificate: "tls.crt", key: "tls.key" },
    }),
    ...changes,
  }
}

const running: RunningServer[] = []

/** Closes what a failed test left running, so that its failure is seen and not a hang. */
export async function closeAll(): Promise<void> {
  await Promise.all(running.map((server) => server.close()))
}

/** Threads take a moment to load, and to be waited for; few tests need them. */
const withoutThreads: ComputePool = {
  ...inlineCompute,
  warmUp: () => undefined,
  load: () => ({ waiting: 0, running: 0, ended: 0, waitedSeconds: 0, ranSeconds: 0 }),
  close: async () => undefined,
}

export async function start(
  { directory }: TestServer,
  changes: Partial<ServerConfig> = {},
  events: EventSink = new RecordedEvents(),
): Promise<RunningServer> {
  const server = await runServer({
    directory,
    config: testConfig(changes),
    seal: seal(),
    events,
    compute: withoutThreads,
  })
  running.push(server)
  return server
}

/** What is made of a directory while it is unsealed. */
export async function opened<T>(
  { directory }: TestServer,
  use: (unsealed: Unsealed) => Promise<T>,
) {
  const unsealed = await unsealServer(directory, seal(), systemRandomness)
  try {
    return await use(unsealed)
  } finally {
    await unsealed.close()
  }
}

/** The roster after the last of `chain`: those servers under those identifiers. */
export function nextOf(
  chain: RosterChain,
  members: readonly (readonly [number, TestServer])[],
): Roster {
  const last = chain.at(-1) as SignedRoster
  const { rosterEpoch, minSigners } = openChain([last]).inForce.roster
  const servers = members.map(([, server]) => server)
  const roster = rosterOf(servers, minSigners)
  return {
    ...roster,
    rosterEpoch: rosterEpoch + 1,
    previousDigest: rosterDigest(last.roster),
    members: roster.members.map((member, i) => ({
      ...member,
      identifier: members[i]?.[0] ?? 0,
    })),
  }
}

/** What those servers make of a next roster together. */
export async function agree(
  servers: readonly TestServer[],
  roster: Roster,
  before: RosterChain,
): Promise<RosterBundle> {
  const encoded = encodeRoster(roster)
  const signatures = []
  for (const server of servers) {
    const consent = (unsealed: Unsealed) => consentToRoster(unsealed, encoded, systemRandomness)
    signatures.push(await opened(server, consent))
  }
  return joinRoster(signatures, before)
}
