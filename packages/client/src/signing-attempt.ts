import { LockKeeperError, type LogPosition, type SignContent } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { type ChildPath, frost, type Message, messageCodec } from "@lockkeeper/protocols"
import type { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import type { OwnerDevice } from "./owner-device.ts"
import type { Logged } from "./principal.ts"
import type { Trust } from "./trust.ts"

export interface SignOrder {
  readonly key: KeyInfo
  /** The child that signs; empty for the key itself. */
  readonly path: ChildPath
  readonly content: SignContent
  /** What the signature covers: the content's message, or the digest that servers derive from it. */
  readonly message: Bytes
  /** See `SignBody.merkleRoot`. */
  readonly merkleRoot: Bytes | null
  /** Signs beside the servers; null where they hold all shares. */
  readonly device: OwnerDevice | null
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

export interface Signed {
  readonly signature: Bytes
  /** What the signature verifies under, 32 bytes: the Taproot output key where one was asked for. */
  readonly publicKey: Bytes
  readonly signers: readonly Identifier[]
  readonly log: readonly Logged[]
}

function tweakOf(merkleRoot: Bytes | null): frost.Tweak {
  if (merkleRoot === null) return frost.NO_TWEAK
  if (merkleRoot.length === 0) return { kind: "key-path" }
  return { kind: "merkle-root", root: merkleRoot }
}

/** One signing package, and the shares that its signers have sent. */
export class SigningAttempt {
  /** From 1, over all restarts: the step under which the servers keep their answers. */
  readonly number: number
  readonly signers: readonly Identifier[]
  readonly #trust: Trust
  readonly #order: SignOrder
  readonly #opened: frost.OpenedPackage
  readonly #shares = new Map<Identifier, Message>()
  readonly #log: Logged[] = []

  /** @throws LockKeeperError `invalid-request` when these commitments make no package. */
  constructor(
    trust: Trust,
    order: SignOrder,
    requestDigest: Bytes,
    number: number,
    commitments: readonly frost.OpenedCommitment[],
  ) {
    const { key, path, message, merkleRoot } = order
    const { rosterEpoch } = trust.roster
    const tweak = tweakOf(merkleRoot)
    const request = { rosterEpoch, requestDigest, attempt: number, message, tweak, path }
    const prepared = frost.preparePackage(request, key.certificate.public, commitments)
    if (!prepared.ok) {
      const { reason, field } = prepared.abort
      throw new LockKeeperError("invalid-request", `It cannot be signed: ${reason}.`, { field })
    }
    this.number = number
    this.signers = commitments.map(({ commitment }) => commitment.identifier)
    this.#trust = trust
    this.#order = order
    this.#opened = prepared.value
  }

  /** What is sent to every signer. */
  get signingPackage(): Bytes {
    return encode(frost.signingPackageCodec, this.#opened.package)
  }

  /** The owner's device signs what was ordered, and says so to nobody else. */
  signOwn(device: OwnerDevice, requestDigest: Bytes): void {
    const { message, path, merkleRoot } = this.#order
    const approved = { requestDigest, message, tweak: tweakOf(merkleRoot), path }
    this.#shares.set(device.identifier, device.sign(this.#opened.package, approved))
  }

  /** @throws DecodeError on what is no message. */
  add(server: Identifier, share: Bytes, log: LogPosition): void {
    this.#shares.set(server, decode(messageCodec, share))
    this.#log.push({ server, log })
  }

  /** The verified signature, or whose shares cannot be used: the incidents say why. */
  conclude(): { readonly signed: Signed } | { readonly unusable: readonly Identifier[] } {
    const { key, path, merkleRoot, incidents } = this.#order
    const { certificate } = key
    const { verifyKeys } = this.#trust
    const [opened, shares] = [this.#opened, this.#shares]
    const outcome = frost.aggregate({ opened, shares, certificate, verifyKeys })
    if (!outcome.ok) {
      incidents.aborted(outcome.abort)
      return { unusable: [...outcome.abort.culprits, ...outcome.abort.silent] }
    }
    const tweak = tweakOf(merkleRoot)
    const publicKey = frost.publicKeyOf(certificate.public, tweak, path) as Bytes
    const { verifyingShares } = certificate.public
    const servers = [...shares.keys()].filter((one) => verifyingShares.has(one))
    const signers = servers.sort((a, b) => a - b)
    return { signed: { signature: outcome.value, publicKey, signers, log: this.#log } }
  }

  /** Those of these signers whose share is wrong by itself. */
  judge(signers: readonly Identifier[]): readonly Identifier[] {
    const { key, incidents } = this.#order
    const { verifyKeys } = this.#trust
    const input = { opened: this.#opened, certificate: key.certificate, verifyKeys }
    return signers.filter((id) => {
      const outcome = frost.verifyShare(input, id, this.#shares.get(id) as Message)
      if (!outcome.ok) incidents.aborted(outcome.abort)
      return !outcome.ok
    })
  }
}
