import type { Custody, KeyType, SignContent } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import type { ChildKeyInfo } from "./child-keys.ts"
import type { EcdsaSigned } from "./ecdsa-attempt.ts"
import type { Incident } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import type { KeyStateChanged } from "./key-state.ts"
import type { Logged } from "./principal.ts"
import type { RecordedIncident } from "./reports.ts"
import type { Signed } from "./signing-attempt.ts"
import type { PasswordInput } from "./spelling.ts"

/** Every operation can be cancelled; what a server has already done is not undone by it. */
export interface Cancellable {
  readonly signal?: AbortSignal
}

/** What every result carries: the servers that did not do their part, proofs included. */
export interface WithIncidents {
  readonly incidents: readonly Incident[]
}

export interface RecordedIncidents extends WithIncidents {
  readonly recorded: readonly RecordedIncident[]
}

export interface CreateKeyOptions extends Cancellable {
  readonly type: KeyType
  /** Who must take part in signing; `custodial` without it. */
  readonly custody?: Custody
  /**
   * For `self`: whether your share is sealed under a secret of this device too, as it is without this.
   * With `false` any device with the password opens it, and t corrupt servers can guess passwords.
   */
  readonly deviceSecret?: boolean
  /** Name for people, up to 64 bytes. */
  readonly label?: string
}

export interface CreatedKey extends WithIncidents {
  readonly key: KeyInfo
  readonly log: readonly Logged[]
}

export interface KeyList extends WithIncidents {
  readonly keys: readonly KeyInfo[]
  /** Ids that fewer than t servers listed: do not use them. */
  readonly unconfirmed: readonly Bytes[]
}

/** How a bip340 key spends a Taproot output, BIP341. */
export type Taproot =
  /** The output key without scripts, as BIP86 has it. */
  | "key-path"
  /** The output key that commits to a script tree. */
  | { readonly merkleRoot: Uint8Array }

/** Which key, by its id or as the SDK gave it. */
export type WhichKey =
  | { readonly keyId: Uint8Array; readonly key?: undefined }
  | { readonly key: { readonly keyId: Uint8Array }; readonly keyId?: undefined }

/** What is to be signed: bytes as they are, or content from which each server derives the digest. */
export type WhatToSign =
  /** ed25519: up to 16 KiB, whole, never a hash of it. bip340: the 32-byte sighash. */
  | { readonly message: Uint8Array; readonly content?: undefined; readonly digest?: undefined }
  | {
      readonly message?: undefined
      readonly content: SignContent
      /** 32 bytes, for `bitcoin-input`: the sighash that the servers will derive. */
      readonly digest?: Uint8Array
    }

export type SignOptions = Cancellable &
  WhichKey &
  WhatToSign & {
    /** The child that signs; the key itself without it. Derive it first. */
    readonly path?: readonly number[]
    /** bip340 only; without it the untweaked key signs. */
    readonly taproot?: Taproot
  }

export type SignDigestOptions = Cancellable &
  WhichKey & {
    readonly path?: readonly number[]
    readonly content: SignContent
    /**
     * 32 bytes: what the content comes to. The servers are not told it, each derives its own; the
     * signature is verified against it. May be left out where the content is a 32-byte message.
     */
    readonly digest?: Uint8Array
  }

export interface Signature extends Signed, WithIncidents {}

/** An ECDSA signature, verified under `publicKey`. */
export interface EcdsaSignature extends EcdsaSigned, WithIncidents {}

export interface DerivedKey extends WithIncidents {
  readonly child: ChildKeyInfo
  readonly log: readonly Logged[]
}

export interface KeyStateResult extends KeyStateChanged, WithIncidents {}

export interface ChangePasswordOptions extends Cancellable {
  readonly current: PasswordInput
  readonly next: PasswordInput
}

/** The operations on an account's keys. */
export interface Keys {
  /** Generates a key that never exists in one piece. Takes all servers that answer, at least t. */
  create(options: CreateKeyOptions): Promise<CreatedKey>
  list(options?: Cancellable): Promise<KeyList>
  /** @throws LockKeeperError `not-found`. */
  show(keyId: Uint8Array, options?: Cancellable): Promise<KeyInfo & WithIncidents>
  /** Registers a child at the key's holders, so that it can sign. Registering twice is harmless. */
  derive(keyId: Uint8Array, path: readonly number[], options?: Cancellable): Promise<DerivedKey>
  /**
   * Has the key's holders sign nothing with it until `resume`. It holds once n - t + 1 of them do so:
   * see `effective`, and ask again when the missing are back.
   */
  suspend(keyId: Uint8Array, options?: Cancellable): Promise<KeyStateResult>
  resume(keyId: Uint8Array, options?: Cancellable): Promise<KeyStateResult>
  /** As `suspend`, for good: there is no way back. */
  deactivate(keyId: Uint8Array, options?: Cancellable): Promise<KeyStateResult>
  /** A child's public key, without asking anyone. @throws LockKeeperError `invalid-request`. */
  childKey(key: KeyInfo, path: readonly number[]): ChildKeyInfo
}
