import { OWNER_DEVICE } from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { frost, type Message } from "@lockkeeper/protocols"
import type { KeyInfo } from "./key-info.ts"
import type { Principal } from "./principal.ts"

/**
 * The owner's device as a signer of one key. Its nonces exist in this process alone, each for one
 * signing package: whatever ends the process burns them. Its signature shares go to nobody.
 */
export class OwnerDevice {
  readonly #principal: Principal
  readonly #key: KeyInfo
  readonly #share: Secret
  #nonces: frost.NonceState | null = null

  /** @param share - the owner's of the key; stays the caller's to wipe. */
  constructor(principal: Principal, key: KeyInfo, share: Secret) {
    this.#principal = principal
    this.#key = key
    this.#share = share
  }

  /** Takes part under this number beside the servers. */
  get identifier(): Identifier {
    return OWNER_DEVICE
  }

  /** A commitment for the next package; one that was not used is burnt. */
  commit(): frost.OpenedCommitment {
    this.burn()
    const { signer, servers } = this.#principal
    const { roster, verifyKeys } = servers.trust
    const { rosterEpoch } = roster
    const key = this.#keyPackage()
    const randomness = servers.deps.randomness.bytes(96)
    const { state, message } = frost.commit({ key, identity: signer, rosterEpoch, randomness })
    randomness.fill(0)
    this.#nonces = state
    const opened = frost.openCommitment(message, { public: key.public, verifyKeys, rosterEpoch })
    if (!opened.ok) throw new Error(`the device's own commitment is ${opened.abort.reason}`)
    return opened.value
  }

  /** The device's share of the signature that a package over its commitment asks for. */
  sign(pkg: frost.SigningPackage, approved: frost.Approved): Message {
    const state = this.#nonces
    if (state === null) throw new Error("the device has no nonces for this package")
    this.#nonces = null
    const { signer, servers } = this.#principal
    const { roster, verifyKeys } = servers.trust
    const { rosterEpoch } = roster
    const input = { state, key: this.#keyPackage(), package: pkg, approved }
    const signed = frost.sign({ ...input, verifyKeys, rosterEpoch, identity: signer })
    if (!signed.ok)
      throw new Error(`the device does not sign its own package: ${signed.abort.reason}`)
    return signed.value
  }

  /** Overwrites nonces that nothing was signed with. */
  burn(): void {
    this.#nonces?.hiding.wipe()
    this.#nonces?.binding.wipe()
    this.#nonces = null
  }

  #keyPackage() {
    const { certificate } = this.#key
    return { identifier: OWNER_DEVICE, signingShare: this.#share, public: certificate.public }
  }
}
