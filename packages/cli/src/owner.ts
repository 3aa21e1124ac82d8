import type {
  Custody,
  IncidentSource,
  IncidentState,
  KeyState,
  KeyType,
  PairState,
  PlacementMargin,
  SignContent,
} from "@lockkeeper/api"
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
  /** When the servers stop signing with it; null when they do not. */
  readonly expiresAt: number | null
  /** ed25519: 32 bytes. bip340: the 32-byte x-only internal key. ecdsa: 33 bytes, compressed. */
  readonly publicKey: Bytes
  readonly minSigners: number
  readonly holders: readonly number[]
}

/** A key or one of its children, as everyone who has the key's public part can derive it. */
export interface ChildView {
  readonly keyId: Bytes
  readonly keyType: KeyType
  readonly path: readonly number[]
  /** As `KeyView.publicKey`, of the child. */
  readonly publicKey: Bytes
  /** What BIP32's extended public key has beside it; null where the key's curve has none. */
  readonly extended: ExtendedView | null
}

export interface ExtendedView {
  /** 33 bytes, compressed; for bip340 the point with the parity that its children derive from. */
  readonly publicKey: Bytes
  /** 32 bytes. */
  readonly chainCode: Bytes
  /** 33 bytes, or null for the key itself. */
  readonly parentKey: Bytes | null
}

/** What key to make, and who must take part in signing with it. */
export interface KeyOrder {
  readonly keyType: KeyType
  readonly label: string
  readonly custody: Custody
  /** Whether the owner's share takes a secret of this device to open; true where there is none. */
  readonly deviceSecret: boolean
}

/** What to sign, with what. */
export interface SignOrder {
  readonly keyId: Bytes
  /** The child that signs; none of it for the key itself. */
  readonly path: readonly number[]
  readonly content: SignContent
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
  /** 64 bytes; for ecdsa r || s with s in the lower half. */
  readonly signature: Bytes
  /** ecdsa: 0 or 1, which of two public keys the signature is of. Otherwise null. */
  readonly recovery: number | null
  /** Identifiers of the servers that took part. */
  readonly signers: readonly number[]
  readonly incidents: readonly IncidentView[]
}

/** A key that the servers have just generated. */
export interface CreatedView {
  readonly key: KeyView
  readonly incidents: readonly IncidentView[]
}

/** A child that can sign from now on. */
export interface DerivedView {
  readonly child: ChildView
  readonly incidents: readonly IncidentView[]
}

export const KEY_STATE_CHANGES = ["suspend", "resume", "deactivate"] as const
export type KeyStateChange = (typeof KEY_STATE_CHANGES)[number]

/** What became of a key's state, server by server. */
export interface KeyStateView {
  readonly keyId: Bytes
  readonly state: KeyState
  readonly servers: readonly number[]
  readonly missing: readonly number[]
  /** How many servers it takes. */
  readonly needed: number
  readonly effective: boolean
  readonly incidents: readonly IncidentView[]
}

/** One signer set's presignatures of a key. */
export interface PoolSetView {
  readonly signers: readonly number[]
  readonly ready: number
  /** When the oldest was made, milliseconds since the Unix epoch; 0 when there is none. */
  readonly oldestAt: number
  /** Whether every signer of the set has answered. */
  readonly complete: boolean
}

/** A key's presignatures at the servers that answered. */
export interface PoolView {
  readonly sets: readonly PoolSetView[]
  /** Most presignatures of the key at one server. */
  readonly cap: number
  /** Presignatures of the key at the server that has most. */
  readonly held: number
  /** Longest a presignature is kept, milliseconds. */
  readonly maxAgeMs: number
  /** Signatures and presigning steps that the busiest server is at work on. */
  readonly busy: number
  readonly pairs: readonly { readonly servers: readonly number[]; readonly state: PairState }[]
  readonly incidents: readonly IncidentView[]
}

/** What a pool is kept at. */
export interface PoolTargets {
  /** Below this many presignatures a signer set's pool is filled. */
  readonly floor: number
  /** Up to this many. */
  readonly cap: number
}

/** What filling one key's pool came to. */
export interface FilledView {
  /** Presignatures that were made. */
  readonly made: number
  readonly sets: readonly { readonly signers: readonly number[]; readonly ready: number }[]
  readonly incidents: readonly IncidentView[]
}

/** Most recorded incidents that are shown: a server that lies may list any number. */
export const MAX_RECORDED = 256

/** What one server has recorded against another, or against one of two. */
export interface RecordedView {
  /** Whose records these are. */
  readonly recordedBy: number
  readonly number: number
  readonly servers: readonly number[]
  readonly names: readonly string[]
  readonly reason: string
  /** Milliseconds since the Unix epoch. */
  readonly recordedAt: number
  readonly source: IncidentSource
  readonly state: IncidentState
  /** SHA-256 of the evidence. */
  readonly evidence: Bytes
}

export interface RecordsView {
  readonly recorded: readonly RecordedView[]
  readonly incidents: readonly IncidentView[]
}

/** What a logged-in owner can do, wherever the session is held: in this process or in the agent. */
export interface OwnerSession {
  readonly name: string
  createKey(order: KeyOrder, signal: AbortSignal): Promise<CreatedView>
  listKeys(signal: AbortSignal): Promise<readonly KeyView[]>
  showKey(keyId: Bytes, signal: AbortSignal): Promise<KeyView>
  /** The public part of a key's child, whether or not it can sign yet. */
  showChild(keyId: Bytes, path: readonly number[], signal: AbortSignal): Promise<ChildView>
  /** Has the servers know a child, which can sign from then on. */
  deriveChild(keyId: Bytes, path: readonly number[], signal: AbortSignal): Promise<DerivedView>
  changeKeyState(keyId: Bytes, change: KeyStateChange, signal: AbortSignal): Promise<KeyStateView>
  sign(order: SignOrder, signal: AbortSignal): Promise<SignatureView>
  poolStatus(keyId: Bytes, signal: AbortSignal): Promise<PoolView>
  /** Fills a key's pool once, as far as it is below the floor. */
  fillPool(keyId: Bytes, targets: PoolTargets, signal: AbortSignal): Promise<FilledView>
  /** What the servers that answer have recorded against each other. */
  recordedIncidents(signal: AbortSignal): Promise<RecordsView>
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
  /** What the roster's placement rules leave. */
  readonly placement: PlacementMargin
  /** Whether they leave a signer set among these servers. */
  allowsSignersAmong(servers: readonly number[]): boolean
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
  /** Directory where this device's secrets are kept. */
  readonly deviceSecrets: string
}
