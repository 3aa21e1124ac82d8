import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { LockKeeperError, type Member } from "@lockkeeper/api"
import type { ServerLink } from "@lockkeeper/client"
import { type Bytes, concat, type Field, utf8 } from "@lockkeeper/encoding"
import type { World } from "../../index.ts"
import { ACCEPTED, type Decoder, REFUSED, type Reading } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"

const SERVICE = "/lockkeeper.v1.KeyServerService"
const CALLS = ["Open", "Call", "GetHealth", "GetVersion", "GetRoster", "Nothing"]
const TYPES = [
  ...["application/proto", "application/json", "application/grpc-web+proto", "application/grpc"],
  ...["application/connect+proto", "application/grpc-web-text", "text/plain"],
]
const STATUSES = [200, 400, 404, 500, 503]

/** Longest an answer may take before it counts as none, milliseconds. */
const NO_ANSWER_MS = 10_000

/** A field of protocol buffers that holds bytes. */
function bytesField(number: number, value: Uint8Array): Bytes {
  const length = [value.length & 0x7f, value.length >> 7]
  if (value.length < 0x80) return concat(Uint8Array.of((number << 3) | 2, value.length), value)
  return concat(
    Uint8Array.of((number << 3) | 2, (length[0] as number) | 0x80, length[1] as number),
    value,
  )
}

const OPEN = bytesField(1, new Uint8Array(300).fill(7))
const CALL = concat(bytesField(1, new Uint8Array(16)), Uint8Array.of(0x10, 5), bytesField(3, OPEN))
const framed = (message: Bytes) => concat(Uint8Array.of(0, 0, 0, 0, message.length), message)

/** Two bytes that choose the call and the content type, then the body. */
const REQUESTS: readonly Bytes[] = [
  concat(Uint8Array.of(0, 0), OPEN),
  concat(Uint8Array.of(1, 0), CALL),
  concat(Uint8Array.of(0, 1), utf8('{"hello":"AAEC"}')),
  concat(Uint8Array.of(1, 1), utf8('{"sessionId":"AAEC","counter":"5","sealed":"AAEC"}')),
  concat(Uint8Array.of(1, 2), framed(CALL.slice(0, 100))),
  ...[2, 3, 4].map((call) => Uint8Array.of(call, 0)),
  ...[2, 3, 4].map((call) => concat(Uint8Array.of(call, 1), utf8("{}"))),
]

/** The same with a status: one byte for the status, one for the type, one for the call. */
const ANSWERS: readonly Bytes[] = [
  concat(Uint8Array.of(0, 0, 0), OPEN),
  concat(Uint8Array.of(0, 0, 1), OPEN),
  concat(Uint8Array.of(0, 0, 2), Uint8Array.of(8, 1, 16, 1, 24, 1, 32, 5)),
  concat(Uint8Array.of(4, 1, 0), utf8('{"code":"unavailable","message":"x","details":[]}')),
  concat(
    Uint8Array.of(1, 1, 0),
    utf8('{"code":"internal","details":[{"type":"google.protobuf.BytesValue","value":"CgEA"}]}'),
  ),
]

export interface HttpDecoders {
  readonly decoders: readonly Decoder[]
  close(): Promise<void>
}

/** The adapters of both ends: what a server makes of requests, and a client of answers. */
export async function httpDecoders(inside: Inside, world: World): Promise<HttpDecoders> {
  type Serve = (endpoint: object, events: object, maxTimeoutMs: number) => RequestListener
  const serve = nameIn<Serve>(inside, "packages/server/src/adapters/http/serve-rpc.ts", "serveRpc")
  const process = world.machine(1).running
  if (process === null) throw new Error("server 1 does not run")
  const faults: string[] = []
  const events = {
    event(name: string, fields: object) {
      if (name === "internal-error") faults.push(JSON.stringify(fields))
    },
  }
  // Without TLS: what is behind it is the same for whoever gets through.
  const server = createServer(serve(process.endpoint, events, NO_ANSWER_MS))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const layout =
    (head: number) =>
    (sample: Bytes): readonly Field[] => [
      { path: "head", kind: "bytes", start: 0, end: head },
      { path: "body", kind: "bytes", start: head, end: sample.length },
    ]
  const requests: Decoder = {
    name: "http: request",
    samples: REQUESTS,
    weight: 0.4,
    change: null,
    layout: layout(2),
    async read(input) {
      const url = `http://127.0.0.1:${port}${SERVICE}/${CALLS[(input[0] ?? 0) % CALLS.length]}`
      const headers = {
        "content-type": TYPES[(input[1] ?? 0) % TYPES.length] as string,
        "connect-protocol-version": "1",
      }
      const signal = AbortSignal.timeout(NO_ANSWER_MS)
      const body = input.slice(2)
      const answer = await fetch(url, { method: "POST", headers, body, signal })
      await answer.arrayBuffer()
      if (answer.status === 500) throw new Error("answered with 500")
      if (faults.length > 0) throw new Error(`internal error: ${faults.splice(0).join(", ")}`)
      return answer.ok ? ACCEPTED : REFUSED
    },
  }
  const answers: Decoder = {
    name: "http: answer",
    samples: ANSWERS,
    weight: 0.2,
    change: null,
    layout: layout(3),
    read: (input) => readAnswer(inside, world.roster.members[0] as Member, input),
  }
  return {
    decoders: [requests, answers],
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

/** The client's link over a server that answers with these bytes. */
async function readAnswer(inside: Inside, member: Member, input: Bytes): Promise<Reading> {
  type Link = (member: Member) => ServerLink
  const link = nameIn<Link>(inside, "packages/client/src/platform/browser.ts", "fetchLink")(member)
  const { signal } = new AbortController()
  const [status = 0, type = 0, call = 0] = input
  const body = input.slice(3)
  const headers = { "content-type": TYPES[type % TYPES.length] as string }
  const plain = globalThis.fetch
  globalThis.fetch = async () =>
    new Response(body, { status: STATUSES[status % STATUSES.length] as number, headers })
  try {
    if (call % 3 === 0) await link.open(new Uint8Array(1), signal)
    else if (call % 3 === 1) await link.roster(signal)
    else await link.status(signal)
    return ACCEPTED
  } catch (error) {
    // A server's word that it failed is passed on as what it is.
    if (error instanceof LockKeeperError) return REFUSED
    throw error
  } finally {
    globalThis.fetch = plain
  }
}
