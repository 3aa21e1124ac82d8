import assert from "node:assert/strict"
import { createHash, createPublicKey, ECDH, verify } from "node:crypto"
import type { Dependencies, EcdsaSignature, KeyInfo, LockKeeper, Session } from "@lockkeeper/client"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import type { TestCluster } from "./cluster.ts"

const OWNER = { name: "alice", password: "correct horse" }

export interface EcdsaOwner {
  readonly keeper: LockKeeper
  readonly session: Session
  readonly key: KeyInfo
}

const registered = new WeakSet<TestCluster>()

/** An owner with a new ECDSA key, newly logged in: nothing is left of what a test before did to it. */
export async function ecdsaOwner(
  cluster: TestCluster,
  changed: Partial<Dependencies> = {},
): Promise<EcdsaOwner> {
  // Servers of this process share one thread: one that computes is not to count as slow.
  const keeper = await cluster.connect(
    { hedgeMs: 1_000, callMs: 8_000, presigningStepMs: 8_000 },
    changed,
  )
  if (!registered.has(cluster)) await keeper.register(OWNER)
  registered.add(cluster)
  const session = await keeper.login(OWNER)
  const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
  return { keeper, session, key }
}

/** The same owner on another device. */
export async function anotherLogin(cluster: TestCluster): Promise<Session> {
  return (await cluster.connect()).login(OWNER)
}

/** The SHA-256 digest of a text as content that a server signs as it is. */
export function digestOf(text: string) {
  const digest: Bytes = new Uint8Array(createHash("sha256").update(text).digest())
  return { digest, content: { kind: "message", message: digest } as const }
}

/** Signs the digest of a text, and has OpenSSL verify what comes of it. */
export async function signText(
  { session, key }: Pick<EcdsaOwner, "session" | "key">,
  text: string,
  path: readonly number[] = [],
): Promise<EcdsaSignature> {
  const signed = await session.signDigestOf({ key, path, ...digestOf(text) })
  const { publicKey } = session.keys.childKey(key, path)
  assert.deepEqual(signed.publicKey, publicKey)
  assertHolds(publicKey, text, signed)
  return signed
}

/** OpenSSL takes the signature; s is low; the recovery id leads back to the key. */
export function assertHolds(publicKey: Bytes, text: string, signed: EcdsaSignature): void {
  const { r, s } = signed
  assert.deepEqual([r.length, s.length], [32, 32])
  const key = { key: publicKeyObject(publicKey), dsaEncoding: "ieee-p1363" } as const
  assert.ok(verify("sha256", utf8(text), key, Buffer.concat([r, s])), "OpenSSL refuses it")
  const half = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
  assert.ok(BigInt(`0x${Buffer.from(s).toString("hex")}`) <= half, "s is high")
}

function publicKeyObject(compressed: Bytes) {
  const point = ECDH.convertKey(compressed, "secp256k1", undefined, undefined, "uncompressed")
  const bytes = Buffer.from(point as Uint8Array)
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33)].map((b) => b.toString("base64url"))
  return createPublicKey({ key: { kty: "EC", crv: "secp256k1", x, y } as never, format: "jwk" })
}

/** Calls that reached the servers so far. */
export function calls(cluster: TestCluster): number {
  return [...cluster.wires.values()].reduce((sum, wire) => sum + wire.calls, 0)
}
