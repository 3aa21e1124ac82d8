import { type Bytes, bytes, type Codec, nullable, struct } from "@lockkeeper/encoding"

/** Longest charter, bytes: it travels in one request. */
export const MAX_CHARTER = 98_304

/**
 * Body of `policy.set`, addressed to every holder: the account's first charter, or the next version of
 * the one in force, which then decides whether it may be replaced. The one in force once more changes
 * nothing, and gives it back to a server that does not have its text. What a charter holds is the matter
 * of `charterCodec` in @lockkeeper/policy.
 */
export interface SetPolicyBody {
  readonly charter: Bytes
}

export const setPolicyBody: Codec<SetPolicyBody> = struct<SetPolicyBody>({
  charter: bytes(MAX_CHARTER),
})

/** Answer of `policy.show`: the charter, or null where anything goes that the owner asks for. */
export const charterShown: Codec<Bytes | null> = nullable(bytes(MAX_CHARTER))
