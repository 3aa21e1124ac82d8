import {
  type Element,
  groupByName,
  type Identifier,
  identifierCodec,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  fixedBytes,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { groupOf, KEY_TYPES, type KeyType, keyTypeCodec } from "../key-types.ts"
import { type KeyPackage, secretCodec } from "../keys.ts"
import { NO_PREVIOUS, type Slot } from "../messages/header.ts"
import { type Message, messageCodec, signMessage } from "../messages/message.ts"
import type { Signer } from "../messages/signature.ts"
import { generateNonce } from "./shares.ts"
import { isFrostKeyType, suiteOf } from "./suites.ts"

/** A commitment message is the only one of its session, so its attempt is always the first. */
export const COMMITMENT_SLOT = { protocol: "frost", step: 1, attempt: 1 } as const

/** What a commitment message says: public nonces for one signature with one generation of one key. */
export interface CommitmentBody {
  readonly keyType: KeyType
  readonly keyId: Bytes
  readonly keyEpoch: number
  /** D = d*G */
  readonly hiding: Element
  /** E = e*G */
  readonly binding: Element
}

/** The body with its elements as bytes that nobody has validated. */
type RawBody = Omit<CommitmentBody, "hiding" | "binding"> & Record<"hiding" | "binding", Bytes>

export const rawBodyCodec: Codec<RawBody> = {
  write(writer, value) {
    keyTypeCodec.write(writer, value.keyType)
    rawFields(value.keyType).write(writer, value)
  },
  read(reader) {
    const keyType = keyTypeCodec.read(reader)
    return { keyType, ...rawFields(keyType).read(reader) }
  },
}

function rawFields(keyType: KeyType): Codec<Omit<RawBody, "keyType">> {
  const element = fixedBytes(groupByName(groupOf(keyType)).elementLength)
  return struct({ keyId: fixedBytes(32), keyEpoch: u32, hiding: element, binding: element })
}

/**
 * The body of a commitment message; null when it is for a key type that does not sign with FROST, or
 * that only a later version knows, of which this one cannot say what is wrong. The body names its own
 * key type, so that whether it decodes does not depend on what the reader expected.
 *
 * @throws DecodeError also on the identity and on every other invalid element: a commitment to
 * nothing would leave a share unmasked.
 */
export function decodeCommitment(broadcast: Bytes): CommitmentBody | null {
  const keyType = KEY_TYPES[broadcast[0] ?? 0]
  if (keyType === undefined || !isFrostKeyType(keyType)) return null
  const raw = decode(rawBodyCodec, broadcast)
  const group = groupByName(groupOf(raw.keyType))
  const element = (name: "hiding" | "binding"): Element => {
    try {
      return group.decodeElement(raw[name])
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new DecodeError(error.message, error.offset, name)
    }
  }
  return { ...raw, hiding: element("hiding"), binding: element("binding") }
}

/** A body that this process made itself: its elements need no second validation. */
export function decodeOwnCommitment(broadcast: Bytes): CommitmentBody {
  const raw = decode(rawBodyCodec, broadcast)
  return { ...raw, hiding: raw.hiding as Element, binding: raw.binding as Element }
}

/**
 * Secret state between the rounds. Using it for two packages reveals the signing share: take it
 * from storage in the transaction whose commit lets the share leave. `sign` wipes it.
 */
export interface NonceState {
  readonly identifier: Identifier
  /** Session of the commitment message: the name under which this state is stored. */
  readonly commitmentId: Bytes
  readonly hiding: Secret
  readonly binding: Secret
  /** The commitment message as sent. */
  readonly message: Message
}

/** The encoding is a secret: seal it. */
export const nonceStateCodec: Codec<NonceState> = struct<NonceState>({
  identifier: identifierCodec,
  commitmentId: fixedBytes(32),
  hiding: secretCodec(32),
  binding: secretCodec(32),
  message: messageCodec,
})

export interface CommitInput {
  readonly key: KeyPackage
  /** The participant's identity key. */
  readonly identity: Signer
  /** Of the roster in force. */
  readonly rosterEpoch: number
  /** 96 fresh uniform bytes, 32 each for the commitment's name and the two nonces. */
  readonly randomness: Bytes
}

/**
 * Round one: choose nonces and commit to them (RFC 9591 Section 5.1, `commit`). Commitments do not
 * depend on the message, so a coordinator may fetch many ahead of time.
 *
 * @throws RangeError for a key of a type that does not sign with FROST.
 */
export function commit(input: CommitInput): { state: NonceState; message: Message } {
  const { key, identity, rosterEpoch, randomness } = input
  if (randomness.length !== 96) throw new RangeError("commit takes 96 bytes of randomness")
  const { keyId, keyType, keyEpoch } = key.public
  const suite = suiteOf(keyType)
  const signingShare = key.signingShare.expose() as Scalar
  const nonce = (at: number) => generateNonce(suite, randomness.slice(at, at + 32), signingShare)
  const [commitmentId, hiding, binding] = [randomness.slice(0, 32), nonce(32), nonce(64)]
  const body = encode(rawBodyCodec, {
    keyType,
    keyId,
    keyEpoch,
    hiding: suite.group.multiplyBase(hiding),
    binding: suite.group.multiplyBase(binding),
  })
  const { identifier } = key
  const slot: Slot = {
    ...COMMITMENT_SLOT,
    sessionId: commitmentId,
    rosterEpoch,
    sender: identifier,
  }
  const message = signMessage(identity, slot, { previousDigest: NO_PREVIOUS, broadcast: body })
  const secrets = { hiding: new Secret(hiding), binding: new Secret(binding) }
  return { state: { identifier, commitmentId, ...secrets, message }, message }
}
