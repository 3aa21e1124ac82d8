import { once } from "node:events"
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2"
import type { Socket } from "node:net"
import { Duplex, type Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import { createServer as createTlsServer, type TLSSocket } from "node:tls"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import type { Authority } from "../../src/dev/certificates.ts"

/** One request and its answer, as whoever ends TLS reads them. */
export interface Exchange {
  readonly server: number
  readonly path: string
  readonly status: number
  readonly request: Bytes
  readonly response: Bytes
}

export interface RelayPlan {
  readonly server: number
  readonly listenPort: number
  readonly targetPort: number
  /** Trusted by the clients, who take the relay for the server. */
  readonly authority: Authority
  /** PEM: the real server's authority. */
  readonly ca: string
}

/**
 * A machine in the middle: clients trust its certificate, it speaks TLS of its own to the server,
 * and it keeps every byte that passes between the two, decrypted.
 */
export class Relay {
  readonly exchanges: Exchange[] = []
  /** HTTP/2 as it went over the client's connections, both directions in the order of arrival. */
  readonly #raw: Uint8Array[] = []
  /** Header fields in the clear, which HTTP/2 itself compresses. */
  readonly #headers: string[] = []
  readonly #plan: RelayPlan
  readonly #sockets = new Set<TLSSocket>()
  #upstream: ClientHttp2Session | null = null
  #close: () => Promise<void> = async () => undefined

  private constructor(plan: RelayPlan) {
    this.#plan = plan
  }

  static async start(plan: RelayPlan): Promise<Relay> {
    const relay = new Relay(plan)
    await relay.#listen()
    return relay
  }

  /** Everything seen: frames, decoded headers, bodies. */
  get seen(): Bytes {
    const bodies = this.exchanges.flatMap(({ request, response }) => [request, response])
    const parts = [...this.#raw, utf8(this.#headers.join("\n")), ...bodies]
    return new Uint8Array(Buffer.concat(parts))
  }

  close(): Promise<void> {
    return this.#close()
  }

  async #listen(): Promise<void> {
    const { authority, listenPort, server } = this.#plan
    const { certificate, privateKey } = authority.certify(`relay ${server}`, ["localhost"])
    const http = createServer()
    http.on("stream", (stream, headers) => {
      // A server that was killed in mid-answer looks to the client like the relay's own failure.
      this.#forward(stream, headers).catch(() => stream.destroy())
    })
    const credentials = { key: privateKey, cert: certificate }
    const tls = createTlsServer({ ...credentials, ALPNProtocols: ["h2"] }, (socket) => {
      this.#sockets.add(socket)
      socket.once("close", () => this.#sockets.delete(socket))
      http.emit(
        "connection",
        tapped(socket, (bytes) => this.#raw.push(bytes)),
      )
    })
    tls.listen(listenPort, "127.0.0.1")
    await once(tls, "listening")
    this.#close = async () => {
      this.#upstream?.destroy()
      for (const socket of this.#sockets) socket.destroy()
      tls.close()
      await once(tls, "close")
    }
  }

  async #forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on("error", () => undefined)
    const request = await bytesOf(stream)
    const answer = this.#connection().request(headers as OutgoingHttpHeaders)
    answer.end(request)
    const [answerHeaders] = (await once(answer, "response")) as [OutgoingHttpHeaders]
    const response = await bytesOf(answer)
    this.#headers.push(JSON.stringify([headers, answerHeaders]))
    const path = String(headers[":path"])
    const status = Number(answerHeaders[":status"])
    this.exchanges.push({ server: this.#plan.server, path, status, request, response })
    if (stream.destroyed) return
    stream.respond(answerHeaders)
    stream.end(response)
  }

  #connection(): ClientHttp2Session {
    const open = this.#upstream
    if (open !== null && !open.closed && !open.destroyed) return open
    const { targetPort, ca } = this.#plan
    const session = connect(`https://localhost:${targetPort}`, { ca, minVersion: "TLSv1.3" })
    session.on("error", () => undefined)
    this.#upstream = session
    return session
  }
}

async function bytesOf(stream: Readable): Promise<Bytes> {
  return new Uint8Array(await buffer(stream))
}

/** The decrypted side of a socket, copied to `record` as it passes. */
function tapped(socket: Socket, record: (bytes: Uint8Array) => void): Duplex {
  const tap = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _, done) {
      record(Uint8Array.from(chunk))
      socket.write(chunk, () => done())
    },
    final(done) {
      socket.end(() => done())
    },
    destroy(_, done) {
      socket.destroy()
      done(null)
    },
  })
  socket.on("data", (chunk: Buffer) => {
    record(Uint8Array.from(chunk))
    if (!tap.push(chunk)) socket.pause()
  })
  socket.on("end", () => tap.push(null))
  socket.on("error", () => tap.destroy())
  socket.on("close", () => tap.destroy())
  tap.on("error", () => undefined)
  return tap
}
