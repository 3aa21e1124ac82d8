import { createRequire } from "node:module"
import { secp256k1 as noble } from "@noble/curves/secp256k1.js"
import type { Bench } from "./bench.ts"
import { DklsPair, random } from "./dkls-cluster.ts"
import { cpuMsPerRun } from "./measure.ts"

/** The folder of another DKLs23 implementation in WASM, to compare with; never a dependency. */
const WASM_FOLDER = process.env["LOCKKEEPER_WASM_DKLS"]

const BATCH = 16

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

interface Session {
  createFirstMessage(): Wire
  handleMessages(messages: Wire[], commitments?: unknown[]): Wire[]
  calculateChainCodeCommitment(): Uint8Array
  keyshare(): { toBytes(): Uint8Array }
  lastMessage(digest: Uint8Array): Wire
  combine(messages: Wire[]): unknown
}

interface Wire {
  readonly from_id: number
  readonly to_id?: number
  clone(): Wire
}

interface WasmDkls {
  readonly KeygenSession: new (n: number, t: number, id: number) => Session
  readonly SignSession: new (share: unknown, path: string) => Session
  readonly Keyshare: { fromBytes(bytes: Uint8Array): unknown }
}

const forAll = (messages: readonly Wire[], id: number) =>
  messages.filter((message) => message.from_id !== id).map((message) => message.clone())
const forOne = (messages: readonly Wire[], id: number) =>
  messages.filter((message) => message.to_id === id).map((message) => message.clone())

/** One 2-of-3 signature by both parties of the other implementation, whose messages are unsigned. */
function wasmSignature(folder: string): () => void {
  const library = createRequire(import.meta.url)(folder) as WasmDkls
  const makers = [0, 1, 2].map((id) => new library.KeygenSession(3, 2, id))
  const first = makers.map((maker) => maker.createFirstMessage())
  const second = makers.flatMap((maker, id) => maker.handleMessages(forAll(first, id)))
  const commitments = makers.map((maker) => maker.calculateChainCodeCommitment())
  const third = makers.flatMap((maker, id) => maker.handleMessages(forOne(second, id)))
  const fourth = makers.flatMap((maker, id) => maker.handleMessages(forOne(third, id), commitments))
  for (const [id, maker] of makers.entries()) maker.handleMessages(forAll(fourth, id))
  const shares = makers.map((maker) => maker.keyshare().toBytes())
  return () => {
    const open = (share: Uint8Array) =>
      new library.SignSession(library.Keyshare.fromBytes(share), "m")
    const signers = shares.slice(0, 2).map(open)
    const one = signers.map((signer) => signer.createFirstMessage())
    const two = signers.flatMap((signer, id) => signer.handleMessages(forAll(one, id)))
    const three = signers.flatMap((signer, id) => signer.handleMessages(forOne(two, id)))
    for (const [id, signer] of signers.entries()) signer.handleMessages(forOne(three, id))
    const digest = random(32)
    const last = signers.map((signer) => signer.lastMessage(digest))
    for (const [id, signer] of signers.entries()) signer.combine(forAll(last, id))
  }
}

/** A signature with a whole key, made and verified in JavaScript: what needs no threshold. */
function wholeKey(): () => void {
  const secret = noble.utils.randomSecretKey()
  const publicKey = noble.getPublicKey(secret)
  return () => {
    const digest = random(32)
    const signature = noble.sign(digest, secret, { prehash: false })
    if (!noble.verify(signature, digest, publicKey, { prehash: false })) throw new Error("invalid")
  }
}

export const bench: Bench = {
  name: "dkls-cpu",
  async run(report) {
    const pair = new DklsPair()
    const setupMs = cpuMsPerRun(() => pair.setUp(), 4)
    const theirs =
      WASM_FOLDER === undefined
        ? { name: "noble ECDSA with a whole key, sign and verify", run: wholeKey(), parties: 1 }
        : {
            name: "DKLs23 in WASM, one signature, per party",
            run: wasmSignature(WASM_FOLDER),
            parties: 2,
          }
    const [presigning, online, combining, baseline] = [[], [], [], []] as number[][] as [
      number[],
      number[],
      number[],
      number[],
    ]
    let bytes = 0
    // In turns, so that what else the machine does falls on all alike.
    for (let round = 0; round < 5; round += 1) {
      presigning.push(cpuMsPerRun(() => pair.presign(BATCH), 4) / BATCH / 2)
      const { made, bytes: presigned } = pair.presign(BATCH)
      const sets = Array.from({ length: BATCH }, (_, k) =>
        [...made.values()].map((each) => each[k] as (typeof each)[number]),
      )
      let next = 0
      let signed = 0
      // The count includes the unmeasured first quarter.
      const orders: ReturnType<DklsPair["sign"]>[] = []
      online.push(
        cpuMsPerRun(() => {
          orders.push(pair.sign(sets[next++] as (typeof sets)[number]))
        }, 12) / 2,
      )
      bytes = presigned / BATCH + (orders[0]?.bytes ?? 0)
      combining.push(
        cpuMsPerRun(() => {
          const { order, shares } = orders[signed] as (typeof orders)[number]
          pair.combine(order, (sets[signed++] as (typeof sets)[number])[0] as never, shares)
        }, 12),
      )
      baseline.push(cpuMsPerRun(theirs.run, 12) / theirs.parties)
    }
    const comparison = { name: theirs.name, value: median(baseline) }
    report({
      name: "dkls-presign-and-sign-cpu",
      value: median(presigning) + median(online),
      unit: "ms",
      baseline: comparison,
      target: { of: "value", is: "at most", bound: 13 },
      consistsOf:
        `CPU per party of one presignature (a sixteenth of a batch of ${BATCH}) and its signature, two ` +
        "signers: every message signed and checked, all public proofs made and verified",
    })
    if (WASM_FOLDER !== undefined) {
      report({
        name: "dkls-against-wasm",
        value: median(presigning) + median(online),
        unit: "ms",
        baseline: comparison,
        target: { of: "ratio", is: "at most", bound: 0.5 },
      })
    }
    report({
      name: "dkls-online-cpu",
      value: median(online),
      unit: "ms",
      baseline: comparison,
      target: { of: "value", is: "at most", bound: 2 },
      consistsOf: "CPU per party once the message is known, its fresh nonce included",
    })
    report({
      name: "dkls-combine-cpu",
      value: median(combining),
      unit: "ms",
      baseline: comparison,
      target: null,
      consistsOf: "CPU of the coordinator: combine, verify the signature",
    })
    report({
      name: "dkls-pair-setup-cpu",
      value: setupMs / 2,
      unit: "ms",
      baseline: comparison,
      target: null,
      consistsOf: "CPU per party of one pair's setup, both directions, once per rosterEpoch",
    })
    report({
      name: "dkls-bytes",
      value: bytes,
      unit: "bytes",
      baseline: null,
      target: null,
      consistsOf: "bytes from one signer to the other for one presignature and its signature",
    })
  },
}
