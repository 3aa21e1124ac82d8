import assert from "node:assert/strict"
import { argon2Sync } from "node:crypto"
import { after, before, describe, it } from "node:test"
import { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { opaque } from "@lockkeeper/protocols"
import { type Deployment, deploy } from "./deployment.ts"
import { type Stolen, steal } from "./stolen.ts"

const RIGHT = "correct horse battery staple"
const DICTIONARY = ["123456", "password", RIGHT, "letmein", "hunter2"]

interface Database {
  readonly identifier: number
  readonly record: opaque.AccountRecord
  readonly accountId: Bytes
  readonly ake: opaque.KeyPair
  readonly fakeSeed: Secret
}

type Crack = (
  databases: readonly Database[],
  dictionary: readonly string[],
  stretch: (input: Secret) => Secret,
) => { confirmed: Map<string, Set<string>>; keyFound: boolean; tried: number }

// The cracker that threshold OPAQUE is tested with, on what real servers left on their disks.
const path = new URL("../test/opaque-cracker.ts", import.meta.resolve("@lockkeeper/protocols")).href
const { crack } = (await import(path)) as { crack: Crack }

/** Argon2id at a cost that lets the cracker try everything: the same for the owner and for it. */
function stretch(input: Secret): Secret {
  const [message, nonce] = [input.expose(), new Uint8Array(16)]
  const cost = { parallelism: 1, tagLength: 64, memory: 1024, passes: 1 }
  return new Secret(new Uint8Array(argon2Sync("argon2id", { message, nonce, ...cost })))
}

describe("whoever has the directories of servers, their passphrases, and the right password listed", () => {
  let deployment: Deployment
  let databases: readonly Database[]

  before(async () => {
    deployment = await deploy()
    const compute = { stretch: async (input: Secret) => stretch(input) }
    const keeper = await deployment.connect({ dependencies: { compute } })
    const owner = { name: "ada", password: RIGHT }
    await keeper.register(owner)
    const session = await keeper.login(owner)
    await session.keys.create({ type: "ed25519" })
    await session.logout()
    keeper.close()
    await Promise.all(deployment.cluster.servers.map((server) => server.stop("SIGKILL")))
    const stolen = await Promise.all([1, 2, 3].map((id) => steal(deployment.directory, id)))
    databases = stolen.map(databaseOf)
  })
  after(() => deployment.stop())

  function databaseOf({ identifier, accounts, opaqueKey, enumerationSeed }: Stolen): Database {
    const [account] = accounts
    if (account === undefined || account.active === null) throw new Error("there is no account")
    const { accountId, active: record } = account
    return { identifier, record, accountId, ake: opaqueKey, fakeSeed: new Secret(enumerationSeed) }
  }

  it("confirms no password with any one of three", (t) => {
    let guesses = 0
    for (const database of databases) {
      const { confirmed, keyFound, tried } = crack([database], DICTIONARY, stretch)
      assert.deepEqual([...confirmed.keys()], [])
      assert.equal(keyFound, false)
      assert.ok(tried > 100)
      guesses += tried
    }
    t.diagnostic(`3 directories, ${guesses} tries: nothing confirmed`)
  })

  it("finds it with any two, in four ways: the cracker is real", (t) => {
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      const pair = [databases[a] as Database, databases[b] as Database]
      const { confirmed, keyFound } = crack(pair, DICTIONARY.slice(1, 3), stretch)
      assert.equal(keyFound, true)
      assert.deepEqual([...confirmed.keys()], [RIGHT])
      const ways = ["client key", "envelope", "masking key", "wraps"]
      assert.deepEqual([...(confirmed.get(RIGHT) ?? [])].sort(), ways)
    }
    t.diagnostic("3 pairs of directories: the password found by each")
  })
})
