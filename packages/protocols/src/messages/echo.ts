import { hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, numberMap } from "@lockkeeper/encoding"
import { headerDigest, type SignedHeader } from "./header.ts"
import { LIMITS } from "./limits.ts"

/** Digest of the header of each sender of one step. */
export type HeaderDigests = ReadonlyMap<Identifier, Bytes>

export const headerDigestsCodec: Codec<HeaderDigests> = numberMap(
  identifierCodec,
  fixedBytes(32),
  LIMITS.participants,
)

/**
 * What the next step's headers carry, so that participants who were shown different messages find
 * out. A difference by itself proves nothing: the relay may be its cause.
 */
export function echoDigest(headers: HeaderDigests): Bytes {
  return hashValue("message-echo", headerDigestsCodec, headers)
}

/** The digest of each sender's header. */
export function digestsOf(
  statements: ReadonlyMap<Identifier, { readonly header: SignedHeader }>,
): Map<Identifier, Bytes> {
  return new Map([...statements].map(([sender, { header }]) => [sender, headerDigest(header)]))
}
