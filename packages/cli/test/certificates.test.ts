import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { describe, test } from "node:test"
import { connect, createServer } from "node:tls"
import { Authority } from "../src/dev/certificates.ts"

const now = Date.now()

describe("a cluster's certificate authority", () => {
  test("issues certificates that name exactly the hosts they are for", () => {
    const authority = new Authority("test authority", now)
    const { certificate } = authority.certify("server 1", ["localhost", "127.0.0.1", "::1"])
    const parsed = new X509Certificate(certificate)
    assert.equal(parsed.subject, "CN=server 1")
    assert.equal(parsed.issuer, "CN=test authority")
    assert.equal(parsed.ca, false)
    assert.equal(parsed.checkHost("localhost"), "localhost")
    assert.equal(parsed.checkHost("example.org"), undefined)
    assert.equal(parsed.checkIP("127.0.0.1"), "127.0.0.1")
    assert.equal(parsed.checkIP("::1"), "::1")
    const root = new X509Certificate(authority.certificate)
    assert.equal(root.ca, true)
    assert.ok(parsed.verify(root.publicKey))
    assert.ok(parsed.checkIssued(root))
    assert.ok(new Date(parsed.validFrom).getTime() < now)
    assert.ok(new Date(parsed.validTo).getTime() > now + 300 * 86_400_000)
  })

  test("is accepted by TLS 1.3 for its own servers and for no others", async () => {
    const authority = new Authority("test authority", now)
    const other = new Authority("another authority", now)
    const { certificate, privateKey } = authority.certify("server 1", ["localhost"])
    const server = createServer({ cert: certificate, key: privateKey, minVersion: "TLSv1.3" })
    server.on("tlsClientError", () => undefined)
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const dial = (ca: string) =>
      connect({ port, host: "127.0.0.1", servername: "localhost", ca: [ca] })
    try {
      const good = dial(authority.certificate)
      await once(good, "secureConnect")
      assert.equal(good.authorized, true)
      assert.equal(good.getProtocol(), "TLSv1.3")
      good.destroy()
      const [error] = await once(dial(other.certificate), "error")
      assert.match(String(error.code), /UNABLE_TO_VERIFY|SELF_SIGNED|SIGNATURE/)
    } finally {
      server.close()
    }
  })
})
