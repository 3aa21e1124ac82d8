import { LockKeeperError } from "@lockkeeper/api"
import { listenHttp } from "./adapters/http/listen.ts"
import { listenForScrapes } from "./adapters/http/metrics.ts"
import type { ServerConfig } from "./config/schema.ts"
import { readTls } from "./config/tls.ts"
import { endpointOf } from "./endpoint.ts"
import { type MetricsSource, metricFamilies } from "./metrics/families.ts"
import type { EventSink } from "./ports/dependencies.ts"
import type { Listening, ServerState } from "./ports/listener.ts"

/** How long before its end a certificate is warned about, milliseconds. */
const CERTIFICATE_WARNING_MS = 14 * 24 * 3_600_000

interface PortOptions {
  readonly directory: string
  readonly config: ServerConfig
  readonly events: EventSink
}

/** Where a server listens for clients, and for scrapes where it is configured to. */
export interface OpenPorts extends Listening {
  readonly metrics: { readonly host: string; readonly port: number } | null
}

interface Address {
  readonly host: string
  readonly port: number
}

/** Says in the operator's words why an address cannot be had. */
async function listening<T>(field: string, { host, port }: Address, open: Promise<T>): Promise<T> {
  try {
    return await open
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
    if (!code.startsWith("E")) throw cause
    const where = `${host}:${port}`
    throw new LockKeeperError("misconfigured", `The server cannot listen on ${where}: ${code}.`, {
      field: code === "EADDRNOTAVAIL" || code === "ENOTFOUND" ? `${field}.host` : `${field}.port`,
      remedy: "Choose an address of this machine and a port that nothing else uses.",
      cause,
    })
  }
}

function warnOfExpiry(expiresAt: number, now: number, events: EventSink): void {
  const days = Math.floor((expiresAt - now) / (24 * 3_600_000))
  if (expiresAt - now < CERTIFICATE_WARNING_MS) events.event("certificate-expires-soon", { days })
}

/** @throws LockKeeperError `misconfigured` naming the field; then nothing is left open. */
export async function openPorts(
  { directory, config, events }: PortOptions,
  source: MetricsSource,
  state: () => ServerState,
): Promise<OpenPorts> {
  const { turnstile, gate } = source
  const now = turnstile.server.now()
  const tls = readTls(directory, config.tls, now)
  warnOfExpiry(tls.expiresAt, now, events)
  const { listen, limits, allowedOrigins, metrics: asked } = config
  const families = () => metricFamilies(source)
  const metrics =
    asked === null ? null : await listening("metrics", asked, listenForScrapes(asked, families))
  try {
    const endpoint = endpointOf(turnstile, gate, state)
    const http = listenHttp(endpoint, { listen, limits, allowedOrigins, tls, events })
    const { host, port, close } = await listening("listen", listen, http)
    return {
      host,
      port,
      metrics: metrics && { host: metrics.host, port: metrics.port },
      async close(timeoutMs) {
        await close(timeoutMs)
        await metrics?.close()
      },
    }
  } catch (error) {
    await metrics?.close()
    throw error
  }
}
