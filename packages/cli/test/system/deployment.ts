import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import { type ConnectOptions, LockKeeper } from "@lockkeeper/client"
import { Secret } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { PassphraseSeal, systemRandomness, type Unsealed, unsealServer } from "@lockkeeper/server"
import { Authority } from "../../src/dev/certificates.ts"
import {
  clusterLayout,
  makeCluster,
  passphraseFile,
  serverDirectory,
} from "../../src/dev/cluster-files.ts"
import { Relay } from "./relay.ts"

/** Three key servers as processes of their own, two of which it takes. */
export interface Deployment {
  readonly directory: string
  readonly cluster: Cluster
  connect(options?: Partial<ConnectOptions>): Promise<LockKeeper>
  stop(): Promise<void>
}

export interface RelayedDeployment extends Deployment {
  readonly relays: readonly Relay[]
}

const SHAPE = { servers: 3, threshold: 2 } as const

/** What a deployment changes in the servers' configuration. */
type Change = (config: ServerFile, index: number) => void

interface ServerFile {
  listen: { port: number }
  log?: { level: string }
}

/** Starts the servers, each over TLS and a database of its own, in a directory that is deleted. */
export async function deploy(): Promise<Deployment> {
  const directory = await prepared(await freePorts(SHAPE.servers), (config) => {
    config.log = { level: "debug" }
  })
  return running(directory)
}

/** The same, with a relay that ends TLS before every server. */
export async function deployBehindRelays(): Promise<RelayedDeployment> {
  // The roster's addresses lead to the relays; the servers listen behind them.
  const [front, back] = [await freePorts(SHAPE.servers), await freePorts(SHAPE.servers)]
  const directory = await prepared(front, (config, i) => {
    config.listen.port = back[i] as number
  })
  const layout = clusterLayout(directory)
  const ca = readFileSync(layout.ca, "utf8")
  const authority = new Authority("an authority that the relays have", Date.now())
  writeFileSync(layout.ca, authority.certificate)
  const relays = await Promise.all(
    front.map((listenPort, i) =>
      Relay.start({ server: i + 1, listenPort, targetPort: back[i] as number, authority, ca }),
    ),
  )
  const deployment = await running(directory)
  return {
    ...deployment,
    relays,
    async stop() {
      await Promise.all(relays.map((relay) => relay.close()))
      await deployment.stop()
    },
  }
}

async function prepared(ports: readonly number[], change: Change): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "lockkeeper-system-"))
  await makeCluster(directory, { threshold: SHAPE.threshold, ports, allowedOrigins: [] })
  for (const [i] of ports.entries()) {
    const path = join(serverDirectory(directory, i + 1), "server.json")
    const config = JSON.parse(readFileSync(path, "utf8")) as ServerFile
    change(config, i)
    writeFileSync(path, JSON.stringify(config))
  }
  return directory
}

async function running(directory: string): Promise<Deployment> {
  const cluster = await startCluster({ ...SHAPE, directory })
  const [roster, ca] = [new Uint8Array(readFileSync(cluster.roster)), readFileSync(cluster.ca)]
  const trust = { roster, pin: cluster.rosterPin, ca: ca.toString() }
  return {
    directory,
    cluster,
    connect: (options = {}) => LockKeeper.connect({ ...trust, ...options }),
    async stop() {
      await cluster.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What whoever has a server's whole directory and its passphrase can open, running or not. */
export async function withUnsealed<T>(
  directory: string,
  identifier: number,
  use: (unsealed: Unsealed) => Promise<T>,
): Promise<T> {
  const phrase = readFileSync(passphraseFile(directory, identifier), "utf8").trim()
  const seal = new PassphraseSeal(new Secret(utf8(phrase)), systemRandomness)
  try {
    // Whoever steals respects no lock of the server's.
    const stolen = serverDirectory(directory, identifier)
    const unsealed = await unsealServer(stolen, seal, systemRandomness)
    try {
      return await use(unsealed)
    } finally {
      await unsealed.close()
    }
  } finally {
    await seal.close()
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(listeners.map((listener) => once(listener, "listening")))
  const ports = listeners.map((listener) => (listener.address() as AddressInfo).port)
  await Promise.all(listeners.map((listener) => once(listener.close(), "close")))
  return ports
}
