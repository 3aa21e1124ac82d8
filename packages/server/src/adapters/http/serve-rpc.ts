import { ConnectError, createConnectRouter, createContextValues } from "@connectrpc/connect"
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol"
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect"
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node"
import { LockKeeperError, MAX_FRAME, refusalToConnect } from "@lockkeeper/api"
import type { EventSink } from "../../ports/dependencies.ts"
import type { Endpoint } from "../../ports/listener.ts"
import { keyServerRoutes, PROGRESS, type Progress, SOURCE } from "./routes.ts"

/** Longest message that is read: a sealed frame, its tag, and the fields beside it. */
export const MAX_BODY = MAX_FRAME + 4096

type NodeRequest = Parameters<typeof universalRequestFromNodeRequest>[0]
type NodeResponse = Parameters<typeof universalResponseToNodeResponse>[1]

async function* one(chunk: Uint8Array): AsyncIterable<Uint8Array> {
  yield chunk
}

/** What is answered when a message does not parse, which Connect would call our own failure. */
function malformed(server: number): UniversalServerResponse {
  const error = new LockKeeperError("invalid-request", "The message is malformed.", {
    field: "message",
    remedy: "Encode it as the protocol buffers of this version say.",
  })
  return {
    status: 400,
    header: new Headers({ "content-type": "application/json" }),
    body: one(errorToJsonBytes(refusalToConnect(error, server), undefined)),
  }
}

/**
 * Handles the RPCs of one endpoint: Connect, gRPC and gRPC-Web. In place of Connect's own adapter,
 * which prints failures, with their texts, to the console.
 */
export function serveRpc(
  endpoint: Endpoint,
  events: EventSink,
  maxTimeoutMs: number,
): (request: NodeRequest, response: NodeResponse) => void {
  const router = createConnectRouter({
    readMaxBytes: MAX_BODY,
    writeMaxBytes: MAX_BODY,
    acceptCompression: [],
    maxTimeoutMs,
  })
  keyServerRoutes(endpoint, events)(router)
  const handlers = new Map<string, UniversalHandler>(
    router.handlers.map((handler) => [handler.requestPath, handler]),
  )
  return (request, response) => {
    const handle = handlers.get(request.url?.split("?", 2)[0] ?? "")
    if (handle === undefined) {
      response.writeHead(404, { "content-length": "0" })
      response.end()
      return
    }
    const progress: Progress = { reached: false }
    const values = createContextValues()
      .set(SOURCE, request.socket?.remoteAddress ?? "unknown")
      .set(PROGRESS, progress)
    handle(universalRequestFromNodeRequest(request, response, undefined, values))
      .then((answer) => {
        const failed = answer.status === 500 && !progress.reached
        const sent = failed ? malformed(endpoint.health().server) : answer
        return universalResponseToNodeResponse(sent, response)
      })
      .catch((reason) => {
        // Mostly a peer that went away; the code says so and nothing of the request.
        events.event("request-broken", { code: ConnectError.from(reason).code })
        response.destroy()
      })
  }
}
