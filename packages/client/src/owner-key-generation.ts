import { type KeyCustody, LockKeeperError, OWNER_DEVICE } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { dkg, type KeyCertificate, type Message, type Outcome } from "@lockkeeper/protocols"
import type { Randomness } from "./dependencies.ts"
import { sealOwnerShare } from "./owner-share.ts"
import type { Principal } from "./principal.ts"

type State =
  | { readonly kind: "opened"; readonly state: dkg.DkgOpened }
  | { readonly kind: "revealed"; readonly state: dkg.DkgRevealed }
  | { readonly kind: "judged"; readonly state: dkg.DkgJudged }

/** An additive participant's polynomial is its share. */
function shareOf({ coefficients }: dkg.DkgOpened): Secret {
  return coefficients[0] as Secret
}

/**
 * The owner's part in one attempt at a key: a share of its own on top of what the servers share. It
 * takes the steps that servers take, in this process and nowhere else, each once.
 */
export class OwnerInKeyGeneration {
  /** The owner's share of the key, should this attempt make one. */
  readonly share: Secret
  /** The share as servers are to keep it. */
  readonly custody: KeyCustody
  readonly #opening: Message
  readonly #identity: dkg.DkgIdentity
  readonly #randomness: Randomness
  #state: State

  private constructor(
    identity: dkg.DkgIdentity,
    randomness: Randomness,
    opened: { readonly state: dkg.DkgOpened; readonly message: Message },
    sealedShare: Bytes,
  ) {
    this.custody = { kind: "self", sealedShare }
    this.share = Secret.copyOf(shareOf(opened.state).expose())
    this.#identity = identity
    this.#randomness = randomness
    this.#opening = opened.message
    this.#state = { kind: "opened", state: opened.state }
  }

  /**
   * Draws the share and seals it, before anyone has seen anything of the run.
   *
   * @throws LockKeeperError `invalid-request` where there can be no such run.
   */
  static async begin(
    { signer, accountId, keys, servers }: Principal,
    params: dkg.DkgParams,
    deviceSecret: boolean,
  ): Promise<OwnerInKeyGeneration> {
    const { randomness, deviceSecrets } = servers.deps
    const identity = { signer, verifyKeys: servers.trust.verifyKeys }
    const drawn = randomness.bytes(dkg.openRandomnessLength(params, OWNER_DEVICE))
    const opened = dkg.dkgOpen(params, OWNER_DEVICE, identity, drawn)
    drawn.fill(0)
    if (!opened.ok) {
      const { reason, field } = opened.abort
      throw new LockKeeperError("invalid-request", `No such key can be: ${reason}.`, { field })
    }
    const { state } = opened.value
    const place = { accountId, keyId: params.keyId }
    const devices = deviceSecret ? deviceSecrets : null
    const sealing = { place, storageKey: keys.storageKey, devices }
    try {
      const sealed = await sealOwnerShare(sealing, shareOf(state), randomness.bytes(32))
      return new OwnerInKeyGeneration(identity, randomness, opened.value, sealed)
    } catch (error) {
      for (const secret of [...state.coefficients, state.sealingSeed]) secret.wipe()
      throw error
    }
  }

  /** The next step's message; the device is never accused, so that it has none to answer. */
  step(step: dkg.DkgStep, messages: readonly Message[]): Outcome<Message> {
    if (step === "open") return { ok: true, value: this.#opening }
    const current = this.#state
    if (step === "reveal" && current.kind === "opened") return this.#reveal(current.state, messages)
    if (step === "verdict" && current.kind === "revealed") {
      const judged = dkg.dkgVerdict(current.state, messages, this.#identity)
      if (!judged.ok) return judged
      current.state.ownShare.wipe()
      current.state.sealingSeed.wipe()
      this.#state = { kind: "judged", state: judged.value.state }
      return { ok: true, value: judged.value.message }
    }
    throw new Error(`the owner's device is not at step ${step}`)
  }

  /** The key, once everyone has confirmed the same: the owner's own word that it holds its share. */
  activate(messages: readonly Message[]): Outcome<KeyCertificate> {
    const current = this.#state
    if (current.kind !== "judged") throw new Error("the owner's device has confirmed no key")
    const active = dkg.dkgActivate(current.state, messages, this.#identity)
    if (!active.ok) return active
    active.value.key.signingShare.wipe()
    return { ok: true, value: active.value.certificate }
  }

  /** Overwrites what only this attempt needs; `share` where it made no key. */
  end(isMade: boolean): void {
    const { kind, state } = this.#state
    if (kind === "opened") for (const secret of state.coefficients) secret.wipe()
    if (kind === "revealed") state.ownShare.wipe()
    if (kind === "judged") state.pending?.signingShare.wipe()
    if (kind !== "judged") state.sealingSeed.wipe()
    if (!isMade) this.share.wipe()
  }

  #reveal(opened: dkg.DkgOpened, messages: readonly Message[]): Outcome<Message> {
    const drawn = this.#randomness.bytes(dkg.revealRandomnessLength(opened.params, OWNER_DEVICE))
    const revealed = dkg.dkgReveal(opened, messages, this.#identity, drawn)
    drawn.fill(0)
    if (!revealed.ok) return revealed
    for (const secret of opened.coefficients) secret.wipe()
    this.#state = { kind: "revealed", state: revealed.value.state }
    return { ok: true, value: revealed.value.message }
  }
}
