import assert from "node:assert/strict"
import { test } from "node:test"
import { sha256 } from "@lockkeeper/crypto"
import { type Codec, encode, toHex } from "@lockkeeper/encoding"
import {
  dklsMessageCodec,
  ecdsaOrderCodec,
  pairSetupCodec,
  presignatureCodec,
} from "../src/dkls/index.ts"
import { encodeEvidence, messageCodec } from "../src/index.ts"
import { combine, orderFor, PresignRunner, sharesFor } from "./dkls-cluster.ts"
import { SetupRunner, setupParams } from "./dkls-setup-cluster.ts"
import { saysInstead } from "./dkls-tamper.ts"
import { makeCluster, value } from "./frost-fixture.ts"

// What servers store and send to each other. Two versions of a server run side by side for as long as
// an update takes, so these change with a version of the protocol and never by accident.

function digest<T>(codec: Codec<T>, values: readonly T[]): string {
  return toHex(sha256(...values.map((each) => encode(codec, each)))).slice(0, 32)
}

test("the bytes of setups, presigning, orders, shares and evidence are those of version 1", () => {
  const setup = new SetupRunner(setupParams([1, 2])).run()
  const cluster = makeCluster({ keyType: "ecdsa-secp256k1" })
  const { pairs } = setup
  const runner = new PresignRunner(cluster, [1, 2], { pairs, count: 2 }).run()
  const presignatures = [...runner.presignatures.values()].map(([first]) => first!)
  const stored = presignatures.map((presignature) => encode(presignatureCodec, presignature))
  const order = orderFor(cluster, presignatures[0]!, { path: [44, 1] })
  const shares = sharesFor(cluster, presignatures, order)
  const { r, s, recovery } = value(combine(cluster, presignatures[0]!, order, shares))
  const accusing = runner.before(3)
  accusing.run({ ...saysInstead(runner, 3, 2, { kind: "accuse", accused: 1 }), liar: 2 })
  const [evidence] = accusing.aborts.get(1)!.evidence

  assert.deepEqual(
    {
      setup: digest(dklsMessageCodec, setup.said.flat()),
      pair: digest(pairSetupCodec, [pairs.get(1)!.get(2)!]),
      presigning: digest(dklsMessageCodec, runner.said.flat()),
      presignature: toHex(sha256(...stored)).slice(0, 32),
      order: digest(ecdsaOrderCodec, [order]),
      shares: digest(messageCodec, [...shares.values()]),
      signature: [toHex(r).slice(0, 32), toHex(s).slice(0, 32), recovery],
      evidence: toHex(sha256(encodeEvidence(evidence!))).slice(0, 32),
    },
    {
      setup: "26a538f661a238c1d1b8ae09a6e26f97",
      pair: "affa4d6f7f75c01642aa0570cb0c5bbf",
      presigning: "8f34b61f15abfd8eae867f428f32db98",
      presignature: "405b8ea61594feb2c67184127b4d79a3",
      order: "08bd4be70956ddd2ae055b9132b42043",
      shares: "2b5ff371ffd98ad0623440dbe628e525",
      signature: ["73b2e45bde3c536c377c9e957339b99c", "22cfe52a14858b5c7862a8f5334d45ff", 1],
      evidence: "23aeed26f2cc299ce3951580253ccfb4",
    },
  )
})
