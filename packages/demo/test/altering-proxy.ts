import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { TestContext } from "node:test"

interface Call {
  readonly method: string
  readonly params: readonly unknown[]
}

/** Changes what the chain answered, or leaves it. */
export type Alter = (call: Call, result: unknown) => unknown

/** The address of a proxy in front of a JSON-RPC server which lies as it is told. */
export async function alteringProxy(t: TestContext, url: string, alter: Alter): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = ""
    for await (const part of request) body += String(part)
    const headers = { "content-type": "application/json" }
    const answered = await fetch(url, { method: "POST", headers, body })
    const reply = (await answered.json()) as { result?: unknown }
    if ("result" in reply) reply.result = alter(JSON.parse(body) as Call, reply.result)
    response.writeHead(200, headers).end(JSON.stringify(reply))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  t.after(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
