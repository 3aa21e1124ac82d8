import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { type Abort, abort, dkls, type Message, type Outcome } from "@lockkeeper/protocols"
import { seeded } from "../seeded.ts"
import { type Parties, ROSTER_EPOCH } from "./parties.ts"
import { COORDINATOR } from "./presign-driver.ts"

/** What a dishonest signer, or the coordinator, does when something is signed. */
export interface OnlineLie {
  readonly liar: Identifier | null
  /** Of a signer: the nonce that it hands out. */
  nonce?(message: Message): Message
  /** Of the coordinator: what it asks a signer for. */
  order?(recipient: Identifier, order: dkls.EcdsaOrder): dkls.EcdsaOrder
  /** Of a signer: with what it computes. */
  presignature?(presignature: dkls.Presignature): dkls.Presignature
  /** Of a signer: what it signs. Null is silence. */
  share?(message: Message): Message | null
  /** Of a relay: what the coordinator gets of a signer's share. */
  relay?(sender: Identifier, message: Message): Message
}

export interface OnlineEnd {
  /** Of honest signers, and of the coordinator under 0. */
  readonly aborts: ReadonlyMap<Identifier, Abort>
  readonly signature: dkls.EcdsaSignature | null
  readonly order: dkls.EcdsaOrder
  readonly shares: ReadonlyMap<Identifier, Message>
}

export type ByHolder = ReadonlyMap<Identifier, dkls.Presignature>

export interface OnlineOptions {
  readonly seed?: string
  readonly path?: readonly number[]
}

/** A presignature of its own bytes: signing wipes what it uses. */
export function copied(presignature: dkls.Presignature): dkls.Presignature {
  return decode(dkls.presignatureCodec, encode(dkls.presignatureCodec, presignature))
}

/** The order that an honest coordinator puts together for one presignature. */
export function orderFor(
  parties: Parties,
  presignature: dkls.Presignature,
  { seed = "order", path = [3] }: OnlineOptions = {},
  lie: OnlineLie | null = null,
): dkls.EcdsaOrder {
  const { keyId, keyEpoch } = parties.public
  const { id, certificate } = presignature
  const signers = [...certificate.record.signers.keys()]
  const place = { keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH }
  const nonces = signers.map((identifier) => {
    const randomness = seeded(`${seed}/nonce/${identifier}`)
    const signer = parties.identities.get(identifier)!
    const message = dkls.ecdsaNonce({ identifier, ...place, randomness }, { signer })
    return identifier === lie?.liar ? (lie.nonce?.(message) ?? message) : message
  })
  const digests = { requestDigest: seeded(`${seed}/request`), digest: seeded(`${seed}/digest`) }
  return { presignatureId: id, ...place, ...digests, attempt: 1, path, signers, nonces }
}

function shareOf(
  parties: Parties,
  presignature: dkls.Presignature,
  order: dkls.EcdsaOrder,
): Outcome<Message> {
  const { identifier } = presignature
  const { verifyKeys, identities, public: key } = parties
  const identity = { signer: identities.get(identifier)!, verifyKeys }
  return dkls.ecdsaSign(copied(presignature), order, { public: key, identifier, identity })
}

/** Whoever lies cannot always go on from what it made up: then it is silent. */
function shareOfLiar(...input: Parameters<typeof shareOf>): Outcome<Message> {
  try {
    return shareOf(...input)
  } catch {
    return abort("missing-messages")
  }
}

/** Signs with one presignature of everyone; it can be used again, since copies are used up. */
export function signOnline(
  parties: Parties,
  presignatures: ByHolder,
  lie: OnlineLie | null = null,
  options: OnlineOptions = {},
): OnlineEnd {
  const honest = [...presignatures.values()].find(({ identifier }) => identifier !== lie?.liar)!
  const order = orderFor(parties, honest, options, lie)
  const aborts = new Map<Identifier, Abort>()
  const shares = new Map<Identifier, Message>()
  for (const [identifier, presignature] of presignatures) {
    const isLiar = identifier === lie?.liar
    const own = isLiar ? (lie?.presignature?.(presignature) ?? presignature) : presignature
    const asked = lie?.order?.(identifier, order) ?? order
    const made = isLiar ? shareOfLiar(parties, own, asked) : shareOf(parties, own, asked)
    if (!made.ok) {
      if (!isLiar) aborts.set(identifier, made.abort)
      continue
    }
    const said = isLiar && lie?.share ? lie.share(made.value) : made.value
    if (said) shares.set(identifier, lie?.relay?.(identifier, said) ?? said)
  }
  const combined = combine(parties, honest, order, shares)
  if (!combined.ok) aborts.set(COORDINATOR, combined.abort)
  return { aborts, signature: combined.ok ? combined.value : null, order, shares }
}

/** What an honest coordinator makes of shares. */
export function combine(
  parties: Parties,
  { certificate }: dkls.Presignature,
  order: dkls.EcdsaOrder,
  shares: ReadonlyMap<Identifier, Message>,
): Outcome<dkls.EcdsaSignature> {
  const { verifyKeys, certificate: keyCertificate } = parties
  return dkls.ecdsaCombine({ order, certificate, keyCertificate, shares, verifyKeys })
}
