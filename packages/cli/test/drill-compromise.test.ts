import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { type Identifier, sha256 } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { KeyPackage } from "@lockkeeper/protocols"
import { readDescriptor } from "@lockkeeper/server"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import type { ServerProcess } from "../src/dev/server-process.ts"
import { EXIT } from "../src/exit-codes.ts"
import { openOperator } from "../src/operator.ts"
import { readRoster } from "../src/roster-file.ts"
import { commands, ownerOf } from "./commands.ts"
import { isKey, publicOf, type Stolen, stealFrom } from "./stolen-shares.ts"

const CAUGHT = 4

const KINDS = ["ed25519", "bip340"] as const

/** A server is taken whole by somebody else; its operators put it out, over real processes. */
describe("after a drill for a server that an intruder held whole", () => {
  let cluster: Cluster
  let environment: Record<string, string>
  const { lockkeeper, succeeds } = commands(() => environment)
  let publicKeys: unknown
  /** What the intruder took, and what one other server had then. */
  let taken: { readonly theirs: Stolen; readonly before: Stolen }
  let keysBefore: readonly string[]

  const at = (name: string): string => join(cluster.directory, name)
  const server = (identifier: number) => cluster.servers[identifier - 1] as ServerProcess
  const steal = (identifier: number) => stealFrom(cluster, server(identifier))
  const others = (): readonly ServerProcess[] => cluster.servers.slice(0, CAUGHT - 1)
  const channelKeys = () =>
    others().map(({ directory }) => {
      const text = readFileSync(join(directory, "descriptor.json"), "utf8")
      return digestOf(readDescriptor(text).channelKey)
    })

  before(async () => {
    cluster = await startCluster({ servers: 4, threshold: 2, directory: null })
    environment = ownerOf(cluster)
    await succeeds(["register"])
    for (const type of KINDS) await succeeds(["keys", "create", "--type", type, "--label", type])
    publicKeys = publicOf(await succeeds(["keys", "list"]))
    taken = { theirs: await steal(CAUGHT), before: await steal(1) }
    keysBefore = channelKeys()
    await drill()
  })

  after(() => cluster.stop())

  /** All by the command, at servers that run; the intruder's goes on running too. */
  async function drill(): Promise<void> {
    const own = others().flatMap(({ directory }) => ["--directory", directory])
    const line = ["drill", "compromise", "--server", `local-${CAUGHT}`, ...own]
    const next = at("next")
    const proposed = await succeeds([...line, "--out", `${next}.unsigned`])
    assert.equal(proposed["phase"], "sign")
    const signatures = proposed["signatures"] as string[]
    assert.equal(signatures.length, 3)
    const out = ["--out", `${next}.lk`, "--bundle", `${next}.bundle`, "--after", cluster.roster]
    await succeeds(["roster", "join", ...out, ...signatures])
    for (const { directory } of others()) {
      await succeeds(["roster", "activate", directory, `${next}.bundle`])
    }
    const withNext = ["--roster", `${next}.lk`, ...line]
    const dry = await succeeds([...withNext, "--dry-run"])
    assert.deepEqual([dry["phase"], (dry["plans"] as unknown[]).length], ["move", 2])
    const moved = await succeeds(withNext)
    assert.deepEqual([moved["phase"], moved["complete"]], ["move", true])
    assert.deepEqual(
      (moved["moved"] as { kind: string; done: number }[]).map(({ kind, done }) => [kind, done]),
      [
        ["accounts", 1],
        ["keys", KINDS.length],
      ],
    )
    assert.equal((moved["settled"] as string[]).length, 3)
  }

  test("keys and logins are as they were, without it", async () => {
    assert.deepEqual(publicOf(await succeeds(["keys", "list"])), publicKeys)
    for (const type of KINDS) {
      const { signers } = await succeeds(["sign", type, "--hex", "d5".repeat(32)])
      assert.ok(
        (signers as number[]).every((one) => one < CAUGHT),
        String(signers),
      )
    }
    const { rosterEpoch, members } = await succeeds(["roster", "show"])
    assert.deepEqual([rosterEpoch, (members as unknown[]).length], [3, 3])
    const over = await succeeds(["drill", "compromise", "--server", `local-${CAUGHT}`])
    assert.equal(over["phase"], "over")
  })

  test("the intruder joins nothing: neither the roster nor the operators of the others", async () => {
    const { directory } = server(CAUGHT)
    const activate = await lockkeeper(["roster", "activate", directory, at("next.bundle")])
    assert.equal(activate.code, EXIT.configuration)
    assert.equal((activate.json["error"] as { field: string }).field, "members")
    const { roster, rosterPin, ca } = cluster
    const address = {
      roster,
      rosterPin,
      ca,
      evidence: at("evidence"),
      deviceSecrets: at("devices"),
    }
    await assert.rejects(openOperator(address, directory), (error) => {
      assert.ok(error instanceof LockKeeperError, String(error))
      assert.equal(error.code, "wrong-roster", error.message)
      return true
    })
  })

  test("what is said to the others is under channel keys that they had not before", () => {
    const { roster } = readRoster(cluster.roster, cluster.rosterPin)
    const now = roster.members.map(({ channelKey }) => digestOf(channelKey))
    assert.deepEqual(now, channelKeys())
    for (const key of now) assert.ok(!keysBefore.includes(key))
  })

  test("what it took goes with no share that is held now, and two of now go together", async () => {
    const now = new Map<Identifier, Stolen>()
    for (const one of [1, 2, 3]) now.set(one, await steal(one))
    const { theirs, before: then } = taken
    assert.equal(theirs.size, KINDS.length)
    for (const [id, old] of theirs) {
      const of = (packages: Stolen) => packages.get(id) as KeyPackage
      assert.ok(isKey([old, of(then)]), "of then they were two of two that it took")
      const [one, two, three] = [1, 2, 3].map((each) => of(now.get(each) as Stolen))
      for (const each of [one, two, three] as KeyPackage[]) assert.ok(!isKey([old, each]))
      assert.ok(isKey([one, two] as KeyPackage[]) && isKey([two, three] as KeyPackage[]))
    }
  })
})

const digestOf = (key: Bytes): string => toHex(sha256(key))
