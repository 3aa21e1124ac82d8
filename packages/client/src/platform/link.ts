import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect"
import {
  LockKeeperError,
  type Member,
  type PlacementMargin,
  refusalFromConnect,
  wire,
} from "@lockkeeper/api"
import { type Bytes, concat } from "@lockkeeper/encoding"
import type { ServerLink, ServerStatus } from "../dependencies.ts"

/** A link over any Connect transport. */
export function connectLink(member: Member, transport: Transport, close: () => void): ServerLink {
  const client = createClient(wire.KeyServerService, transport)
  const asked = async <T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> => {
    try {
      return await act()
    } catch (error) {
      throw linkError(member, error, signal)
    }
  }
  return {
    open: (hello, signal) =>
      asked(signal, async () => owned((await client.open({ hello }, { signal })).answer)),
    call: ({ sessionId, counter, sealed }, signal) =>
      asked(signal, async () => {
        const frame = { sessionId, counter: BigInt(counter), sealed }
        return owned((await client.call(frame, { signal })).sealed)
      }),
    status: (signal) =>
      asked(signal, async () => {
        const [health, version] = await Promise.all([
          client.getHealth({}, { signal }),
          client.getVersion({}, { signal }),
        ])
        return statusOf(health, version)
      }),
    roster: (signal) =>
      asked(signal, async () => {
        const { rosterChain, signedRoster } = await client.getRoster({}, { signal })
        // A server from before there were chains: a chain of one.
        return owned(rosterChain.length === 0 ? signedRoster : rosterChain)
      }),
    close,
  }
}

function owned(bytes: Uint8Array): Bytes {
  return concat(bytes)
}

const STATES = ["unknown", "ready", "read-only", "sealed", "stopping"] as const

function statusOf(health: wire.GetHealthResponse, version: wire.GetVersionResponse): ServerStatus {
  return {
    state: STATES[health.state] ?? "unknown",
    server: health.server,
    rosterEpoch: health.rosterEpoch,
    timeMs: Number(health.timeMs),
    storeRestored: health.storeRestored,
    placement: placementOf(health),
    version: version.version,
    protocolVersion: version.protocolVersion,
    backends: version.backends,
  }
}

function placementOf({ placement }: wire.GetHealthResponse): PlacementMargin | null {
  return placement === undefined
    ? null
    : { possible: placement.possible, mayLose: placement.mayLose }
}

/** A failed call as the SDK's callers see it: the server's refusal, or that it is unavailable. */
function linkError(member: Member, error: unknown, { aborted }: AbortSignal): LockKeeperError {
  const failure = ConnectError.from(error)
  const refusal = refusalFromConnect(failure)
  const { identifier, name, url } = member
  if (refusal !== null) {
    const { field, remedy } = refusal
    return new LockKeeperError(refusal.code, refusal.message, { field, remedy, server: identifier })
  }
  // A connection that dies in mid-call ends the same way; only the caller's own signal cancels.
  if (failure.code === Code.Canceled && aborted) {
    return new LockKeeperError("cancelled", `The call to "${name}" was cancelled.`, {
      server: identifier,
    })
  }
  return new LockKeeperError("unavailable", `Server "${name}" at ${url} ${silence(error)}.`, {
    server: identifier,
    remedy: "Check that it runs, that the URL leads to it, and that its certificate is trusted.",
    cause: error,
  })
}

/** Why there was no answer, as far as the system's own code tells. */
function silence(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
    if (code === "ECONNREFUSED") return "refuses connections: nobody listens there"
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "is a name that cannot be found"
    if (/CERT|SELF_SIGNED|ISSUER|LEAF_SIGNATURE/.test(code)) {
      return `shows a certificate that is not trusted (${code})`
    }
  }
  return "gave no answer"
}
