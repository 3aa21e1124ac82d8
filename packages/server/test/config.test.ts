import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { readConfig } from "../src/config/read.ts"
import { parseConfig } from "../src/config/schema.ts"
import { scratch } from "./server-directories.ts"

const LEAST = {
  version: 1,
  listen: { port: 7443 },
  tls: { certificate: "tls.crt", key: "tls.key" },
}

/** A wrong configuration and the field its refusal names. */
const WRONG: readonly (readonly [field: string, config: unknown])[] = [
  ["config", null],
  ["config", []],
  ["config", "{}"],
  ["version", { ...LEAST, version: undefined }],
  ["version", { ...LEAST, version: 2 }],
  ["version", { ...LEAST, version: "1" }],
  ["listen", { ...LEAST, listen: undefined }],
  ["listen", { ...LEAST, listen: 7443 }],
  ["listen.port", { ...LEAST, listen: {} }],
  ["listen.port", { ...LEAST, listen: { port: 65_536 } }],
  ["listen.port", { ...LEAST, listen: { port: -1 } }],
  ["listen.port", { ...LEAST, listen: { port: 443.5 } }],
  ["listen.port", { ...LEAST, listen: { port: "7443" } }],
  ["listen.host", { ...LEAST, listen: { port: 1, host: "" } }],
  ["listen.host", { ...LEAST, listen: { port: 1, host: "h".repeat(256) } }],
  ["listen.prot", { ...LEAST, listen: { port: 1, prot: 2 } }],
  ["tls", { ...LEAST, tls: undefined }],
  ["tls.key", { ...LEAST, tls: { certificate: "tls.crt" } }],
  ["tls.key", { ...LEAST, tls: { certificate: "tls.crt", key: "" } }],
  ["tls.certificate", { ...LEAST, tls: { key: "tls.key" } }],
  ["tls.certificate", { ...LEAST, tls: { certificate: 1, key: "tls.key" } }],
  ["tls.minVersion", { ...LEAST, tls: { ...LEAST.tls, minVersion: "TLSv1.2" } }],
  ["seal.kind", { ...LEAST, seal: { kind: "none" } }],
  ["seal.passphrase", { ...LEAST, seal: { kind: "passphrase", passphrase: "in the file" } }],
  ["seal.passphraseFile", { ...LEAST, seal: { kind: "passphrase", passphraseFile: "" } }],
  ["store.kind", { ...LEAST, store: { kind: "memory" } }],
  ["store.synchronous", { ...LEAST, store: { kind: "sqlite", synchronous: "OFF" } }],
  ["allowedOrigins", { ...LEAST, allowedOrigins: "https://a.example" }],
  ["allowedOrigins.0", { ...LEAST, allowedOrigins: ["*"] }],
  ["allowedOrigins.0", { ...LEAST, allowedOrigins: ["null"] }],
  ["allowedOrigins.1", { ...LEAST, allowedOrigins: ["https://a.example", "https://b.example/"] }],
  ["allowedOrigins.0", { ...LEAST, allowedOrigins: ["https://*.example"] }],
  ["allowedOrigins.0", { ...LEAST, allowedOrigins: ["https://user@a.example"] }],
  ["allowedOrigins", { ...LEAST, allowedOrigins: ["https://a.example", "https://a.example"] }],
  ["limits.concurrentRequests", { ...LEAST, limits: { concurrentRequests: 0 } }],
  ["limits.connections", { ...LEAST, limits: { connections: 1e9 } }],
  ["limits.requestsPerSecond", { ...LEAST, limits: { requestsPerSecond: -5 } }],
  ["limits.requestBurst", { ...LEAST, limits: { requestsPerSecond: 100, requestBurst: 10 } }],
  ["limits.opensPerMinute", { ...LEAST, limits: { opensPerMinute: null } }],
  ["limits.requestTimeoutMs", { ...LEAST, limits: { requestTimeoutMs: 1 } }],
  ["limits.shutdownTimeoutMs", { ...LEAST, limits: { shutdownTimeoutMs: "10s" } }],
  ["limits.maxBody", { ...LEAST, limits: { maxBody: 1 } }],
  ["compute.threads", { ...LEAST, compute: { threads: 0 } }],
  ["compute.threads", { ...LEAST, compute: { threads: 65 } }],
  ["compute.queue", { ...LEAST, compute: { queue: 0 } }],
  ["compute.nice", { ...LEAST, compute: { nice: 19 } }],
  ["pool.maxAgeHours", { ...LEAST, pool: { maxAgeHours: 0 } }],
  ["pool.maxAgeHours", { ...LEAST, pool: { maxAgeHours: 169 } }],
  ["metrics.port", { ...LEAST, metrics: {} }],
  ["metrics.host", { ...LEAST, metrics: { host: "0.0.0.0", port: 9_464 } }],
  ["metrics.host", { ...LEAST, metrics: { host: "example.org", port: 9_464 } }],
  ["log.level", { ...LEAST, log: { level: "verbose" } }],
  ["log.bodies", { ...LEAST, log: { bodies: true } }],
  ["passphrase", { ...LEAST, passphrase: "secret" }],
  ["Listen", { ...LEAST, Listen: { port: 1 } }],
]

function refusal(field: string) {
  return (error: unknown): true => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(error.code, "misconfigured")
    assert.equal(error.field, field)
    assert.notEqual(error.message, "")
    assert.notEqual(error.remedy, "")
    assert.ok(!`${error.message}${error.remedy}`.includes("in the file"), "prints no value")
    return true
  }
}

test(`${WRONG.length} wrong configurations are refused by field and remedy`, () => {
  assert.ok(WRONG.length >= 30)
  for (const [field, config] of WRONG) {
    const input = JSON.parse(JSON.stringify(config)) as unknown
    assert.throws(() => parseConfig(input), refusal(field), `${field}: ${JSON.stringify(config)}`)
  }
})

test("the least configuration is completed with every default, and frozen throughout", () => {
  const config = parseConfig(LEAST)
  assert.deepEqual(config, {
    ...LEAST,
    listen: { host: "127.0.0.1", port: 7443 },
    seal: { kind: "passphrase" },
    store: { kind: "sqlite" },
    allowedOrigins: [],
    limits: {
      concurrentRequests: 256,
      connections: 4096,
      requestsPerSecond: 1000,
      requestBurst: 4000,
      opensPerMinute: 600,
      sessionRequestsPerSecond: 500,
      requestTimeoutMs: 30_000,
      shutdownTimeoutMs: 10_000,
    },
    compute: { threads: config.compute.threads, queue: 128 },
    pool: { maxAgeHours: 24 },
    log: { level: "info" },
    metrics: null,
  })
  assert.equal(config.compute.threads, Math.max(1, Math.min(4, availableParallelism() - 1)))
  for (const part of [config, config.listen, config.limits, config.allowedOrigins]) {
    assert.ok(Object.isFrozen(part))
  }
})

test("a configuration file that is no JSON, missing or too long is refused", () => {
  const directory = scratch()
  assert.throws(() => readConfig(directory), refusal("config"))
  const path = join(directory, "server.json")
  for (const content of ["{ not json", "", `{}${" ".repeat(65_536)}`]) {
    writeFileSync(path, content, { mode: 0o600 })
    assert.throws(() => readConfig(directory), refusal("config"))
  }
  writeFileSync(path, JSON.stringify(LEAST))
  assert.equal(readConfig(directory).listen.port, 7443)
})
