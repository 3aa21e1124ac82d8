export { type Aead, aes256Gcm, chacha20Poly1305 } from "./aead.ts"
export { aes128KeyStream, aes128Permutation, type BlockPermutation } from "./aes.ts"
export {
  type DleqProof,
  type DleqStatement,
  dleqProofCodec,
  dleqProve,
  dleqVerify,
} from "./dleq.ts"
export {
  DLEQ_PAIRS_MAX,
  type DleqManyStatement,
  type DleqPair,
  dleqProveMany,
  dleqVerifyMany,
} from "./dleq-many.ts"
export { feldmanCommit, feldmanPublicShare, feldmanVerify } from "./feldman.ts"
export { groupByName } from "./groups/by-name.ts"
export { edwards25519 } from "./groups/edwards25519.ts"
export type { Element, Group, GroupName, Scalar } from "./groups/group.ts"
export { ristretto255 } from "./groups/ristretto255.ts"
export { secp256k1 } from "./groups/secp256k1.ts"
export {
  constantTimeEqual,
  hmacSha256,
  hmacSha512,
  sha3_256,
  sha256,
  sha512,
  symmetricBackend,
} from "./hash.ts"
export { expandMessageXmd, hashToRistretto255, hashToRistretto255Scalar } from "./hash-to-group.ts"
export { hashValue, hashValueToScalar } from "./hash-value.ts"
export {
  hkdfSha256Expand,
  hkdfSha256Extract,
  hkdfSha512Expand,
  hkdfSha512Extract,
} from "./hkdf.ts"
export { hpkeOpen, hpkeReceiver, hpkeSeal, hpkeSender } from "./hpke.ts"
export { HpkeContext } from "./hpke-context.ts"
export { assertIdentifier, type Identifier, identifierCodec } from "./identifier.ts"
export {
  type PossessionProof,
  type PossessionStatement,
  possessionProofCodec,
  provePossession,
  verifyPossession,
} from "./possession.ts"
export * as scalarVectors from "./scalar-vectors/index.ts"
export { Secret } from "./secret.ts"
export {
  evaluatePolynomial,
  interpolate,
  interpolateElements,
  lagrangeCoefficient,
} from "./shamir.ts"
export { type SigningKey, signingKeyFromSeed, verifySignature } from "./signature.ts"
export {
  isXwingPublicKey,
  XWING_CIPHERTEXT_LENGTH,
  XWING_PUBLIC_KEY_LENGTH,
  XWING_RANDOMNESS_LENGTH,
  XWING_SEED_LENGTH,
  xwingDecapsulate,
  xwingEncapsulate,
  xwingKeyPair,
} from "./xwing.ts"
