import type { Custody, KeyState, KeyType } from "@lockkeeper/api"
import type { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/** A key as commands show it. */
export interface KeyView {
  /** 32 bytes. */
  readonly keyId: Bytes
  readonly keyType: KeyType
  readonly custody: Custody
  readonly state: KeyState
  readonly label: string
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  /** ed25519: 32 bytes. bip340: the 32-byte x-only internal key. */
  readonly publicKey: Bytes
  readonly minSigners: number
  readonly holders: readonly number[]
}

/** What to sign, with what. */
export interface SignOrder {
  readonly keyId: Bytes
  readonly message: Bytes
  /** bip340 only: null for the key itself, empty for BIP341 without scripts, else the Merkle root. */
  readonly merkleRoot: Bytes | null
}

/** A server that did not do its part, although others finished the work. */
export interface IncidentView {
  readonly server: number
  readonly name: string
  readonly message: string
  /** File whose contents prove the server at fault to anyone, or null where nothing is proven. */
  readonly evidence: string | null
}

/** A signature that was verified before it was handed over. */
export interface SignatureView {
  readonly signature: Bytes
  /** Identifiers of the servers that took part. */
  readonly signers: readonly number[]
  readonly incidents: readonly IncidentView[]
}

/** A key that the servers have just generated. */
export interface CreatedView {
  readonly key: KeyView
  readonly incidents: readonly IncidentView[]
}

/** What a logged-in owner can do, wherever the session is held: in this process or in the agent. */
export interface OwnerSession {
  readonly name: string
  createKey(type: KeyType, label: string, signal: AbortSignal): Promise<CreatedView>
  listKeys(signal: AbortSignal): Promise<readonly KeyView[]>
  showKey(keyId: Bytes, signal: AbortSignal): Promise<KeyView>
  sign(order: SignOrder, signal: AbortSignal): Promise<SignatureView>
  changePassword(current: Secret, next: Secret, signal: AbortSignal): Promise<void>
  /** Ends the session at the servers and wipes it here. */
  logout(): Promise<void>
}

/** How one server answers a health question. */
export interface ServerHealth {
  readonly identifier: number
  readonly name: string
  readonly url: string
  readonly operator: string
  readonly ready: boolean
  /** Version, or what is wrong. */
  readonly detail: string
  readonly latencyMs: number | null
}

/** What nobody has to be logged in for. */
export interface Keeper {
  readonly servers: number
  readonly threshold: number
  register(name: string, password: Secret, signal: AbortSignal): Promise<void>
  login(name: string, password: Secret, signal: AbortSignal): Promise<OwnerSession>
  health(signal: AbortSignal): Promise<readonly ServerHealth[]>
  close(): Promise<void>
}

/** What it takes to reach the key servers. Travels to the agent process, so it is plain data. */
export interface KeeperAddress {
  /** Path of the signed roster. */
  readonly roster: string
  readonly rosterPin: Bytes | null
  /** Path of the certificate authority, or null for the system's. */
  readonly ca: string | null
  /** Directory where evidence against servers is kept. */
  readonly evidence: string
}
