import assert from "node:assert/strict"
import { signedCredentialCodec } from "@lockkeeper/api"
import type { KeyInfo, Session } from "@lockkeeper/client"
import { OperatorSession } from "@lockkeeper/client/operator"
import { type Identifier, sha256, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, encode, utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"
import { signText } from "./owners.ts"
import { linkTo } from "./wire.ts"

// Keys of an owner, and an operator of server 1 who keeps them in order.

export const OWNER = { name: "alice", password: "correct horse" }
// Servers of this process share one thread: one that computes is not to count as silent.
export const PATIENCE = { callMs: 10_000, hedgeMs: 1_000, presigningStepMs: 15_000 }
const TYPES = ["ed25519", "bip340", "ecdsa-secp256k1"] as const

export interface Calls {
  /** Told of each frame before it is sent; what it throws is what becomes of it. */
  before?(server: Identifier): void
}

export function operate(cluster: TestCluster, calls: Calls = {}): Promise<OperatorSession> {
  const { rosterChain: roster, pin } = cluster
  const network = {
    connect: ({ identifier }: { readonly identifier: Identifier }) => {
      const link = linkTo(() => cluster.server(identifier).server, cluster.wire(identifier))
      return {
        ...link,
        call: async (...asked: Parameters<typeof link.call>) => {
          calls.before?.(identifier)
          return link.call(...asked)
        },
      }
    },
  }
  const certify = async (publicKey: Bytes) => {
    const [first] = cluster.roster.members
    assert.ok(first)
    const signed = await cluster.server(first.identifier).server.certifyOperator(publicKey)
    return encode(signedCredentialCodec, signed)
  }
  const dependencies = { ...cluster.dependencies(), network }
  return OperatorSession.open({ roster, pin, certify, patience: PATIENCE, dependencies })
}

export async function startOperated(
  options: Parameters<typeof TestCluster.start>[0] = {},
  types = TYPES as readonly (typeof TYPES)[number][],
) {
  const cluster = await TestCluster.start(options)
  const keeper = await cluster.connect({ ...PATIENCE })
  await keeper.register(OWNER)
  const session = await keeper.login(OWNER)
  const keys: KeyInfo[] = []
  for (const type of types) keys.push((await session.keys.create({ type })).key)
  return { cluster, session, keys }
}

/** Signs, and has it verified, with a key as the caller has known it from the start. */
export async function signs(
  session: Session,
  key: KeyInfo,
  text: string,
): Promise<readonly Identifier[]> {
  if (key.keyType === "ecdsa-secp256k1") return (await signText({ session, key }, text)).signers
  const message = sha256(utf8(text))
  const { signature, signers, incidents } = await session.sign({ key, message })
  if (key.keyType === "ed25519") assert.ok(verifySignature(key.publicKey, message, signature))
  // Who is down is called that, and nobody is called anything else.
  assert.ok(incidents.every(({ kind }) => kind === "unresponsive"))
  return signers
}

/** What generation each server lists of each key. */
export async function epochs(operator: OperatorSession): Promise<readonly string[]> {
  const { answers } = await operator.sharings("keys")
  return [...answers]
    .sort(([a], [b]) => a - b)
    .map(([id, all]) => `${id}: ${all.map((one) => one.sharing.keyEpoch).join()}`)
}
