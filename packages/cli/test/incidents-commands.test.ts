import assert from "node:assert/strict"
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, type TestContext, test } from "node:test"
import {
  encodeRoster,
  type Member,
  NO_SCHEDULE,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import { ristretto255, Secret, sha512, signingKeyFromSeed, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex, utf8 } from "@lockkeeper/encoding"
import {
  encodeEvidence,
  equivocationOf,
  NO_PREVIOUS,
  type Slot,
  signMessage,
} from "@lockkeeper/protocols"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { setUp } from "./owner-setup.ts"
import { onlyLine, temporaryDirectory, testHost } from "./support.ts"

const seeded = (label: string): Bytes => sha512(utf8(label)).slice(0, 32)
const identityOf = (id: number) => signingKeyFromSeed(new Secret(seeded(`identity ${id}`)))

function memberOf(identifier: number): Member {
  const scalar = ristretto255.scalarFromUniform(sha512(utf8(`opaque ${identifier}`)))
  return {
    ...{ identifier, name: `server-${identifier}`, url: `https://s${identifier}.example:7443` },
    identityKey: identityOf(identifier).publicKey,
    channelKey: xwingKeyPair(seeded(`channel ${identifier}`)).publicKey,
    opaqueKey: ristretto255.multiplyBase(scalar),
    ...{ operator: `operator ${identifier}`, cloud: "", jurisdiction: "" },
  }
}

/** A signed roster of three, and evidence that holds against the third. */
function signedEvidence(): { readonly signedRoster: Bytes; readonly evidence: Bytes } {
  const roster = encodeRoster({
    ...{ rosterEpoch: 1, minSigners: 2, members: [1, 2, 3].map(memberOf) },
    placement: { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false },
    ...{ previousDigest: new Uint8Array(32), createdAt: 1, ...NO_SCHEDULE, transition: null },
  })
  const signatures = new Map([1, 2, 3].map((id) => [id, signRoster(roster, identityOf(id))]))
  const sessionId = new Uint8Array(32)
  const slot: Slot = {
    ...{ protocol: "dkg", step: 1, attempt: 1, rosterEpoch: 1, sender: 3, sessionId },
  }
  const [yes, no] = ["yes", "no"].map((what) =>
    signMessage(identityOf(3), slot, { previousDigest: NO_PREVIOUS, broadcast: utf8(what) }),
  )
  return {
    signedRoster: encode(signedRosterCodec, { roster, signatures }),
    evidence: encodeEvidence(equivocationOf(yes!.header, no!.header)),
  }
}

const INCIDENT = {
  ...{ number: 1, reason: "equivocation", recordedAt: 1_700_000_000_000, source: "own" },
  servers: [{ server: 3, name: "server-3", operator: "operator 3" }],
  ...{ state: "quarantined", pairs: [], cleared: null },
}

/** A directory with a server behind its socket that gives this answer, and what it was asked. */
async function operated(t: TestContext, answer: object | string) {
  const directory = join(temporaryDirectory(t), "server")
  mkdirSync(directory, { mode: 0o700 })
  const asked: unknown[] = []
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.once("data", (line) => {
      asked.push(JSON.parse(line.toString()))
      connection.end(typeof answer === "string" ? answer : `${JSON.stringify(answer)}\n`)
    })
  })
  server.listen(join(directory, "control.sock"))
  await new Promise((done) => server.once("listening", done))
  t.after(() => server.close())
  return { directory, asked }
}

/** Exit code and JSON of one command. */
async function incidents(line: readonly string[], environment: Record<string, string> = {}) {
  const host = testHost({ environment })
  const code = await run(["incidents", ...line, "--json"], host)
  return { code, json: onlyLine(host) }
}

async function fails(line: readonly string[], code: number, error: string, field: string) {
  const failed = await incidents(line)
  const told = failed.json["error"] as { code: string; field: string }
  assert.deepEqual([failed.code, told.code, told.field], [code, error, field], line.join(" "))
}

describe("an operator", () => {
  test("lists what the running server has recorded, and with whom it works no more", async (t) => {
    const listed = { kind: "listed", server: 1, quarantined: [3], incidents: [INCIDENT] }
    const { directory, asked } = await operated(t, listed)
    const { code, json } = await incidents(["list", "--directory", directory])
    assert.equal(code, EXIT.ok)
    assert.deepEqual([json["server"], json["quarantined"], json["incidents"]], [1, [3], [INCIDENT]])
    assert.deepEqual(asked, [{ command: "incidents.list" }])
    const host = testHost({})
    await run(["incidents", "list", "--directory", directory], host)
    assert.match(host.out.text, /3 "server-3" +equivocation +2023-11-14 22:13:20 UTC +own/)
    assert.match(host.out.text, /works no more with servers 3\./)
  })

  test("is shown one incident, and gets a file that proves it to anyone, once", async (t) => {
    const { signedRoster, evidence } = signedEvidence()
    const { directory } = await operated(t, {
      ...{ kind: "shown", incident: INCIDENT },
      ...{ evidence: toHex(evidence), signedRoster: toHex(signedRoster) },
    })
    const file = join(directory, "incident-1.lk")
    const line = ["show", "1", "--directory", directory, "--evidence", file]
    const { code, json } = await incidents(line)
    assert.deepEqual([code, json["reason"], json["evidenceFile"]], [EXIT.ok, "equivocation", file])
    assert.equal(statSync(file).mode & 0o777, 0o600)
    await fails(line, EXIT.usage, "invalid-request", "evidence")
    const roster = join(directory, "roster.lk")
    writeFileSync(roster, signedRoster)
    const host = testHost({ environment: { LK_ROSTER: roster } })
    assert.equal(await run(["evidence", "verify", file, "--json"], host), EXIT.ok)
    assert.deepEqual([onlyLine(host)["culprit"], onlyLine(host)["name"]], [3, "server-3"])
  })

  test("clears one with a reason, and not without", async (t) => {
    const { directory, asked } = await operated(t, {
      ...{ kind: "cleared", number: 1, quarantined: [] },
    })
    const line = ["clear", "1", "--directory", directory]
    const { code, json } = await incidents([...line, "--note", "set up anew"])
    assert.deepEqual([code, json["quarantined"]], [EXIT.ok, []])
    assert.deepEqual(asked, [{ command: "incidents.clear", number: 1, note: "set up anew" }])
    await fails(line, EXIT.usage, "invalid-request", "note")
    await fails([...line, "--note", " "], EXIT.usage, "invalid-request", "note")
    assert.equal(asked.length, 1)
  })

  test("is told what is wrong with the directory, the number or the answer", async (t) => {
    const { directory } = await operated(t, {
      ...{ kind: "refused", code: "not-found", field: "number", message: "None.", remedy: "" },
    })
    await fails(["show", "7", "--directory", directory], EXIT.notFound, "not-found", "number")
    await fails(["show", "7"], EXIT.usage, "invalid-request", "directory")
    await fails(["clear", "7", "--note", "x"], EXIT.usage, "invalid-request", "directory")
    for (const number of ["0", "01", "1.5", "x", "4294967296"]) {
      const line = ["show", number, "--directory", directory]
      await fails(line, EXIT.usage, "invalid-request", "number")
    }
    const other = join(directory, "empty")
    mkdirSync(other, { mode: 0o700 })
    const list = (where: string) => ["list", "--directory", where]
    await fails(list(other), EXIT.configuration, "misconfigured", "directory")
    await fails(list(join(directory, "no")), EXIT.configuration, "misconfigured", "directory")
    chmodSync(other, 0o755)
    await fails(list(other), EXIT.configuration, "misconfigured", "directory")
    for (const answer of ["{}\n", "not json\n", '{"kind":"listed","server":1}\n']) {
      const strange = await operated(t, answer)
      await fails(list(strange.directory), EXIT.servers, "unavailable", "")
    }
    const silent = await operated(t, "")
    await fails(list(silent.directory), EXIT.servers, "unavailable", "directory")
    assert.ok(existsSync(directory))
  })
})

describe("an owner", () => {
  test("lists what servers have recorded against each other", async (t) => {
    const { succeeds } = await setUp(t)
    const { recorded } = (await succeeds(["incidents", "list"])) as {
      recorded: { recordedBy: number; servers: number[]; state: string; evidence: string }[]
    }
    assert.deepEqual(
      recorded.map(({ recordedBy, servers, state }) => [recordedBy, servers, state]),
      [
        [1, [3], "quarantined"],
        [2, [1, 3], "noted"],
      ],
    )
    assert.equal(recorded[0]?.evidence, "07".repeat(32))
  })
})
