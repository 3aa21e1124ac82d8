import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { LockKeeper } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import {
  endpointOf,
  Gate,
  type Listening,
  listenHttp,
  parseConfig,
  readTls,
  Turnstile,
} from "@lockkeeper/server"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }
const TLS = { certificate: "tls.crt", key: "tls.key" }

/** A port that was free a moment ago: the roster names it before the server listens. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1")
  await once(probe, "listening")
  const { port } = probe.address() as AddressInfo
  probe.close()
  return port
}

describe("the SDK over HTTP/2 and TLS 1.3", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockkeeper-tls-"))
  const listening: Listening[] = []
  let cluster: TestCluster
  let keeper: LockKeeper
  let ca: string
  let ports: readonly number[]

  before(async () => {
    certify(directory)
    ca = readFileSync(join(directory, TLS.certificate), "utf8")
    ports = await Promise.all([freePort(), freePort(), freePort()])
    cluster = await TestCluster.start({ urls: ports.map((port) => `https://localhost:${port}`) })
    for (const [i, port] of ports.entries()) listening.push(await serve(i + 1, port))
    const { signedRoster: roster, pin } = cluster
    keeper = await LockKeeper.connect({ roster, pin, ca })
  })

  after(async () => {
    // There is none when setting up failed; the servers that did start would keep the process.
    keeper?.close()
    await Promise.all(listening.map((server) => server.close(0)))
    rmSync(directory, { recursive: true })
  })

  async function serve(identifier: number, port: number): Promise<Listening> {
    const config = parseConfig({ version: 1, listen: { port, host: "127.0.0.1" }, tls: TLS })
    const { server } = cluster.server(identifier)
    return listenHttp(
      endpointOf(new Turnstile(server), new Gate(config.limits), () => "ready"),
      {
        listen: config.listen,
        limits: config.limits,
        allowedOrigins: [],
        tls: readTls(directory, TLS, Date.now()),
        events: { event: () => undefined },
      },
    )
  }

  it("registers, logs in, makes a key, signs, and goes on when a server is gone", async () => {
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { key } = await session.keys.create({ type: "ed25519" })
    const message = utf8("over the wire")
    const signs = async () => {
      const { signature } = await session.sign({ keyId: key.keyId, message })
      assert.ok(verifySignature(key.publicKey, message, signature))
    }
    await signs()
    assert.deepEqual(
      (await keeper.health()).map(({ ready }) => ready),
      [true, true, true],
    )
    await listening[1]?.close(0)
    for (let i = 0; i < 4; i++) await signs()
    const [, down] = await keeper.health()
    assert.equal(down?.ready, false)
    assert.match(down?.problem ?? "", /server-2/)
    listening[1] = await serve(2, ports[1] as number)
    assert.equal((await keeper.health())[1]?.ready, true)
    await session.logout()
  })

  it("does not speak to servers whose certificate the given authority did not sign", async () => {
    const { signedRoster: roster, pin } = cluster
    const other = await LockKeeper.connect({ roster, pin })
    const error = await refused(() => other.login(OWNER), "not-enough-servers")
    assert.match(error.message, /shows a certificate that is not trusted/)
    assert.doesNotMatch(error.message, /at .*:\d+:\d+/)
    other.close()
  })

  it("takes an authority's certificate, not the path to it", async () => {
    const { signedRoster: roster, pin } = cluster
    const connecting = () => LockKeeper.connect({ roster, pin, ca: "/etc/ca.pem" })
    const error = await refused(connecting, "misconfigured")
    assert.equal(error.field, "ca")
  })
})

/** A certificate for localhost that vouches for itself. */
function certify(into: string): void {
  const out = ["-keyout", join(into, TLS.key), "-out", join(into, TLS.certificate)]
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
  const args = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "30", ...subject, ...out]
  execFileSync("openssl", args, { stdio: "pipe" })
  chmodSync(join(into, TLS.key), 0o600)
}
