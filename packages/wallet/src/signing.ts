import { LockKeeperError } from "@lockkeeper/client"
import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"

/** A key as the adapters need it; the SDK's `KeyInfo` is one. */
export interface WalletKey {
  /** 32 bytes. */
  readonly keyId: Uint8Array
  readonly keyType: string
  /** ecdsa-secp256k1: 33 bytes, compressed. bip340: 32, x-only. ed25519: 32. */
  readonly publicKey: Uint8Array
}

/** From a key to its child: non-hardened BIP32 numbers; none for the key itself. */
export type ChildPath = readonly number[]

/** What is signed, always whole: each key server derives the digest from it by itself. */
export type SignContent =
  | { readonly kind: "message"; readonly message: Bytes }
  | { readonly kind: "evm-transaction"; readonly transaction: Bytes }
  | { readonly kind: "evm-message"; readonly message: Bytes }
  | { readonly kind: "evm-typed-data"; readonly typedData: string }
  | { readonly kind: "bitcoin-input"; readonly psbt: Bytes; readonly input: number }

/** An ECDSA signature with what it takes to find its key. */
export interface EcdsaSignature {
  /** 32 bytes each, big-endian; s is the low one. */
  readonly r: Uint8Array
  readonly s: Uint8Array
  readonly recovery: number
  /** 33 bytes: the key that signed, the child's where there is a path. */
  readonly publicKey: Uint8Array
}

export interface SignDigestOptions {
  readonly key: WalletKey
  readonly path?: ChildPath
  readonly content: SignContent
  /** What the signature is verified against; the servers are not told it. */
  readonly digest: Bytes
  readonly signal?: AbortSignal
}

export interface SignContentOptions {
  readonly key: WalletKey
  readonly path?: ChildPath
  readonly content: SignContent
  /** Of a Bitcoin input: what the signature is verified against; the servers are not told it. */
  readonly digest?: Bytes
  /** The output that a bip340 key signs for: without scripts, or committing to a tree of them. */
  readonly taproot?: "key-path" | { readonly merkleRoot: Bytes }
  readonly signal?: AbortSignal
}

/** The part of a session that signs; the SDK's `Session` has it. */
export interface WalletSession {
  readonly keys: {
    /** Derives a child's public key from public data alone. */
    childKey(key: WalletKey, path: ChildPath): { readonly publicKey: Uint8Array }
  }
  /** For ecdsa-secp256k1 keys. */
  signDigestOf(options: SignDigestOptions): Promise<EcdsaSignature>
  /** For ed25519 and bip340 keys; 64 bytes. */
  sign(options: SignContentOptions): Promise<{ readonly signature: Uint8Array }>
}

const FIRST_HARDENED = 0x8000_0000
const MAX_DEPTH = 10

/** A key, or a child of it, that signs for one address. */
export class Signatory {
  readonly session: WalletSession
  readonly key: WalletKey
  readonly path: ChildPath
  /** Of the child, where there is a path. */
  readonly publicKey: Bytes

  /** @throws LockKeeperError `invalid-request` for keys of other types and paths to no child. */
  constructor(
    session: WalletSession,
    key: WalletKey,
    path: ChildPath,
    keyTypes: readonly string[],
  ) {
    if (!keyTypes.includes(key.keyType)) {
      throw new LockKeeperError("invalid-request", `${key.keyType} keys do not sign for this.`, {
        field: "key",
        remedy: `Use a key of the type ${keyTypes.join(" or ")}.`,
      })
    }
    checkPath(path)
    this.session = session
    this.key = key
    this.path = [...path]
    const { publicKey } = path.length === 0 ? key : session.keys.childKey(key, path)
    this.publicKey = new Uint8Array(publicKey)
  }

  /** An ECDSA signature by this key and no other. */
  async ecdsa(content: SignContent, digest: Bytes, signal?: AbortSignal): Promise<EcdsaSignature> {
    const { session, key, path } = this
    const order = { key, path, content, digest, ...(signal ? { signal } : {}) }
    const signature = await session.signDigestOf(order)
    if (!equalBytes(signature.publicKey, this.publicKey)) {
      throw new LockKeeperError("internal", "Another key signed.", { field: "path" })
    }
    return signature
  }

  /** 64 bytes of Ed25519 or BIP340 signature. */
  async schnorr(order: Omit<SignContentOptions, "key" | "path">): Promise<Bytes> {
    const { session, key, path } = this
    const { signature } = await session.sign({ ...order, key, path })
    return new Uint8Array(signature)
  }
}

function checkPath(path: ChildPath): void {
  const refuse = (message: string, remedy: string): never => {
    throw new LockKeeperError("invalid-request", message, { field: "path", remedy })
  }
  if (path.length > MAX_DEPTH) refuse("The path is too long.", `Use up to ${MAX_DEPTH} steps.`)
  for (const step of path) {
    if (!Number.isInteger(step) || step < 0 || step > 0xffff_ffff) {
      refuse("The path has a step that is no child's number.", "Use 0 to 2147483647.")
    }
    if (step >= FIRST_HARDENED) {
      refuse("A shared key has no hardened children.", "Use steps of 0 to 2147483647.")
    }
  }
}

/**
 * Reads what is to be signed as the servers will, so that what they would refuse is refused before
 * anything is asked of them.
 *
 * @throws LockKeeperError `invalid-request` with the field at fault.
 */
export function readAs<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw refusalOf(field, cause)
  }
}

/** Says which field it is. Where in the bytes, which the caller may never have seen, the cause says. */
export function refusalOf(field: string, cause: DecodeError): LockKeeperError {
  const what = cause.message.replace(/ at offset \d+$/, "")
  return new LockKeeperError("invalid-request", `The ${field} cannot be signed: ${what}.`, {
    field: cause.path === "" ? field : `${field}.${cause.path}`,
    cause,
  })
}

/** The servers' reading and the library's must agree before anything is signed. */
export function assertSameDigest(field: string, ours: Bytes, theirs: Uint8Array): void {
  if (equalBytes(ours, theirs)) return
  throw new LockKeeperError("internal", `Two readings of the ${field} differ.`, { field })
}
