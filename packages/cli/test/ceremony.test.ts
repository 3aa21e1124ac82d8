import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { describe, test } from "node:test"
import { decodeRoster } from "@lockkeeper/api"
import { evidenceFile } from "@lockkeeper/client"
import { decode, toHex, utf8 } from "@lockkeeper/encoding"
import { encodeEvidence, equivocationOf, signMessage } from "@lockkeeper/protocols"
import { rosterSignatureCodec } from "@lockkeeper/server"
import { childEnvironment, nodeArguments } from "../src/child-process.ts"
import { Authority } from "../src/dev/certificates.ts"
import { EXIT } from "../src/exit-codes.ts"
import { readSecretFile } from "../src/owner-only-file.ts"
import { withServer } from "../src/server-directory.ts"
import { Operators } from "./operators.ts"
import { writeSecret } from "./support.ts"

describe("operators with nothing but the command", () => {
  test("make servers and a roster that all of them signed and a client trusts", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const roster = ["--roster", operators.at("roster.lk")]
    const { digest, minSigners } = await operators.run(["roster", "show", ...roster])
    assert.equal(minSigners, 2)
    const verify = ["roster", "verify", operators.at("roster.lk")]
    assert.equal((await operators.run([...verify, "--pin", String(digest)]))["digest"], digest)
    const other = await operators.refused([...verify, "--pin", "00".repeat(32)], EXIT.trust)
    assert.equal(other.code, "untrusted-roster")
  })

  test("cannot make a roster with a threshold above its servers or the same server twice", async (t) => {
    const operators = new Operators(t)
    const descriptors = [await operators.init("alpha"), await operators.init("beta")]
    const create = ["roster", "create", "--out", operators.at("roster.unsigned"), "--threshold"]
    const above = await operators.refused([...create, "3", ...descriptors], EXIT.configuration)
    assert.equal(above.field, "minSigners")
    const twice = [descriptors[0] ?? "", descriptors[0] ?? ""]
    const same = await operators.refused([...create, "2", ...twice], EXIT.configuration)
    assert.match(same.field, /^members\.alpha\./)
    await operators.refused([...create, "two", ...descriptors], EXIT.usage)
  })

  test("cannot pass off a descriptor that its server did not sign", async (t) => {
    const operators = new Operators(t)
    const path = await operators.init("alpha")
    const descriptor = JSON.parse(readFileSync(path, "utf8"))
    writeFileSync(path, JSON.stringify({ ...descriptor, url: "https://evil.example:1" }))
    const create = ["roster", "create", "--threshold", "1", "--out", operators.at("unsigned"), path]
    const refusal = await operators.refused(create, EXIT.configuration)
    assert.equal(refusal.field, "descriptor.signature")
  })

  test("cannot join a roster that one of them did not sign", async (t) => {
    const operators = new Operators(t)
    const descriptors = [await operators.init("alpha"), await operators.init("beta")]
    const unsigned = operators.at("roster.unsigned")
    const create = ["roster", "create", "--threshold", "1", "--out", unsigned]
    await operators.run([...create, ...descriptors])
    await operators.sign("alpha")
    const out = ["--out", operators.at("roster.lk"), "--bundle", operators.at("roster.bundle")]
    const join = ["roster", "join", ...out, operators.at("alpha.signature")]
    const refusal = await operators.refused(join, EXIT.trust)
    assert.match(refusal.message, /beta/)
  })

  test("never overwrite a server or a file", async (t) => {
    const operators = new Operators(t)
    const descriptor = await operators.init("alpha")
    const again = ["server", "init", operators.at("alpha"), "--name", "a", "--url", "https://a:1"]
    await operators.refused(again, EXIT.conflict)
    const create = ["roster", "create", "--threshold", "1", "--out", descriptor, descriptor]
    const refusal = await operators.refused(create, EXIT.conflict)
    assert.equal(refusal.field, "out")
  })

  test("need the passphrase to sign", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    writeFileSync(operators.passphrase, "another passphrase")
    const line = ["roster", "sign", operators.at("alpha"), operators.at("roster.unsigned")]
    const refusal = await operators.refused(
      [...line, "--out", operators.at("x")],
      EXIT.configuration,
    )
    assert.match(refusal.message, /passphrase/)
  })

  test("run a server that tells its state to whoever trusts its certificate", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const directory = operators.at("alpha")
    const { certificate, privateKey } = new Authority("operators", Date.now()).certify("alpha", [
      "localhost",
    ])
    writeSecret(directory, "tls.crt", certificate)
    writeSecret(directory, "tls.key", privateKey)
    const tls = { certificate: "tls.crt", key: "tls.key" }
    const config = { version: 1, listen: { port: 0 }, tls }
    writeFileSync(join(directory, "server.json"), JSON.stringify(config))
    const args = [...nodeArguments("./main"), "server", "run", directory, "--json"]
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...childEnvironment(), LK_PASSPHRASE_FILE: operators.passphrase },
    })
    t.after(() => child.kill("SIGKILL"))
    const [line] = await once(createInterface({ input: child.stdout }), "line")
    const { event, name, port } = JSON.parse(line as string)
    assert.deepEqual({ event, name }, { event: "listening", name: "alpha" })
    assert.ok(port > 0)
    const ended = once(child, "exit")
    child.kill("SIGTERM")
    assert.deepEqual(await ended, [0, null])
  })
})

describe("lockkeeper evidence verify", () => {
  /** What alpha would leave behind if it answered one step of one session twice. */
  async function equivocation(operators: Operators) {
    const passphrase = readSecretFile(operators.passphrase, "LK_PASSPHRASE_FILE")
    const evidence = await withServer(operators.at("alpha"), passphrase, async ({ secrets }) => {
      const place = { protocol: "dkg", step: 1, attempt: 1, rosterEpoch: 1, sender: 1 } as const
      const slot = { ...place, sessionId: new Uint8Array(32) }
      const say = (text: string) => {
        const draft = { previousDigest: new Uint8Array(32), broadcast: utf8(text) }
        return signMessage(secrets.identity, slot, draft).header
      }
      return encodeEvidence(equivocationOf(say("yes"), say("no")))
    })
    const roster = new Uint8Array(readFileSync(operators.at("roster.lk")))
    return evidenceFile(roster, evidence)
  }

  test("names the culprit from its own signed messages, without any server", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const file = operators.at("evidence.lk")
    writeFileSync(file, await equivocation(operators))
    const roster = ["--roster", operators.at("roster.lk")]
    const verdict = await operators.run(["evidence", "verify", file, ...roster])
    assert.deepEqual(
      { valid: verdict["valid"], culprit: verdict["culprit"], name: verdict["name"] },
      { valid: true, culprit: 1, name: "alpha" },
    )
    assert.equal(verdict["reason"], "equivocation")
  })

  test("believes no file in which one bit differs, and none about another roster", async (t) => {
    const operators = new Operators(t)
    await operators.ceremony()
    const file = operators.at("evidence.lk")
    const good = await equivocation(operators)
    const roster = ["--roster", operators.at("roster.lk")]
    for (const offset of [3, 100, good.length - 10]) {
      const altered = new Uint8Array(good)
      altered[offset] = (altered[offset] as number) ^ 1
      writeFileSync(file, altered)
      const verdict = await operators.run(
        ["evidence", "verify", file, ...roster],
        EXIT.verification,
      )
      assert.equal(verdict["valid"], false, `offset ${offset}`)
    }
    writeFileSync(file, new Uint8Array(1 << 20))
    const huge = await operators.run(["evidence", "verify", file, ...roster], EXIT.verification)
    assert.equal(huge["why"], "the file is too large")
    const strangers = new Operators(t)
    await strangers.ceremony()
    writeFileSync(file, good)
    const theirs = ["--roster", strangers.at("roster.lk")]
    const verdict = await operators.run(["evidence", "verify", file, ...theirs], EXIT.verification)
    assert.match(String(verdict["why"]), /another roster/)
  })
})

describe("a member's signature file", () => {
  test("is for exactly the roster whose digest was printed", async (t) => {
    const operators = new Operators(t)
    const descriptors = [await operators.init("alpha"), await operators.init("beta")]
    const unsigned = operators.at("roster.unsigned")
    const create = ["roster", "create", "--threshold", "1", "--out", unsigned]
    const { digest } = await operators.run([...create, ...descriptors])
    assert.equal((await operators.sign("alpha"))["digest"], digest)
    const file = new Uint8Array(readFileSync(operators.at("alpha.signature")))
    const { roster, identifier } = decode(rosterSignatureCodec, file)
    assert.equal(identifier, 1)
    assert.equal(toHex(roster), toHex(new Uint8Array(readFileSync(unsigned))))
    assert.equal(decodeRoster(roster).minSigners, 1)
  })
})
