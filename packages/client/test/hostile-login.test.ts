import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { type LoginStatement, loginStatement } from "@lockkeeper/api"
import { verifySignature } from "@lockkeeper/crypto"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import { ServerSession } from "../src/server-session.ts"
import { accountOf, keepPrevious, missActivation, showAnotherVersion } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"

const OWNER = { name: "alice", password: "correct horse" }

type Answer = Awaited<ReturnType<ServerSession["finishLogin"]>>

const honest = ServerSession.prototype.finishLogin
afterEach(() => {
  ServerSession.prototype.finishLogin = honest
})

/** From now on server 2 answers a proven password with something else. */
function corrupt(change: (answer: Answer) => Answer): void {
  ServerSession.prototype.finishLogin = async function (this: ServerSession, ...asked) {
    const answer = await honest.apply(this, asked)
    return this.identifier === 2 ? change(answer) : answer
  }
}

/** Server 2 signs another statement about the login. */
function saying(cluster: TestCluster, change: Partial<LoginStatement>) {
  return (answer: Answer): Answer => {
    const said = decode(loginStatement, answer.statement.statement)
    const statement = encode(loginStatement, { ...said, ...change })
    const signature = cluster.server(2).self.identity.sign(statement)
    const { expiresAt } = { ...said, ...change }
    return { ...answer, expiresAt, statement: { statement, signature } }
  }
}

const lies: readonly [string, (cluster: TestCluster) => (answer: Answer) => Answer][] = [
  ["a statement about another version", (c) => saying(c, { opaqueVersion: 9 })],
  ["a statement for another roster", (c) => saying(c, { rosterEpoch: 9 })],
  ["a statement that has expired", (c) => saying(c, { expiresAt: Date.now() - 1 })],
  ["a statement that lasts too long", (c) => saying(c, { expiresAt: Date.now() + 1e9 })],
  ["another end than it signed", () => (answer) => ({ ...answer, expiresAt: Date.now() + 99 })],
  [
    "a spoilt copy of the keys",
    () => (answer) => {
      const accountKeys = answer.accountKeys.slice()
      accountKeys[accountKeys.length - 1] = (accountKeys[accountKeys.length - 1] as number) ^ 1
      return { ...answer, accountKeys }
    },
  ],
]

describe("a login at a server that proves itself and then answers with", () => {
  for (const [what, lie] of lies) {
    it(`${what} goes on with others, at every server`, async () => {
      const cluster = await TestCluster.start()
      const keeper = await cluster.connect()
      await keeper.register(OWNER)
      const { key } = await (await keeper.login(OWNER)).keys.create({ type: "ed25519" })
      corrupt(lie(cluster))
      let session = await keeper.login(OWNER)
      for (let i = 0; i < 3 && session.incidents.length === 0; i++) {
        session = await keeper.login(OWNER)
      }
      const [incident] = session.incidents
      assert.deepEqual([incident?.server, incident?.reason], [2, "untrusted-server"])
      cluster.wire(2).down = true
      const message = utf8("without it")
      const { signature } = await session.sign({ keyId: key.keyId, message })
      assert.ok(verifySignature(key.publicKey, message, signature))
    })
  }

  it("another version beside the keys is not believed: the password can still be changed", async () => {
    const cluster = await TestCluster.start({ servers: 2 })
    const keeper = await cluster.connect()
    await keeper.register(OWNER)
    corrupt((answer) => ({ ...answer, opaqueVersion: 4_000_000_000 }))
    const session = await keeper.login(OWNER)
    await session.changePassword({ current: OWNER.password, next: "new" })
    await keeper.login({ ...OWNER, password: "new" })
  })
})

describe("where one of two honest servers missed the end of a password change", () => {
  for (const ahead of [-2, 9]) {
    it(`a third that shows a version ${ahead} from its own does not keep the old password out`, async () => {
      const cluster = await TestCluster.start()
      const keeper = await cluster.connect()
      await keeper.register(OWNER)
      const session = await keeper.login(OWNER)
      const before = await accountOf(cluster.server(1), OWNER.name)
      const early = await accountOf(cluster.server(3), OWNER.name)
      await session.changePassword({ current: OWNER.password, next: "new" })
      await missActivation(cluster.server(1), before)
      await keepPrevious(cluster.server(3), early)
      await showAnotherVersion(cluster.server(2), OWNER.name, ahead)
      const again = await keeper.login(OWNER)
      await again.logout()
    })
  }
})
