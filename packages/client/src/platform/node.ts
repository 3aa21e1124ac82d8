import { argon2, getRandomValues } from "node:crypto"
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node"
import { LockKeeperError, type Member } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import type { opaque } from "@lockkeeper/protocols"
import type { Dependencies, ServerLink } from "../dependencies.ts"
import { deviceSecretFiles, noDeviceSecrets } from "./device-secret-files.ts"
import { connectLink } from "./link.ts"
import type { PlatformOptions } from "./options.ts"
import { stretchByWasm } from "./stretch-wasm.ts"
import { systemClock } from "./system-clock.ts"

/** Node's own clock, randomness, HTTP/2 over TLS 1.3, and Argon2id on its thread pool. */
export function platformDependencies({ ca, deviceSecrets }: PlatformOptions): Dependencies {
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw new LockKeeperError("misconfigured", "`ca` holds no PEM certificate.", {
      field: "ca",
      remedy: "Give the contents of the authority's PEM file, not its path.",
    })
  }
  return {
    clock: systemClock,
    randomness: { bytes: (length) => getRandomValues(new Uint8Array(length)) },
    network: { connect: (member) => http2Link(member, ca) },
    compute: { stretch: typeof argon2 === "function" ? stretchByNode : stretchByWasm },
    deviceSecrets: deviceSecrets === undefined ? noDeviceSecrets : deviceSecretFiles(deviceSecrets),
  }
}

function http2Link(member: Member, ca: string | undefined): ServerLink {
  const tls = ca === undefined ? {} : { ca }
  const nodeOptions = { minVersion: "TLSv1.3", ...tls } as const
  const sessionManager = new Http2SessionManager(
    member.url,
    { idleConnectionTimeoutMs: 60_000 },
    nodeOptions,
  )
  const transport = createConnectTransport({
    baseUrl: member.url,
    httpVersion: "2",
    useBinaryFormat: true,
    sessionManager,
    readMaxBytes: 1024 * 1024,
  })
  return connectLink(member, transport, () => sessionManager.abort())
}

function stretchByNode(
  input: Secret,
  { memoryKib, passes, lanes }: opaque.Stretching,
): Promise<Secret> {
  const { promise, resolve, reject } = Promise.withResolvers<Secret>()
  const parameters = {
    message: input.expose(),
    nonce: new Uint8Array(16),
    parallelism: lanes,
    tagLength: 64,
    memory: memoryKib,
    passes,
  }
  argon2("argon2id", parameters, (error, tag) => {
    if (error === null) resolve(new Secret(new Uint8Array(tag)))
    else {
      reject(
        new LockKeeperError("internal", "Argon2id failed.", {
          remedy: `Make ${Math.ceil(memoryKib / 1024)} MiB of memory available.`,
          cause: error,
        }),
      )
    }
    tag?.fill(0)
  })
  return promise
}
