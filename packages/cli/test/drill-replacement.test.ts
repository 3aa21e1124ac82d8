import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import type { KeyPackage } from "@lockkeeper/protocols"
import { addServer } from "../src/dev/add-server.ts"
import { type Cluster, startCluster } from "../src/dev/cluster.ts"
import { passphraseFile } from "../src/dev/cluster-files.ts"
import type { ServerProcess } from "../src/dev/server-process.ts"
import { commands, ownerOf } from "./commands.ts"
import { isKey, publicOf, type Stolen, stealFrom } from "./stolen-shares.ts"

const CAUGHT = 3
const NEW = 4

/** Two of three, so that nobody can be put out without another who comes in, over real processes. */
describe("a drill that puts a new server in the place of a stolen one", () => {
  let cluster: Cluster
  let environment: Record<string, string>
  const { succeeds } = commands(() => environment)
  let publicKeys: unknown
  let replacement: ServerProcess
  let taken: { readonly theirs: Stolen; readonly before: Stolen }

  const at = (name: string): string => join(cluster.directory, name)
  const server = (identifier: number) => cluster.servers[identifier - 1] as ServerProcess

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    environment = ownerOf(cluster)
    await succeeds(["register"])
    await succeeds(["keys", "create", "--type", "ed25519", "--label", "sol"])
    await succeeds(["keys", "create", "--type", "ecdsa-secp256k1", "--label", "eth"])
    publicKeys = publicOf(await succeeds(["keys", "list"]))
    taken = {
      theirs: await stealFrom(cluster, server(CAUGHT)),
      before: await stealFrom(cluster, server(1)),
    }
    replacement = await addServer(cluster, NEW)
  })

  after(async () => {
    await replacement.stop("SIGTERM")
    await cluster.stop()
  })

  test("moves every share to it, and leaves the stolen one nothing that goes with any", async () => {
    const own = [1, 2].flatMap((one) => ["--directory", server(one).directory])
    const line = ["drill", "compromise", "--server", `local-${CAUGHT}`, ...own]
    const next = at("next")
    const coming = ["--replacement", join(replacement.directory, "descriptor.json")]
    const proposed = await succeeds([...line, ...coming, "--out", `${next}.unsigned`])
    assert.equal(proposed["phase"], "sign")
    const unsealing = ["--passphrase-file", passphraseFile(cluster.directory, NEW)]
    const sign = ["roster", "sign", replacement.directory, `${next}.unsigned`]
    await succeeds([...sign, "--out", at("new.signature"), ...unsealing])
    const signatures = [...(proposed["signatures"] as string[]), at("new.signature")]
    const out = ["--out", `${next}.lk`, "--bundle", `${next}.bundle`, "--after", cluster.roster]
    await succeeds(["roster", "join", ...out, ...signatures])
    const activate = (one: ServerProcess) => ["roster", "activate", one.directory, `${next}.bundle`]
    await succeeds([...activate(replacement), ...unsealing])
    await replacement.start(new AbortController().signal)
    for (const one of [1, 2]) await succeeds(activate(server(one)))
    await server(CAUGHT).stop("SIGKILL")

    const moved = await succeeds(["--roster", `${next}.lk`, ...line])
    assert.deepEqual([moved["phase"], moved["complete"]], ["move", true])
    await succeeds(["roster", "settle", replacement.directory])
    assert.deepEqual(publicOf(await succeeds(["keys", "list"])), publicKeys)
    await server(1).stop("SIGTERM")
    for (const label of ["sol", "eth"]) {
      const { signers } = await succeeds(["sign", label, "--hex", "d5".repeat(32)])
      assert.deepEqual(signers, [2, NEW], "with the one that came, and one that was there")
    }
    await server(1).start(new AbortController().signal)

    const now = [await stealFrom(cluster, server(1)), await stealFrom(cluster, replacement)]
    assert.equal(taken.theirs.size, 2)
    for (const [id, old] of taken.theirs) {
      const [one, other] = now.map((each) => each.get(id)) as [KeyPackage, KeyPackage]
      assert.ok(isKey([old, taken.before.get(id) as KeyPackage]), "of then they were two of two")
      assert.ok(!isKey([old, one]) && !isKey([old, other]) && isKey([one, other]))
    }
  })
})
