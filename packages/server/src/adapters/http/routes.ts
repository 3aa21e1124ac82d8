import { type ConnectRouter, createContextKey, type HandlerContext } from "@connectrpc/connect"
import {
  encodeRosterChain,
  LockKeeperError,
  refusalToConnect,
  type SignedRoster,
  signedRosterCodec,
  wire,
} from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import type { EventSink } from "../../ports/dependencies.ts"
import type { Endpoint, ServerState } from "../../ports/listener.ts"

/** The address a request comes from. */
export const SOURCE = createContextKey("", { description: "source address" })

/** Whether a request got as far as the service: before, its message was not even read. */
export interface Progress {
  reached: boolean
}

export const PROGRESS = createContextKey<Progress>(
  { reached: false },
  { description: "how far the request got" },
)

const STATES: Readonly<Record<ServerState, wire.GetHealthResponse_State>> = {
  ready: wire.GetHealthResponse_State.READY,
  "read-only": wire.GetHealthResponse_State.READ_ONLY,
  sealed: wire.GetHealthResponse_State.SEALED,
  stopping: wire.GetHealthResponse_State.STOPPING,
}

/** What is thrown at the network: a refusal as it is, anything else without its text. */
function refusal(error: unknown, server: number, events: EventSink) {
  if (error instanceof LockKeeperError) return refusalToConnect(error, server)
  events.event("internal-error", { error: error instanceof Error ? error.name : "unknown" })
  const opaque = new LockKeeperError("internal", "The server failed; nothing was answered.", {
    remedy: "Try again later, or ask the server's operator to read its log.",
  })
  return refusalToConnect(opaque, server)
}

/** The service of the protocol buffers over an endpoint. */
export function keyServerRoutes(
  endpoint: Endpoint,
  events: EventSink,
): (router: ConnectRouter) => void {
  const guarded = async <T>(context: HandlerContext, work: () => T | Promise<T>): Promise<T> => {
    context.values.get(PROGRESS).reached = true
    try {
      return await work()
    } catch (error) {
      throw refusal(error, endpoint.health().server, events)
    }
  }
  const sourceOf = (context: HandlerContext): string => context.values.get(SOURCE)
  return (router) => {
    router.service(wire.KeyServerService, {
      getHealth: (_, context) =>
        guarded(context, () => {
          const { state, timeMs, ...rest } = endpoint.health()
          return { ...rest, state: STATES[state], timeMs: BigInt(timeMs) }
        }),
      getVersion: (_, context) =>
        guarded(context, () => {
          const { version, protocolVersion, backends } = endpoint.version()
          return { version, protocolVersion, backends: [...backends] }
        }),
      getRoster: (_, context) =>
        guarded(context, () => {
          const chain = endpoint.rosterChain()
          const inForce = encode(signedRosterCodec, chain.at(-1) as SignedRoster)
          return { signedRoster: inForce, rosterChain: encodeRosterChain(chain) }
        }),
      open: ({ hello }, context) =>
        guarded(context, async () => ({
          answer: await endpoint.open(sourceOf(context), new Uint8Array(hello)),
        })),
      call: ({ sessionId, counter, sealed }, context) =>
        guarded(context, async () => ({
          sealed: await endpoint.call(sourceOf(context), {
            sessionId: new Uint8Array(sessionId),
            counter: safeCounter(counter),
            sealed: new Uint8Array(sealed),
          }),
        })),
    })
  }
}

function safeCounter(counter: bigint): number {
  if (counter <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(counter)
  throw new LockKeeperError("invalid-request", "The counter is out of range.", {
    field: "counter",
  })
}
