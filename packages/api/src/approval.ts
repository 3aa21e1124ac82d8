import { hashValue, type SigningKey, verifySignature } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  decode,
  encode,
  fixedBytes,
  nullable,
  oneOf,
  safeInteger,
  struct,
  text,
  union,
  utf8,
} from "@lockkeeper/encoding"
import { childPath, type SignContent, signContent } from "./content.ts"
import { MAX_CHARTER } from "./policy.ts"

/** What people are asked to approve: all that decides what comes of it, as it is to be used. */
export type Subject =
  | {
      readonly kind: "sign"
      readonly keyId: Bytes
      readonly path: readonly number[]
      readonly content: SignContent
      /** As the request for the signature has it; null for ECDSA. */
      readonly merkleRoot: Bytes | null
    }
  | { readonly kind: "change-policy"; readonly charter: Bytes }

export const subjectCodec: Codec<Subject> = union<Subject>({
  sign: struct({
    keyId: fixedBytes(32),
    path: childPath,
    content: signContent,
    merkleRoot: nullable(bytes(32)),
  }),
  "change-policy": struct({ charter: bytes(MAX_CHARTER) }),
})

/** Names a subject: 32 bytes over every byte of it. */
export function subjectDigest(subject: Subject): Bytes {
  return hashValue("subject", subjectCodec, subject)
}

/** Names an activity: 32 bytes over the account and the key that its client chose. */
export function activityIdOf(accountId: Bytes, clientKey: Bytes): Bytes {
  return hashValue("activity", struct({ accountId: fixedBytes(32), key: fixedBytes(16) }), {
    accountId,
    key: clientKey,
  })
}

export const VERDICTS = ["approve", "veto"] as const
export type Verdict = (typeof VERDICTS)[number]

/** A person's word on one activity, good for nothing else. */
export interface Approval {
  readonly accountId: Bytes
  readonly activityId: Bytes
  readonly subject: Bytes
  /** What every server has read in it; null where that is nothing. */
  readonly intent: Bytes | null
  /** Digest of the charter in force, and its version. */
  readonly charter: Bytes
  readonly policyVersion: number
  /** The activity's: milliseconds since the Unix epoch. */
  readonly expiresAt: number
  readonly verdict: Verdict
  readonly person: string
  /** The person's key that signs this. */
  readonly credential: Bytes
}

const approvalFields = struct<Approval & { readonly label: null }>({
  label: constant(utf8("lockkeeper/approval/v1")),
  accountId: fixedBytes(32),
  activityId: fixedBytes(32),
  subject: fixedBytes(32),
  intent: nullable(fixedBytes(32)),
  charter: fixedBytes(32),
  policyVersion: safeInteger,
  expiresAt: safeInteger,
  verdict: oneOf(...VERDICTS),
  person: text(64),
  credential: fixedBytes(32),
})

/** An approval's bytes as signed, with the signature of the credential over them. */
export interface SignedApproval {
  readonly approval: Bytes
  readonly signature: Bytes
}

export const signedApproval: Codec<SignedApproval> = struct<SignedApproval>({
  approval: bytes(512),
  signature: fixedBytes(64),
})

/** @param key - whose public key the credential is. */
export function signApproval(approval: Approval, key: SigningKey): SignedApproval {
  const encoded = encode(approvalFields, { ...approval, label: null })
  return { approval: encoded, signature: key.sign(encoded) }
}

/** What it says, signed or not. @throws DecodeError naming the field at fault. */
export function decodeApproval({ approval }: SignedApproval): Approval {
  const { label: _, ...said } = decode(approvalFields, approval)
  return said
}

/** Whether the credential that it names signed exactly these bytes. */
export function verifyApproval(signed: SignedApproval): boolean {
  return verifySignature(decodeApproval(signed).credential, signed.approval, signed.signature)
}
