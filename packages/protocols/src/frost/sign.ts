import {
  type Element,
  type Group,
  groupByName,
  type Identifier,
  type Scalar,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, encode, equalBytes, struct } from "@lockkeeper/encoding"
import { type ChildPath, equalPaths } from "../child-path.ts"
import { groupOf, type KeyType } from "../key-types.ts"
import type { KeyPackage, PublicKeyPackage } from "../keys.ts"
import type { Slot } from "../messages/header.ts"
import { type Message, signMessage } from "../messages/message.ts"
import type { Signer } from "../messages/signature.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { bind } from "./binding.ts"
import { COMMITMENT_SLOT, decodeOwnCommitment, type NonceState } from "./commitment.ts"
import {
  commitmentIdIn,
  openPackage,
  type SigningPackage,
  sameMessage,
  signingPackageDigest,
} from "./package.ts"
import { signatureShare } from "./shares.ts"
import { equalTweaks, type Tweak } from "./taproot.ts"

/** A share answers one package under one key, so its slot follows from the two. */
export function shareSlot(pkg: SigningPackage, key: PublicKeyPackage): Omit<Slot, "sender"> {
  const { attempt, rosterEpoch } = pkg
  const { protocol } = COMMITMENT_SLOT
  return { protocol, step: 2, attempt, sessionId: signingPackageDigest(pkg, key), rosterEpoch }
}

/** What a signature share message says. */
export interface ShareBody {
  /** z_i */
  readonly signatureShare: Scalar
}

export function shareBodyCodec(keyType: KeyType): Codec<ShareBody> {
  return struct<ShareBody>({ signatureShare: groupByName(groupOf(keyType)).scalar })
}

/** What this participant itself authorised, from the request and not from the package. */
export interface Approved {
  readonly requestDigest: Bytes
  readonly message: Bytes
  readonly tweak: Tweak
  readonly path: ChildPath
}

export interface SignInput {
  /** Taken from storage: no other call may ever have this state. Wiped on return. */
  readonly state: NonceState
  readonly key: KeyPackage
  readonly package: SigningPackage
  readonly approved: Approved
  /** Identity keys of the roster in force. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  /** Of the roster in force. */
  readonly rosterEpoch: number
  readonly identity: Signer
}

/** The field in which a package differs from what was authorised, or null. */
function notApproved(pkg: SigningPackage, approved: Approved): keyof Approved | null {
  if (!equalBytes(pkg.requestDigest, approved.requestDigest)) return "requestDigest"
  if (!equalBytes(pkg.message, approved.message)) return "message"
  if (!equalTweaks(pkg.tweak, approved.tweak)) return "tweak"
  if (!equalPaths(pkg.path, approved.path)) return "path"
  return null
}

/**
 * Round two: issue this participant's signature share (RFC 9591 Section 5.2, `sign`), signed for
 * the digest of the whole package.
 *
 * Aborts blame nobody but the author of a signed invalid commitment: a bad package is the
 * coordinator's doing, and the coordinator is not a participant. The nonces are wiped in any case.
 *
 * @throws Error when the state was used before.
 */
export function sign(input: SignInput): Outcome<Message> {
  const { state } = input
  try {
    return signOnce(input, {
      hiding: state.hiding.expose() as Scalar,
      binding: state.binding.expose() as Scalar,
    })
  } finally {
    state.hiding.wipe()
    state.binding.wipe()
  }
}

function signOnce(
  { state, key, package: pkg, approved, verifyKeys, rosterEpoch, identity }: SignInput,
  nonces: { readonly hiding: Scalar; readonly binding: Scalar },
): Outcome<Message> {
  const { identifier } = key
  const difference = notApproved(pkg, approved)
  if (difference) return abort("not-approved", { field: difference })
  if (pkg.rosterEpoch !== rosterEpoch) return abort("wrong-roster-epoch", { field: "rosterEpoch" })
  if (commitmentIdIn(pkg, identifier) === null) {
    return abort("not-a-signer", { field: "commitments" })
  }
  const ours = decodeOwnCommitment(state.message.broadcast)
  const { keyId, keyType, keyEpoch } = key.public
  if (!equalBytes(ours.keyId, keyId) || ours.keyType !== keyType) {
    return abort("wrong-key", { field: "state" })
  }
  if (ours.keyEpoch !== keyEpoch) return abort("wrong-key-epoch", { field: "state" })
  // A package whose commitment of ours is not the one behind these nonces would yield a bad share,
  // for which this signer would be blamed.
  if (!pkg.commitments.some((message) => sameMessage(message, state.message))) {
    return abort("commitment-mismatch")
  }
  const commitment = { identifier, hiding: ours.hiding, binding: ours.binding }
  const context = { public: key.public, verifyKeys }
  const opened = openPackage(pkg, context, { commitment, message: state.message })
  if (!opened.ok) return opened
  const { target, commitments, servers, previousDigest } = opened.value
  const group: Group = target.suite.group
  // D_i + rho_i*E_i = (d_i + rho_i*e_i)*G: one base multiplication in place of a slower one.
  const nonceImage = (rho: Scalar): Element => {
    const nonce = group.addScalars(nonces.hiding, group.multiplyScalars(nonces.binding, rho))
    const image = group.multiplyBase(nonce)
    nonce.fill(0)
    return image
  }
  const binding = bind(target, commitments, pkg.message, { identifier, nonceImage })
  const signingShare = key.signingShare.expose() as Scalar
  const share = signatureShare(target, binding, identifier, servers, nonces, signingShare)
  const body = encode(shareBodyCodec(key.public.keyType), { signatureShare: share })
  const slot: Slot = { ...shareSlot(pkg, key.public), sender: identifier }
  return done(signMessage(identity, slot, { previousDigest, broadcast: body }))
}
