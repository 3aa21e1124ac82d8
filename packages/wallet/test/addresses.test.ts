import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { sha256 } from "@lockkeeper/crypto"
import { fromHex } from "@lockkeeper/encoding"
import {
  bitcoinOutput,
  type ExtendedKey,
  evmAddress,
  extendedPublicKey,
  solanaAddress,
} from "@lockkeeper/wallet"
import { base58, createBase58check } from "@scure/base"

const base58check = createBase58check((bytes: Uint8Array) => sha256(bytes))

test("addresses are those that BIP44, BIP49, BIP84 and BIP86 state for their examples", () => {
  for (const [publicKey, script, network, address] of [
    [
      "03a1af804ac108a8a51782198c2d034b28bf90c8803f5a53f76276fa69a4eae77f",
      "p2sh-p2wpkh",
      "testnet",
      "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2",
    ],
    [
      "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c",
      "p2wpkh",
      "mainnet",
      "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
    ],
    [
      "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115",
      "p2tr",
      "mainnet",
      "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    ],
    [
      "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
      "p2pkh",
      "mainnet",
      "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
    ],
    [
      "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
      "p2wpkh",
      "testnet",
      "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
    ],
  ] as const) {
    assert.equal(bitcoinOutput(fromHex(publicKey), script, network).address, address)
  }
})

test("regtest addresses have regtest's prefixes", () => {
  const key = fromHex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
  const regtest = bitcoinOutput(key, "p2wpkh", "regtest")
  assert.equal(regtest.address, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
  assert.deepEqual(regtest.script, bitcoinOutput(key, "p2wpkh").script)
  assert.match(bitcoinOutput(key, "p2tr", "regtest").address, /^bcrt1p/)
})

test("bytes that are no public key have no address", () => {
  const short = new Uint8Array(32)
  for (const script of ["p2wpkh", "p2sh-p2wpkh", "p2pkh"] as const) {
    assert.throws(() => bitcoinOutput(short, script), { name: "DecodeError", path: "publicKey" })
  }
  assert.throws(() => bitcoinOutput(new Uint8Array(33), "p2wpkh"), { path: "publicKey" })
  assert.throws(() => bitcoinOutput(new Uint8Array(31), "p2tr"), { path: "publicKey" })
  assert.throws(() => solanaAddress(new Uint8Array(33)), RangeError)
})

test("EVM and Solana addresses are the known ones", () => {
  const generator = fromHex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
  assert.equal(evmAddress(generator), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
  assert.equal(solanaAddress(new Uint8Array(32)), "11111111111111111111111111111111")
  assert.equal(base58.decode(solanaAddress(generator.slice(1))).length, 32)
})

interface Bip32Vectors {
  readonly vectors: readonly { readonly chain: readonly { path: string; xpub: string }[] }[]
}

test("extended public keys are written as BIP32's vectors write them", () => {
  const file = new URL("../../../vectors/bip32/bip32.json", import.meta.url)
  const { vectors } = JSON.parse(readFileSync(file, "utf8")) as Bip32Vectors
  let count = 0
  for (const { chain } of vectors) {
    let parentKey: Uint8Array | null = null
    for (const { xpub } of chain) {
      const bytes = base58check.decode(xpub)
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      const key: ExtendedKey = {
        depth: bytes[4] as number,
        childNumber: view.getUint32(9),
        chainCode: bytes.slice(13, 45),
        publicKey: bytes.slice(45),
        parentKey,
      }
      assert.equal(extendedPublicKey(key), xpub)
      assert.match(extendedPublicKey(key, "testnet"), /^tpub/)
      parentKey = key.publicKey
      count += 1
    }
  }
  assert.equal(count, 17)
})

test("an extended key that contradicts itself is not written", () => {
  const publicKey = fromHex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
  const master = {
    publicKey,
    chainCode: new Uint8Array(32),
    depth: 0,
    childNumber: 0,
    parentKey: null,
  }
  assert.match(extendedPublicKey(master), /^xpub661/)
  for (const wrong of [
    { depth: 1 },
    { childNumber: 1 },
    { parentKey: publicKey },
    { publicKey: publicKey.slice(1) },
    { chainCode: new Uint8Array(31) },
    { depth: 256, parentKey: publicKey },
  ]) {
    assert.throws(() => extendedPublicKey({ ...master, ...wrong }), RangeError)
  }
})
