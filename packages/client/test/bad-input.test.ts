import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import { type KeyInfo, LockKeeper, type Session } from "@lockkeeper/client"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }

describe("input that makes no sense", () => {
  let cluster: TestCluster
  let keeper: LockKeeper
  let session: Session
  let ed25519: KeyInfo
  let bip340: KeyInfo

  before(async () => {
    cluster = await TestCluster.start({ servers: 2 })
    keeper = await cluster.connect()
    await keeper.register(OWNER)
    session = await keeper.login(OWNER)
    ed25519 = (await session.keys.create({ type: "ed25519" })).key
    bip340 = (await session.keys.create({ type: "bip340" })).key
  })

  // Callers in JavaScript have no types: what they pass wrongly must not become something else.
  const any = (value: unknown) => value as never

  const cases: readonly [what: string, field: string, act: () => unknown][] = [
    ["an empty name", "name", () => keeper.register({ name: "", password: "x" })],
    ["a name with a space", "name", () => keeper.register({ name: "a b", password: "x" })],
    ["a name that is no text", "name", () => keeper.login({ name: any(7), password: "x" })],
    ["an empty password", "password", () => keeper.register({ name: "bob", password: "" })],
    ["a password with a tab", "password", () => keeper.login({ name: "alice", password: "a\tb" })],
    ["a password that is no text", "password", () => keeper.login({ name: "a", password: any(1) })],
    ["a huge password", "password", () => keeper.login({ name: "a", password: "x".repeat(5000) })],
    ["an unknown key type", "type", () => session.keys.create({ type: any("rsa") })],
    [
      "a long label",
      "label",
      () => session.keys.create({ type: "ed25519", label: "x".repeat(65) }),
    ],
    ["a hexadecimal key id", "keyId", () => session.keys.show(any(toHex(ed25519.keyId)))],
    ["a short key id", "keyId", () => session.keys.show(ed25519.keyId.slice(1))],
    [
      "a hexadecimal message",
      "message",
      () => session.sign({ keyId: ed25519.keyId, message: any("00ff") }),
    ],
    [
      "a long message",
      "message",
      () => session.sign({ keyId: ed25519.keyId, message: new Uint8Array(16_385) }),
    ],
    [
      "a bip340 message that is no sighash",
      "message",
      () => session.sign({ keyId: bip340.keyId, message: utf8("text") }),
    ],
    [
      "Taproot for Ed25519",
      "taproot",
      () => session.sign({ keyId: ed25519.keyId, message: utf8("x"), taproot: "key-path" }),
    ],
    [
      "a short Merkle root",
      "taproot.merkleRoot",
      () => {
        const taproot = { merkleRoot: new Uint8Array(31) }
        return session.sign({ keyId: bip340.keyId, message: new Uint8Array(32), taproot })
      },
    ],
    [
      "a roster that is no bytes",
      "roster",
      () => LockKeeper.connect({ roster: any("roster"), pin: cluster.pin }),
    ],
    [
      "a short pin",
      "pin",
      () => LockKeeper.connect({ roster: cluster.signedRoster, pin: new Uint8Array(31) }),
    ],
    [
      "a pin that is no hexadecimal",
      "pin",
      () => LockKeeper.connect({ roster: cluster.signedRoster, pin: "pin" }),
    ],
  ]
  for (const [what, field, act] of cases) {
    it(`${what} is refused, naming ${field}, before any server is asked`, async () => {
      const calls = () => [...cluster.wires.values()].reduce((sum, { calls }) => sum + calls, 0)
      const before = calls()
      const error = await refused(async () => act(), "invalid-request")
      assert.equal(error.field, field)
      assert.notEqual(error.message, "")
      assert.equal(calls(), before)
    })
  }

  it("a roster that is malformed, altered or another than the pinned one is not trusted", async () => {
    const { signedRoster: roster, pin } = cluster
    const altered = roster.slice()
    altered[altered.length - 1] = (altered.at(-1) as number) ^ 1
    for (const [bytes, digest] of [
      [roster.slice(1), pin],
      [new Uint8Array(0), pin],
      [altered, pin],
      [roster, new Uint8Array(32)],
    ] as const) {
      const connect = () => LockKeeper.connect({ roster: bytes, pin: digest })
      const error = await refused(connect, "untrusted-roster")
      assert.notEqual(error.remedy, "")
    }
    await LockKeeper.connect({ roster, pin: toHex(pin) })
  })

  it("spellings of one name and one password are one", async () => {
    await keeper.register({ name: "ＺＯＥ\u0308", password: "pa\u00a0ss e\u0301" })
    const zoe = await keeper.login({ name: "zo\u00eb", password: "pa ss \u00e9" })
    assert.equal(zoe.name, "zoë")
    await zoe.logout()
  })
})
