import { hkdfSha256Expand, type Scalar, Secret, secp256k1, sha256 } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import {
  baseOtReceive,
  baseOtSend,
  type PairSetup,
  RVOLE_RECEIVER_RANDOMNESS,
  type RvoleInput,
  receiverSeeds,
  rvoleReceive,
  senderSeeds,
} from "../src/dkls/ot/index.ts"

/** Bytes that depend on the name only, so that a failure repeats. */
export function named(name: string, length = 32): Bytes {
  return hkdfSha256Expand(sha256(utf8(name)), utf8("test"), length)
}

export function scalarNamed(name: string): Scalar {
  return secp256k1.scalarFromUniform(named(name, 64))
}

export function inputsNamed(name: string, count: number): RvoleInput[] {
  return Array.from({ length: count }, (_, k) => ({
    r: scalarNamed(`${name} r ${k}`),
    sk: scalarNamed(`${name} sk ${k}`),
  }))
}

/** One direction of a pair: the two ends' seeds from a real run of the base transfers. */
function direction(name: string) {
  const context = named(`${name} context`)
  const delta = new Secret(named(`${name} delta`, 16))
  const receiver = baseOtReceive(context, delta, named(`${name} receiver`))
  const sender = baseOtSend(context, named(`${name} sender`))
  return {
    delta,
    seeds: senderSeeds(context, sender.state, receiver.message),
    chosen: receiverSeeds(context, receiver.state, sender.message),
  }
}

/** Both ends of one pair. */
export function pairNamed(name: string): { first: PairSetup; second: PairSetup } {
  const there = direction(`${name} there`)
  const back = direction(`${name} back`)
  const setupDigest = named(`${name} digest`)
  const setup = (
    own: ReturnType<typeof direction>,
    other: ReturnType<typeof direction>,
  ): PairSetup => ({
    setupDigest,
    zeroSeeds: own.seeds.zero,
    oneSeeds: own.seeds.one,
    delta: other.delta,
    chosenSeeds: other.chosen,
    pairSecret: new Secret(named(`${name} secret`)),
  })
  return { first: setup(there, back), second: setup(back, there) }
}

export function receiveNamed(setup: PairSetup, context: Bytes, count: number, name = "receive") {
  return rvoleReceive(setup, context, count, named(name, RVOLE_RECEIVER_RANDOMNESS(count)))
}
