import { lstatSync, statSync, unlinkSync } from "node:fs"
import { join } from "node:path"
import { hashValue, type SigningKey, verifySignature } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  safeInteger,
  struct,
  text,
} from "@lockkeeper/encoding"
import { readIncarnation } from "../incarnation.ts"
import type { StoreCondition } from "../key-server.ts"
import type { Store } from "../ports/store.ts"
import { FILES } from "./layout.ts"
import { readChecked, syncDirectory, writeOwnerOnly } from "./owner-only.ts"

/**
 * Where an orderly stop left the store, kept beside the database and not in it: a database that was
 * put back, alone or with this file, does not agree with it any more.
 */
interface Anchor {
  /** 16 bytes: the process that stopped. */
  readonly incarnation: Bytes
  readonly index: number
  /** 32 bytes. */
  readonly head: Bytes
  /** 32 bytes: `KeyServer.poolDigest`. */
  readonly pool: Bytes
  /** Which file held the database, and when it was last changed. */
  readonly file: string
}

const anchorCodec: Codec<Anchor> = struct<Anchor>({
  incarnation: fixedBytes(16),
  index: safeInteger,
  head: fixedBytes(32),
  pool: fixedBytes(32),
  file: text(64),
})

interface SignedAnchor {
  readonly anchor: Anchor
  readonly signature: Bytes
}

const signedAnchorCodec: Codec<SignedAnchor> = struct<SignedAnchor>({
  anchor: anchorCodec,
  signature: fixedBytes(64),
})

const MAX_ANCHOR = 1024

/** What lay in the directory before the database was opened. */
export interface FoundAnchor {
  readonly encoded: Bytes
  readonly file: string
}

// Programs that copy files back set every time but this one, and the copy is another file.
function databaseFile(directory: string): string {
  const { ino, ctimeNs } = statSync(join(directory, FILES.database), { bigint: true })
  return `${ino}/${ctimeNs}`
}

function digest(anchor: Anchor): Bytes {
  return hashValue("stop-anchor", anchorCodec, anchor)
}

/** To be called before the database is opened, which may change it. @throws LockKeeperError */
export function findAnchor(directory: string): FoundAnchor | null {
  const path = join(directory, FILES.anchor)
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null
  const encoded = readChecked(path, "anchor", "owner-only", MAX_ANCHOR)
  return { encoded, file: databaseFile(directory) }
}

function decodeAnchor(encoded: Bytes, identityKey: Bytes): Anchor | null {
  try {
    const { anchor, signature } = decode(signedAnchorCodec, encoded)
    return verifySignature(identityKey, digest(anchor), signature) ? anchor : null
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}

/** What a store is, and the pool that its last process vouched for. */
export interface Verdict {
  readonly condition: StoreCondition
  /** 32 bytes; null unless the condition is `orderly`. */
  readonly pool: Bytes | null
}

const UNCLEAN: Verdict = { condition: "unclean", pool: null }
const RESTORED: Verdict = { condition: "restored", pool: null }

/**
 * What the store is, by the anchor that was found. Without one it is what a crash left, or an older
 * copy that nobody can tell from it.
 */
export async function judgeStore(
  found: FoundAnchor | null,
  store: Store,
  identityKey: Bytes,
): Promise<Verdict> {
  if (found === null) return UNCLEAN
  const anchor = decodeAnchor(found.encoded, identityKey)
  const position = await store.logPosition()
  const incarnation = await readIncarnation(store)
  if (anchor === null || position === null || !incarnation?.stopped) return RESTORED
  const same =
    anchor.file === found.file &&
    anchor.index === position.index &&
    equalBytes(anchor.head, position.head) &&
    equalBytes(anchor.incarnation, incarnation.id)
  return same ? { condition: "orderly", pool: anchor.pool } : RESTORED
}

/** Removes the anchor for good, before anything is changed that it would vouch for. */
export function removeAnchor(directory: string): void {
  const path = join(directory, FILES.anchor)
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return
  unlinkSync(path)
  syncDirectory(directory)
}

/** Vouches for a store that is closed and that nobody writes to any more. */
export function encodeAnchor(anchor: Anchor, identity: SigningKey): Bytes {
  return encode(signedAnchorCodec, { anchor, signature: identity.sign(digest(anchor)) })
}

export function writeAnchor(
  directory: string,
  end: Omit<Anchor, "file">,
  identity: SigningKey,
): void {
  const encoded = encodeAnchor({ ...end, file: databaseFile(directory) }, identity)
  writeOwnerOnly(join(directory, FILES.anchor), encoded)
}
