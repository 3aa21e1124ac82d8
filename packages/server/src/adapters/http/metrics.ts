import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { EXPOSITION_TYPE, exposition, type Family } from "../../metrics/exposition.ts"

/** Where metrics are served. */
export interface MetricsListening {
  readonly host: string
  readonly port: number
  close(): Promise<void>
}

// A page in a browser of this machine can get here under a name of its own making.
function isAskedHere({ headers }: IncomingMessage): boolean {
  const name = (headers.host ?? "").replace(/:\d+$/, "")
  return ["127.0.0.1", "[::1]", "localhost"].includes(name)
}

function statusOf(request: IncomingMessage): number {
  if (!isAskedHere(request)) return 403
  if (request.url !== "/metrics") return 404
  return request.method === "GET" ? 200 : 405
}

/**
 * Serves `GET /metrics` without TLS, to this machine only.
 *
 * @param host - a loopback address.
 * @throws Error of `node:net` when the address cannot be had.
 */
export async function listenForScrapes(
  { host, port }: { readonly host: string; readonly port: number },
  families: () => readonly Family[],
): Promise<MetricsListening> {
  const limits = { requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 }
  const server = createServer(limits, (request, response) => {
    const status = statusOf(request)
    const body = status === 200 ? exposition(families()) : ""
    response.writeHead(status, {
      "content-type": EXPOSITION_TYPE,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    })
    response.end(body)
  })
  server.maxConnections = 16
  server.on("clientError", (_, socket) => socket.destroy())
  server.listen(port, host)
  await once(server, "listening")
  const address = server.address() as AddressInfo
  return {
    host: address.address,
    port: address.port,
    async close() {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
