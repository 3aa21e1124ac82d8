import assert from "node:assert/strict"
import { once } from "node:events"
import { connect as connectHttp2 } from "node:http2"
import { request as requestHttps } from "node:https"
import { after, before, test } from "node:test"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { gzipSync } from "node:zlib"
import { Code, ConnectError, createClient } from "@connectrpc/connect"
import { createConnectTransport } from "@connectrpc/connect-node"
import { LockKeeperError, MAX_FRAME, refusalFromConnect, wire } from "@lockkeeper/api"
import { listenHttp } from "../src/adapters/http/listen.ts"
import { parseConfig } from "../src/config/schema.ts"
import { readTls } from "../src/config/tls.ts"
import type { Endpoint, Listening } from "../src/ports/listener.ts"
import { certify, RecordedEvents, scratch } from "./server-directories.ts"

const SERVICE = "/lockkeeper.v1.KeyServerService"
const ORIGIN = "https://console.example"

const events = new RecordedEvents()
let listening: Listening
/** What `open` does in the next call; tests set it. */
let onOpen: (hello: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>> = async (h) => h

const endpoint: Endpoint = {
  health: () => ({
    state: "ready",
    server: 7,
    rosterEpoch: 3,
    timeMs: 1234,
    storeRestored: true,
    placement: { possible: true, mayLose: 2 },
  }),
  version: () => ({ version: "0", protocolVersion: 1, backends: [] }),
  rosterChain: () => [{ roster: new Uint8Array(3), signatures: new Map() }],
  open: (_, hello) => onOpen(hello),
  call: async (_, { sealed }) => sealed,
}

before(async () => {
  const directory = scratch()
  certify(directory)
  const tls = { certificate: "tls.crt", key: "tls.key" }
  const limits = { requestTimeoutMs: 1000, connections: 8 }
  const config = parseConfig({ version: 1, listen: { port: 0 }, tls, limits })
  listening = await listenHttp(endpoint, {
    listen: config.listen,
    limits: config.limits,
    allowedOrigins: [ORIGIN],
    tls: readTls(directory, tls, Date.now()),
    events,
  })
})
after(() => listening.close(0))

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/** One request over HTTP/1.1, byte for byte as a test wants it. */
function ask({ method = "POST", path = "/GetHealth", headers = {}, body = "{}" }: Ask = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = requestHttps(
      {
        ...{ host: "127.0.0.1", port: listening.port, path: SERVICE + path, method },
        headers: { "content-type": "application/json", ...headers },
        rejectUnauthorized: false,
        agent: false,
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
        incoming.on("error", reject)
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        )
      },
    )
    outgoing.on("error", reject)
    outgoing.end(method === "GET" || method === "OPTIONS" ? undefined : body)
  })
}

function rpc() {
  const transport = createConnectTransport({
    baseUrl: `https://127.0.0.1:${listening.port}`,
    httpVersion: "2",
    nodeOptions: { rejectUnauthorized: false },
  })
  return createClient(wire.KeyServerService, transport)
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call
  } catch (error) {
    assert.ok(error instanceof ConnectError)
    return error
  }
  return assert.fail("the call succeeded")
}

test("HTTP/2 and HTTP/1.1 both answer", async () => {
  const health = await rpc().getHealth({})
  assert.deepEqual([health.server, health.rosterEpoch, health.timeMs], [7, 3, 1234n])
  assert.equal(health.storeRestored, true)
  const answer = await ask()
  assert.equal(answer.status, 200)
  assert.equal(answer.headers["cache-control"], "no-store")
  assert.match(answer.body, /"server":7/)
})

test("bytes pass unchanged in both directions", async () => {
  const hello = new Uint8Array(16_384).map((_, i) => i * 7)
  assert.deepEqual(new Uint8Array((await rpc().open({ hello })).answer), hello)
  const sealed = new Uint8Array(262_144).fill(9)
  const answer = await rpc().call({ sessionId: new Uint8Array(16), counter: 1n, sealed })
  assert.deepEqual(new Uint8Array(answer.sealed), sealed)
})

test("TLS 1.2 is refused, TLS 1.3 is spoken", async () => {
  const options = { host: "127.0.0.1", port: listening.port, rejectUnauthorized: false }
  const old = connectTls({ ...options, maxVersion: "TLSv1.2" })
  const [error] = (await once(old, "error")) as [Error]
  assert.match(error.message, /protocol version/)
  const current = connectTls(options)
  await once(current, "secureConnect")
  assert.equal(current.getProtocol(), "TLSv1.3")
  current.destroy()
})

test("a body that is too large is refused by its header and by its length", async () => {
  const announced = await ask({ path: "/Open", headers: { "content-length": "9999999" } }).catch(
    () => null,
  )
  assert.ok(announced === null || announced.status === 413)
  const body = JSON.stringify({ hello: "A".repeat(MAX_FRAME + 100_000) })
  const sent = await ask({ path: "/Open", body }).catch(() => null)
  assert.ok(sent === null || sent.status === 413 || sent.status === 429, JSON.stringify(sent))
  const error = await failure(rpc().open({ hello: new Uint8Array(MAX_FRAME + 100_000) }))
  assert.ok(
    [Code.ResourceExhausted, Code.Unknown, Code.Internal, Code.Canceled].includes(error.code),
  )
})

test("compressed bodies are refused unopened", async () => {
  const bomb = gzipSync(new Uint8Array(50_000_000))
  const answer = await ask({ headers: { "content-encoding": "gzip" }, body: bomb })
  assert.equal(answer.status, 415)
})

test("malformed messages are refused as invalid, and the server goes on", async () => {
  for (const body of ["", "{", '{"hello":1}', "\u0000", "[".repeat(100_000)]) {
    const { status } = await ask({ path: "/Open", body })
    assert.ok(status >= 400 && status < 500, `${status} for ${body.slice(0, 10)}`)
  }
  const proto = { "content-type": "application/proto" }
  for (const body of [Uint8Array.of(0x0a, 0xff), Uint8Array.of(0xff, 0xff, 0xff)]) {
    const { status } = await ask({ path: "/Open", headers: proto, body })
    assert.equal(status, 400)
  }
  assert.equal((await ask({ path: "/Nothing" })).status, 404)
  assert.equal((await ask({ method: "DELETE" })).status, 405)
  assert.equal((await ask({ headers: { "content-type": "text/plain" } })).status, 415)
  assert.equal((await ask()).status, 200)
})

test("a counter that no number can hold is refused naming the field", async () => {
  const frame = { sessionId: new Uint8Array(16), counter: 2n ** 60n, sealed: new Uint8Array(1) }
  const refused = refusalFromConnect(await failure(rpc().call(frame)))
  assert.deepEqual([refused?.code, refused?.field], ["invalid-request", "counter"])
})

test("web pages of configured origins may read answers, others get nothing", async () => {
  const preflight = { method: "OPTIONS", headers: { "access-control-request-method": "POST" } }
  const allowed = await ask({ ...preflight, headers: { ...preflight.headers, origin: ORIGIN } })
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers["access-control-allow-origin"], ORIGIN)
  assert.equal(allowed.headers["access-control-allow-credentials"], undefined)
  const called = await ask({ headers: { origin: ORIGIN } })
  assert.equal(called.status, 200)
  assert.equal(called.headers["access-control-allow-origin"], ORIGIN)
  assert.equal(called.headers["vary"], "Origin")
  const others = [
    "https://evil.example",
    "null",
    "https://console.example.evil.example",
    "http://console.example",
    "https://console.example:444",
    "https://console.example/",
  ]
  for (const origin of others) {
    for (const request of [{ headers: { origin } }, { ...preflight, headers: { origin } }]) {
      const refused = await ask(request)
      assert.equal(refused.status, 403, origin)
      assert.equal(refused.headers["access-control-allow-origin"], undefined)
      assert.equal(refused.body, "")
    }
  }
  assert.equal((await ask({ method: "OPTIONS" })).status, 405)
})

test("a refusal keeps code, field and remedy; any other failure says nothing of itself", async () => {
  const options = { field: "hello", remedy: "Do this.", server: 7 }
  onOpen = async () => {
    throw new LockKeeperError("wrong-server", "Not here.", options)
  }
  const refused = refusalFromConnect(await failure(rpc().open({ hello: new Uint8Array(1) })))
  assert.deepEqual(
    [refused?.code, refused?.message, refused?.field, refused?.remedy, refused?.server],
    ["wrong-server", "Not here.", "hello", "Do this.", 7],
  )
  onOpen = async () => {
    throw new TypeError("canary: the secret is 42")
  }
  const failed = await failure(rpc().open({ hello: new Uint8Array(1) }))
  assert.equal(refusalFromConnect(failed)?.code, "internal")
  const answer = await ask({ path: "/Open", body: "{}" })
  assert.equal(answer.status, 500)
  assert.ok(!answer.body.includes("canary"))
  assert.ok(!JSON.stringify(events.seen).includes("canary"))
  assert.deepEqual(events.seen.at(-1), ["internal-error", { error: "TypeError" }])
  onOpen = async (hello) => hello
})

test("a request that never ends is cut off, and connections are bounded", async () => {
  const slow = requestHttps({
    ...{ host: "127.0.0.1", port: listening.port, path: `${SERVICE}/Open`, method: "POST" },
    headers: { "content-type": "application/json", "content-length": "100" },
    rejectUnauthorized: false,
    agent: false,
  })
  slow.write("{")
  const started = Date.now()
  const answered = once(slow, "response").then(
    ([response]) => (response as { statusCode: number }).statusCode,
  )
  const outcome = await answered.catch(() => 0)
  assert.ok(outcome === 0 || outcome >= 400)
  assert.ok(Date.now() - started < 5000)
  slow.destroy()

  const options = { host: "127.0.0.1", port: listening.port, rejectUnauthorized: false }
  const sockets: TLSSocket[] = []
  let refused = 0
  for (let i = 0; i < 20; i++) {
    const socket = connectTls(options)
    sockets.push(socket)
    const open = await new Promise<boolean>((resolve) => {
      socket.on("secureConnect", () => resolve(true))
      socket.on("error", () => resolve(false))
      socket.on("close", () => resolve(false))
    })
    if (!open) refused += 1
  }
  assert.ok(refused >= 12, `${refused} of 20 refused at a limit of 8`)
  for (const socket of sockets) socket.destroy()
})

test("closing answers what is under way and takes nothing new", async (t) => {
  const directory = scratch()
  certify(directory)
  const tls = { certificate: "tls.crt", key: "tls.key" }
  const config = parseConfig({ version: 1, listen: { port: 0 }, tls })
  const own = await listenHttp(endpoint, {
    ...{ listen: config.listen, limits: config.limits, allowedOrigins: [], events },
    tls: readTls(directory, tls, Date.now()),
  })
  const session = connectHttp2(`https://127.0.0.1:${own.port}`, { rejectUnauthorized: false })
  t.after(() => session.destroy())
  const path = `${SERVICE}/Open`
  const headers = { ":method": "POST", ":path": path, "content-type": "application/json" }
  let finish: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    onOpen = (hello) =>
      new Promise((answer) => {
        resolve()
        finish = () => answer(hello)
      })
  })
  const stream = session.request(headers)
  stream.end(JSON.stringify({ hello: "AAAA" }))
  await begun
  const closed = own.close(5000)
  finish()
  const [answer] = (await once(stream, "response")) as [{ ":status": number }]
  assert.equal(answer[":status"], 200)
  stream.resume()
  await once(stream, "end")
  await closed
  session.destroy()
  onOpen = async (hello) => hello
  await assert.rejects(
    new Promise((resolve, reject) => {
      const refused = connectTls({ host: "127.0.0.1", port: own.port, rejectUnauthorized: false })
      refused.on("error", reject)
      refused.on("secureConnect", resolve)
    }),
  )
})
