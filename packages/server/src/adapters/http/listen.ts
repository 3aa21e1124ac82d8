import { once } from "node:events"
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2"
import type { AddressInfo, Socket } from "node:net"
import type { ServerConfig } from "../../config/schema.ts"
import type { TlsMaterial } from "../../config/tls.ts"
import type { EventSink } from "../../ports/dependencies.ts"
import type { Endpoint, Listening } from "../../ports/listener.ts"
import { decideCors } from "./cors.ts"
import { MAX_BODY, serveRpc } from "./serve-rpc.ts"

const MAX_HEADER_BYTES = 16_384

const CONNECTION_IDLE_MS = 10 * 60_000

export interface HttpOptions {
  readonly listen: ServerConfig["listen"]
  readonly limits: ServerConfig["limits"]
  readonly allowedOrigins: readonly string[]
  readonly tls: TlsMaterial
  readonly events: EventSink
}

type Request = Http2ServerRequest
type Response = Http2ServerResponse

function secureServer({ tls, limits }: HttpOptions): Http2SecureServer {
  return createSecureServer({
    cert: tls.certificate,
    key: tls.key,
    // Browsers that do not get HTTP/2 still get TLS 1.3.
    allowHTTP1: true,
    minVersion: "TLSv1.3",
    handshakeTimeout: Math.min(10_000, limits.requestTimeoutMs),
    maxSessionMemory: 10,
    maxHeaderListPairs: 64,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    settings: {
      maxConcurrentStreams: 128,
      maxHeaderListSize: MAX_HEADER_BYTES,
      initialWindowSize: 262_144,
      enablePush: false,
    },
    headersTimeout: Math.min(10_000, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: 60_000,
    maxHeaderSize: MAX_HEADER_BYTES,
  } as Parameters<typeof createSecureServer>[0])
}

function refuse(response: Response, status: number): void {
  response.writeHead(status, { "content-length": "0" })
  response.end()
}

/** What is refused by its headers alone, before a byte of body is read; null lets it pass. */
function refusedStatus(request: Request): number | null {
  if (request.method !== "POST" && request.method !== "GET") return 405
  const length = request.headers["content-length"]
  if (length !== undefined && Number(length) > MAX_BODY) return 413
  // Bodies are ciphertext: nothing is gained by compressing, and decompression is a bomb's way in.
  const encodings = ["content-encoding", "connect-content-encoding", "grpc-encoding"] as const
  const compressed = encodings.some((name) => {
    const encoding = request.headers[name]
    return encoding !== undefined && encoding !== "identity"
  })
  return compressed ? 415 : null
}

function handler(
  endpoint: Endpoint,
  options: HttpOptions,
): (request: Request, response: Response) => void {
  const { allowedOrigins, limits, events } = options
  const rpc = serveRpc(endpoint, events, limits.requestTimeoutMs)
  return (request, response) => {
    response.setHeader("cache-control", "no-store")
    response.setHeader("x-content-type-options", "nosniff")
    const cors = decideCors(request.headers, allowedOrigins)
    if (cors.kind === "refused") return refuse(response, 403)
    if (cors.kind === "allowed") {
      for (const [name, value] of Object.entries(cors.headers)) response.setHeader(name, value)
      if (request.method === "OPTIONS") return refuse(response, 204)
    }
    const status = refusedStatus(request)
    if (status !== null) return refuse(response, status)
    request.setTimeout(limits.requestTimeoutMs, () => response.destroy())
    rpc(request, response)
  }
}

/** Follows connections and requests, so that they are bounded and shutdown can end them. */
class Connections {
  readonly sockets = new Set<Socket>()
  readonly sessions = new Set<ServerHttp2Session>()
  readonly #responses = new Set<Response>()
  #onIdle: (() => void) | null = null

  constructor(server: Http2SecureServer, most: number, idleMs: number) {
    server.on("connection", (socket: Socket) => {
      if (this.sockets.size >= most) return socket.destroy()
      this.sockets.add(socket)
      socket.once("close", () => this.sockets.delete(socket))
    })
    server.on("session", (session) => {
      this.sessions.add(session)
      session.setTimeout(idleMs, () => session.close())
      session.once("close", () => this.sessions.delete(session))
    })
    server.on("request", (_, response) => {
      this.#responses.add(response)
      response.once("close", () => {
        this.#responses.delete(response)
        if (this.#responses.size === 0) this.#onIdle?.()
      })
    })
  }

  /** Ends every connection as soon as no request is under way, and at `timeoutMs` in any case. */
  async end(timeoutMs: number): Promise<void> {
    for (const session of this.sessions) session.close()
    if (this.#responses.size > 0) {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(resolve, timeoutMs)
        this.#onIdle = () => {
          clearTimeout(cut)
          resolve()
        }
      })
    }
    for (const session of this.sessions) session.destroy()
    for (const socket of this.sockets) socket.destroy()
  }
}

/**
 * Serves an endpoint over HTTP/2 (and 1.1) on TLS 1.3: Connect, gRPC and gRPC-Web.
 *
 * @throws Error of `node:net` when the address cannot be had.
 */
export async function listenHttp(endpoint: Endpoint, options: HttpOptions): Promise<Listening> {
  const { listen, limits } = options
  const server = secureServer(options)
  // Broken handshakes and resets are the peer's affair; without a listener they would end us.
  server.on("tlsClientError", (_, socket) => socket.destroy())
  server.on("sessionError", () => undefined)
  server.on("clientError", (_: Error, socket: Socket) => socket.destroy())
  const connections = new Connections(server, limits.connections, CONNECTION_IDLE_MS)
  server.on("request", handler(endpoint, options))
  server.listen(listen.port, listen.host)
  await once(server, "listening")
  const { address, port } = server.address() as AddressInfo
  return {
    host: address,
    port,
    async close(timeoutMs) {
      const closed = once(server, "close")
      server.close()
      await connections.end(timeoutMs)
      await closed
    },
  }
}
