import { randomBytes } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  encodeRoster,
  LockKeeperError,
  NO_SCHEDULE,
  type Roster,
  rosterDigest,
} from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, toHex, utf8 } from "@lockkeeper/encoding"
import { type Descriptor, installBundle } from "@lockkeeper/server"
import { initialise, joinSignatures, signRosterFile, withServer } from "../server-directory.ts"
import { Authority } from "./certificates.ts"

/** What a local cluster is made of. */
export interface ClusterPlan {
  readonly threshold: number
  /** One for each server, in order of identifier. */
  readonly ports: readonly number[]
  /** Web pages that may talk to the servers. */
  readonly allowedOrigins: readonly string[]
}

/** Where the parts of a local cluster lie. */
export interface ClusterLayout {
  readonly directory: string
  /** Set LK_HOME to this. */
  readonly profile: string
  readonly roster: string
  readonly ca: string
  readonly record: string
}

const HOST = "127.0.0.1"

/**
 * Argon2id at OWASP's minimum: these passphrases are 32 random bytes, which nobody guesses, and
 * every server is unsealed three times before the cluster stands.
 */
const RANDOM_PASSPHRASE_COST = { memoryKiB: 19_456, passes: 2, lanes: 1 }

export function clusterLayout(directory: string): ClusterLayout {
  const profile = join(directory, "profile")
  const inProfile = (name: string) => join(profile, name)
  const record = join(directory, "cluster.json")
  return { directory, profile, roster: inProfile("roster.lk"), ca: inProfile("ca.pem"), record }
}

export function serverDirectory(directory: string, identifier: number): string {
  return join(directory, `server-${identifier}`)
}

export function passphraseFile(directory: string, identifier: number): string {
  return join(directory, `server-${identifier}.passphrase`)
}

/** The plan of a cluster that was made here before, or null. @throws LockKeeperError when damaged */
export function readPlan(directory: string): ClusterPlan | null {
  const { record } = clusterLayout(directory)
  if (!existsSync(record)) return null
  const plan = planIn(readFileSync(record, "utf8"))
  if (plan !== null) return plan
  throw new LockKeeperError("misconfigured", `"${record}" is damaged or of another version.`, {
    field: "directory",
    remedy: "Name an empty directory.",
  })
}

/** What `makeCluster` wrote, or null for anything else. */
function planIn(written: string): ClusterPlan | null {
  let found: unknown
  try {
    found = JSON.parse(written)
  } catch {
    return null
  }
  const plan = found as (Partial<ClusterPlan> & { readonly version?: number }) | null
  const { threshold, ports, allowedOrigins } = plan ?? {}
  const complete = [ports, allowedOrigins].every(Array.isArray) && typeof threshold === "number"
  return plan?.version === 1 && complete ? (plan as ClusterPlan) : null
}

/**
 * Makes everything of a cluster that was not there: an authority, the servers' directories, a roster
 * that all have signed and installed, and a profile for clients.
 */
export async function makeCluster(directory: string, plan: ClusterPlan): Promise<void> {
  const layout = clusterLayout(directory)
  mkdirSync(layout.profile, { recursive: true, mode: 0o700 })
  chmodSync(directory, 0o700)
  const authority = new Authority("Lock Keeper local cluster", Date.now())
  const descriptors = await Promise.all(
    plan.ports.map((port, i) => {
      const { allowedOrigins } = plan
      return makeServer(directory, { identifier: i + 1, port, authority, allowedOrigins })
    }),
  )
  const roster: Roster = {
    rosterEpoch: 1,
    minSigners: plan.threshold,
    members: descriptors.map((descriptor, i) => ({ identifier: i + 1, ...descriptor })),
    placement: { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false },
    previousDigest: new Uint8Array(32),
    ...NO_SCHEDULE,
    transition: null,
    createdAt: Date.now(),
  }
  const encoded = encodeRoster(roster)
  const signed = await signEverywhere(directory, plan, encoded)
  writeFileSync(layout.roster, signed)
  writeFileSync(layout.ca, authority.certificate)
  const settings = { roster: "roster.lk", rosterPin: toHex(rosterDigest(encoded)), ca: "ca.pem" }
  writeFileSync(join(layout.profile, "config.json"), `${JSON.stringify(settings, null, 2)}\n`)
  // Last, so that a half-made cluster is not taken for one.
  writeFileSync(layout.record, `${JSON.stringify({ version: 1, ...plan }, null, 2)}\n`)
}

export interface NewServer {
  readonly identifier: number
  readonly port: number
  readonly authority: Authority
  readonly allowedOrigins: readonly string[]
}

/** A key server's directory that is in no roster yet, with its certificate and its passphrase. */
export async function makeServer(
  cluster: string,
  { identifier, port, authority, allowedOrigins }: NewServer,
): Promise<Descriptor> {
  const directory = serverDirectory(cluster, identifier)
  const phrase = toHex(new Uint8Array(randomBytes(32)))
  writeFileSync(passphraseFile(cluster, identifier), `${phrase}\n`, { mode: 0o600 })
  const place = {
    name: `local-${identifier}`,
    url: `https://localhost:${port}`,
    operator: `operator-${identifier}`,
    cloud: "this machine",
    jurisdiction: "",
  }
  const descriptor = await initialise(
    directory,
    place,
    new Secret(utf8(phrase)),
    RANDOM_PASSPHRASE_COST,
  )
  const { certificate, privateKey } = authority.certify(place.name, ["localhost", HOST, "::1"])
  writeFileSync(join(directory, "tls.crt"), certificate, { mode: 0o600 })
  writeFileSync(join(directory, "tls.key"), privateKey, { mode: 0o600 })
  const config = {
    version: 1,
    listen: { host: HOST, port },
    tls: { certificate: "tls.crt", key: "tls.key" },
    allowedOrigins,
  }
  writeFileSync(join(directory, "server.json"), `${JSON.stringify(config, null, 2)}\n`, {
    mode: 0o600,
  })
  return descriptor
}

/** Every server signs the roster in its own directory, then installs what all signed. */
async function signEverywhere(cluster: string, plan: ClusterPlan, roster: Bytes): Promise<Bytes> {
  const servers = plan.ports.map((_, i) => i + 1)
  const passphrase = (identifier: number) => {
    const text = readFileSync(passphraseFile(cluster, identifier), "utf8")
    return new Secret(utf8(text.trim()))
  }
  const signatures = await Promise.all(
    servers.map((id) =>
      withServer(serverDirectory(cluster, id), passphrase(id), (unsealed) =>
        signRosterFile(unsealed, roster),
      ),
    ),
  )
  const { chain, bundle } = joinSignatures(signatures, null)
  await Promise.all(
    servers.map((id) =>
      withServer(serverDirectory(cluster, id), passphrase(id), (unsealed) =>
        installBundle(unsealed, bundle),
      ),
    ),
  )
  return chain
}
