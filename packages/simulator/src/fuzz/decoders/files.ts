import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Descriptor, parseConfig, readDescriptor, writeDescriptor } from "@lockkeeper/server"
import type { Decoder } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { changeJson } from "./json.ts"
import { ofText } from "./made-of.ts"

const CONFIG = {
  version: 1,
  listen: { host: "127.0.0.1", port: 7443 },
  tls: { certificate: "tls.crt", key: "tls.key" },
  seal: { kind: "passphrase", passphraseFile: "passphrase" },
  store: { kind: "sqlite" },
  allowedOrigins: ["https://console.example.org", "http://localhost:8080"],
  limits: { connections: 10, requestsPerSecond: 10, requestBurst: 20, requestTimeoutMs: 1000 },
  compute: { threads: 2, queue: 16 },
  pool: { maxAgeHours: 24 },
  log: { level: "info" },
  metrics: { host: "::1", port: 0 },
}

const SETTINGS = {
  ...{ roster: "roster.lk", rosterPin: "ab".repeat(32), ca: "/tmp/ca.pem", name: "ada" },
  ...{ agent: false, agentIdleMinutes: 3 },
}

function descriptorText(): string {
  const key = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(7)))
  const descriptor: Descriptor = {
    name: "server-1",
    url: "https://server-1.test:7443",
    identityKey: key.publicKey,
    channelKey: new Uint8Array(1216).fill(1),
    opaqueKey: new Uint8Array(32).fill(2),
    ...{ operator: "operator", cloud: "cloud", jurisdiction: "country" },
  }
  return writeDescriptor(descriptor, key)
}

export interface FileDecoders {
  readonly decoders: readonly Decoder[]
  /** Removes the directory in which files are written for those that read no text. */
  close(): void
}

type ReadSettings = (options: { config: string }, environment: object) => object
type ReadPlan = (directory: string) => object | null

/** Files that operators and owners write or hand on. */
export function fileDecoders(inside: Inside): FileDecoders {
  const directory = mkdtempSync(join(tmpdir(), "lockkeeper-fuzz-"))
  const settings = "packages/cli/src/settings.ts"
  const resolveSettings = nameIn<ReadSettings>(inside, settings, "resolveSettings")
  const readPlan = nameIn<ReadPlan>(inside, "packages/cli/src/dev/cluster-files.ts", "readPlan")
  const inFile = (name: string, text: string) => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const decoders = [
    ofText({
      name: "file: server configuration",
      samples: [
        JSON.stringify(CONFIG),
        '{"version":1,"listen":{"port":7443},"tls":{"certificate":"tls.crt","key":"tls.key"}}',
      ],
      change: changeJson,
      read: (text) => Object.isFrozen(parseConfig(jsonOf(text))),
    }),
    ofText({
      name: "file: server descriptor",
      samples: [descriptorText()],
      change: changeJson,
      read: (text) => readDescriptor(text).name.length >= 0,
    }),
    ofText({
      name: "file: settings of the command line",
      samples: [JSON.stringify(SETTINGS), "{}"],
      weight: 0.3,
      change: changeJson,
      read: (text) => Object.isFrozen(resolveSettings({ config: inFile("config.json", text) }, {})),
    }),
    ofText({
      name: "file: plan of a development cluster",
      samples: ['{"version":1,"ports":[7443,7444,7445],"threshold":2,"allowedOrigins":[]}'],
      weight: 0.3,
      change: changeJson,
      read: (text) => inFile("cluster.json", text) !== "" && readPlan(directory) !== null,
    }),
  ]
  return { decoders, close: () => rmSync(directory, { recursive: true }) }
}

/** As `readConfig` does before it hands on what it read. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LockKeeperError("misconfigured", "not JSON", { cause })
  }
}
