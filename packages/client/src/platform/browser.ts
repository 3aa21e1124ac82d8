import { createConnectTransport } from "@connectrpc/connect-web"
import { LockKeeperError, type Member } from "@lockkeeper/api"
import type { Dependencies, ServerLink } from "../dependencies.ts"
import { deviceSecretDatabase } from "./device-secret-database.ts"
import { connectLink } from "./link.ts"
import type { PlatformOptions } from "./options.ts"
import { stretchByWasm } from "./stretch-wasm.ts"
import { systemClock } from "./system-clock.ts"

/** The browser's clock, WebCrypto's randomness, fetch, and Argon2id in WebAssembly. */
export function platformDependencies({ ca, deviceSecrets }: PlatformOptions): Dependencies {
  if (ca !== undefined) {
    throw new LockKeeperError("misconfigured", "A browser trusts certificates by its own list.", {
      field: "ca",
      remedy: "Leave `ca` out, and install the certificate authority in the browser or system.",
    })
  }
  if (deviceSecrets !== undefined) {
    throw new LockKeeperError("misconfigured", "A browser keeps device secrets in its own place.", {
      field: "deviceSecrets",
      remedy: "Leave `deviceSecrets` out.",
    })
  }
  return {
    clock: systemClock,
    randomness: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
    network: { connect: fetchLink },
    compute: { stretch: stretchByWasm },
    deviceSecrets: deviceSecretDatabase,
  }
}

function fetchLink(member: Member): ServerLink {
  const transport = createConnectTransport({ baseUrl: member.url, useBinaryFormat: true })
  return connectLink(member, transport, () => undefined)
}
