import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import { fromHex, toHex } from "@lockkeeper/encoding"
import { evmAddress } from "@lockkeeper/transactions"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { p2tr, p2wpkh, TEST_NETWORK } from "@scure/btc-signer"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { recovered, setUp } from "./owner-setup.ts"

describe("keys address", () => {
  test("is the usual one of the key's type, or the one that is asked for", async (t) => {
    const { succeeds, ecdsa, bip340 } = await setUp(t)
    const address = async (...line: string[]) =>
      (await succeeds(["keys", "address", ...line]))["address"]
    assert.equal(await address("spending"), evmAddress(ecdsa.publicKey))
    assert.equal(await address("spending", "--format", "evm"), evmAddress(ecdsa.publicKey))
    const bitcoin = await address("spending", "--format", "p2wpkh")
    assert.equal(bitcoin, p2wpkh(ecdsa.publicKey).address)
    const test = ["--network", "testnet"]
    const onTest = await address("spending", "--format", "p2wpkh", ...test)
    assert.equal(onTest, p2wpkh(ecdsa.publicKey, TEST_NETWORK).address)
    assert.match(String(await address("spending", "--format", "p2pkh")), /^1/)
    assert.match(String(await address("spending", "--format", "p2sh-p2wpkh")), /^3/)
    assert.match(String(await address("spending", "--format", "xpub")), /^xpub/)
    assert.match(String(await address("spending", "--format", "xpub", ...test)), /^tpub/)
    assert.equal(await address("taproot"), p2tr(bip340.publicKey).address)
    assert.match(String(await address("taproot", "--network", "regtest")), /^bcrt1p/)
    assert.match(String(await address("savings")), /^[1-9A-HJ-NP-Za-km-z]{32,44}$/)
  })

  test("of a child differs from its key's and needs no server to know it", async (t) => {
    const { owner, ecdsa, succeeds } = await setUp(t)
    const child = await succeeds(["keys", "address", "spending", "--path", "m/0/5"])
    const { publicKey } = await owner.showChild(ecdsa.keyId, [0, 5])
    assert.equal(child["address"], evmAddress(publicKey))
    assert.equal(child["path"], "m/0/5")
    assert.notEqual(child["address"], evmAddress(ecdsa.publicKey))
  })

  test("is refused where the key could not spend, or the network means nothing", async (t) => {
    const { fails } = await setUp(t)
    const refused = (line: string[], field: string, words: RegExp) =>
      fails(["keys", "address", ...line], EXIT.usage, field, words)
    await refused(["spending", "--format", "p2tr"], "format", /could not spend/)
    await refused(["taproot", "--format", "p2wpkh"], "format", /could not spend/)
    await refused(["savings", "--format", "xpub"], "format", /could not spend/)
    await refused(["spending", "--network", "testnet"], "network", /same on every network/)
    await refused(["spending", "--path", "m/0'"], "path", /hardened/)
  })
})

describe("keys derive", () => {
  test("lets a child sign that could not before", async (t) => {
    const { owner, succeeds, host } = await setUp(t)
    const line = ["sign", "spending", "--hex", "11".repeat(32), "--path", "m/7"]
    const before = host()
    assert.equal(await run(line, before), EXIT.notFound)
    const derived = await succeeds(["keys", "derive", "spending", "m/7"])
    const signed = await succeeds(line)
    assert.equal(signed["publicKey"], derived["publicKey"])
    assert.deepEqual(owner.orders.at(-1)?.path, [7])
    const digest = fromHex("11".repeat(32))
    const signature = fromHex(String(signed["signature"]))
    assert.equal(recovered(digest, signature, Number(signed["recovery"])), derived["address"])
    const check = ["verify", "--type", "ecdsa-secp256k1", "--hex", "11".repeat(32)]
    const keyAndSignature = ["--signature", String(signed["signature"]), "--public-key"]
    const own = await succeeds([...check, ...keyAndSignature, String(derived["publicKey"])])
    assert.equal(own["valid"], true)
    const master = (await succeeds(["keys", "show", "spending"]))["key"] as { publicKey: string }
    const isRefused = async (line: string[], code: number) =>
      assert.equal(await run([...check, ...line], host()), code, line.join(" "))
    await isRefused([...keyAndSignature, master.publicKey], EXIT.verification)
    const ofChild = ["--public-key", String(derived["publicKey"]), "--signature"]
    const { r, s } = secp256k1.Signature.fromBytes(signature, "compact")
    const high = new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s).toHex("compact")
    await isRefused([...ofChild, high], EXIT.verification)
    await isRefused([...ofChild, "00".repeat(64)], EXIT.verification)
    const digestOf31 = ["verify", "--type", "ecdsa-secp256k1", "--hex", "11".repeat(31), ...ofChild]
    assert.equal(await run([...digestOf31, String(signed["signature"])], host()), EXIT.usage)
  })

  test("refuses what leads to no child of a shared key", async (t) => {
    const { fails } = await setUp(t)
    for (const [path, words] of [
      ["m/0'", /"0'" of the path "m\/0'" is hardened/],
      [`m${"/0".repeat(11)}`, /too deep/],
      ["0/1", /The path "0\/1" does not begin with m/],
      ["m/x", /"x" of the path "m\/x" is not a number/],
      ["m/4294967296", /above 2\^31-1/],
    ] as const) {
      await fails(["keys", "derive", "spending", path], EXIT.usage, "path", words)
    }
  })
})

describe("pool status", () => {
  test("tells of each signer set, and of servers that work together no more", async (t) => {
    const { succeeds, host, fails } = await setUp(t)
    const { sets, cap, held, pairs } = await succeeds(["pool", "status", "spending"])
    assert.deepEqual({ cap, held }, { cap: 64, held: 3 })
    assert.deepEqual(
      (sets as { ready: number }[]).map(({ ready }) => ready),
      [3, 0],
    )
    assert.equal((pairs as unknown[]).length, 2)
    const used = host()
    assert.equal(await run(["pool", "status", "spending"], used), EXIT.ok)
    assert.match(used.out.text, /1, 2 +3 +2023-11-14 22:13:20 UTC +can sign/)
    assert.match(used.out.text, /Servers 1 and 3 work together no more/)
    assert.match(used.out.text, /3 of at most 64 are kept at a server, each for 24 h; 1 step is/)
    await fails(["pool", "status", "savings"], EXIT.usage, "key", /have no pool/)
  })
})

describe("maintain", () => {
  const events = (text: string) =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  test("with --once fills the pools of ECDSA keys and ends", async (t) => {
    const { host, owner, ecdsa } = await setUp(t)
    const used = host()
    const line = ["maintain", "--once", "--floor", "2", "--cap", "6", "--json"]
    assert.equal(await run(line, used), EXIT.ok)
    const [started, pool, ended, ...more] = events(used.out.text)
    assert.deepEqual(more, [])
    assert.deepEqual(started, { event: "started", floor: 2, cap: 6, name: "ada" })
    assert.equal(pool?.["keyId"], toHex(ecdsa.keyId))
    assert.equal(pool?.["made"], 6)
    assert.deepEqual(ended, { ok: true, event: "ended", made: 6 })
    assert.deepEqual(owner.fills, [{ floor: 2, cap: 6 }], "other keys have no pool")
  })

  test("goes on until it is told to end, through failures that time may mend", async (t) => {
    const { host, owner } = await setUp(t)
    const stopping = new AbortController()
    const used = { ...host(), signal: stopping.signal }
    const fill = owner.fillPool.bind(owner)
    let calls = 0
    owner.fillPool = async (...order) => {
      calls += 1
      if (calls === 2)
        throw new LockKeeperError("not-enough-servers", "Too few.", { remedy: "Wait." })
      if (calls === 3) stopping.abort()
      return await fill(...order)
    }
    const line = ["maintain", "--interval", "1", "--json"]
    assert.equal(await run(line, used), EXIT.ok)
    const kinds = events(used.out.text).map(({ event }) => event)
    assert.deepEqual(kinds, ["started", "pool", "failed", "ended"])
    assert.equal(owner.ended, 1, "the session is closed")
  })

  test("ends with the error when the login has ended", async (t) => {
    const { host, owner } = await setUp(t)
    owner.fillPool = async () => {
      throw new LockKeeperError("session-ended", "Log in again.", { remedy: "Log in." })
    }
    assert.equal(await run(["maintain"], host()), EXIT.authentication)
    assert.equal(owner.ended, 1)
  })

  test("refuses targets that are none", async (t) => {
    const { fails } = await setUp(t)
    const refused = (line: string[], field: string) =>
      fails(["maintain", ...line], EXIT.usage, field, /./)
    await refused(["--floor", "0"], "floor")
    await refused(["--floor", "17"], "floor")
    await refused(["--cap", "65"], "cap")
    await refused(["--cap", "many"], "cap")
    await refused(["--interval", "0"], "interval")
    await refused(["--interval", "4000"], "interval")
  })
})
