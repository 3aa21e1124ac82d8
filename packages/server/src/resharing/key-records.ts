import {
  asksFor,
  childPath,
  identityKeys,
  KEY_STATES,
  type KeyListing,
  type KeyState,
  keyCustody,
} from "@lockkeeper/api"
import {
  type Bytes,
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  oneOf,
  safeInteger,
  struct,
  text,
  toHex,
} from "@lockkeeper/encoding"
import {
  type KeyCertificate,
  keyCertificateCodec,
  sharing,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import { childrenOf } from "../children.ts"
import { type KeyRow, readHeldKey, readListed, readListing } from "../keys.ts"
import type { Store } from "../ports/store.ts"
import { rosterAt, type ServerSelf } from "../self.ts"
import type { Told } from "./held.ts"
import { toldKeyTime, toldTime } from "./told-times.ts"

/** Most children of one key that are told of; others are registered again when they next sign. */
const MAX_TOLD = 64

/** What is the same at every holder of a key from its creation on. */
interface KeyOwner extends Pick<KeyRow, "accountId" | "state"> {
  readonly label: string
  readonly custody: KeyListing["custody"]
}

const ownerFields = {
  accountId: fixedBytes(32),
  state: oneOf(...KEY_STATES),
  label: text(64),
  custody: keyCustody,
}

const keyOwner: Codec<KeyOwner> = struct<KeyOwner>(ownerFields)

/** What a holder keeps of a key beside its share. */
export interface KeyRecord extends KeyOwner {
  /** By the holder's own clock: not the same everywhere. */
  readonly createdAt: number
  readonly certificate: Bytes
  /** Some of those that are registered. */
  readonly children: readonly (readonly number[])[]
}

export const keyRecord: Codec<KeyRecord> = struct<KeyRecord>({
  ...ownerFields,
  createdAt: safeInteger,
  certificate: bytes(16_384),
  children: list(childPath, MAX_TOLD),
})

/** What this server keeps of a key beside its share; null where it holds none. */
export async function describeKey(store: Store, keyId: Bytes): Promise<Bytes | null> {
  const row = await readHeldKey(store, keyId)
  if (row === null) return null
  const { accountId, state, keyPackage } = row.value
  keyPackage.signingShare.wipe()
  const { label, custody, createdAt, certificate } = await readListing(store, accountId, keyId)
  const children = await childrenOf(store, keyId, MAX_TOLD)
  const record = { accountId, state, label, custody, createdAt, certificate, children }
  return encode(keyRecord, record)
}

/**
 * What other holders' words of a key come to, with what this server keeps of it already. Null where that
 * is not enough to hold a share of it: nobody proves the sharing, fewer than `need` agree on whose key it
 * is, or they say another owner than is known here.
 *
 * @param now - milliseconds since the Unix epoch.
 */
export async function agreeOnKey(
  { self, now }: { readonly self: ServerSelf; readonly now: number },
  store: Store,
  known: sharing.Sharing,
  told: Told,
  need: number,
): Promise<Bytes | null> {
  const records = [...told.values()].flatMap((encoded) => {
    const record = recordOrNull(encoded)
    return record === null ? [] : [record]
  })
  const certificate = provenBy(self, known, records)
  const agreed = agreedBy(records, need)
  const row = await readHeldKey(store, known.id)
  row?.value.keyPackage.signingShare.wipe()
  const accountId = row?.value.accountId ?? agreed?.accountId
  if (certificate === null || accountId === undefined) return null
  if (!equalBytes(accountId, agreed?.accountId ?? accountId)) return null
  const listed = await readListed(store, accountId, known.id)
  // What stayed behind where a share has left is not kept up to date.
  const isOwn = row !== null || (listed !== null && isHolder(self, listed.value))
  const listing = (isOwn ? listed?.value : null) ?? agreed
  if (listing === null) return null
  const { label, custody } = listing
  // When it was made does not change: what was listed here once is this server's own word.
  const createdAt =
    listed?.value.createdAt ?? toldKeyTime(self, certificate, listing.createdAt, now)
  const state = row?.value.state ?? stricter(agreed?.state, listing.state)
  const children = agreed?.children ?? []
  const encoded = encode(keyCertificateCodec, certificate)
  return encode(keyRecord, {
    ...{ accountId, state, label, custody, createdAt, certificate: encoded, children },
  })
}

/** Whether this server holds a share of the generation that a listing proves. */
function isHolder({ identifier }: ServerSelf, { certificate }: KeyListing): boolean {
  return decode(keyCertificateCodec, certificate).public.verifyingShares.has(identifier)
}

function recordOrNull(encoded: Bytes): KeyRecord | null {
  try {
    return decode(keyRecord, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** The first certificate that proves the sharing under the roster that it names. */
function provenBy(
  self: ServerSelf,
  known: sharing.Sharing,
  records: readonly KeyRecord[],
): KeyCertificate | null {
  const wanted = sharing.sharingDigest(known)
  for (const { certificate } of records) {
    const decoded = certificateOrNull(certificate)
    if (decoded === null) continue
    const digest = sharing.sharingDigest(sharing.sharingOfKey(decoded.public))
    const roster = rosterAt(self, decoded.public.rosterEpoch)
    if (!equalBytes(digest, wanted) || roster === null) continue
    // Those that join, or leave, could have made any other by themselves.
    const { minSigners, verifyingShares } = decoded.public
    if (!asksFor(roster, { holders: [...verifyingShares.keys()], minSigners })) continue
    if (verifyKeyCertificate(decoded, identityKeys(roster)).ok) return decoded
  }
  return null
}

function certificateOrNull(encoded: Bytes): KeyCertificate | null {
  try {
    return decode(keyCertificateCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

function strictness(state: KeyState | undefined): number {
  return state === undefined ? -1 : KEY_STATES.indexOf(state)
}

function stricter(a: KeyState | undefined, b: KeyState): KeyState {
  return a !== undefined && strictness(a) > strictness(b) ? a : b
}

type Agreed = Omit<KeyRecord, "certificate">

/** What at least `need` say alike, one of whom is honest, with the time that all of them come to. */
function agreedBy(records: readonly KeyRecord[], need: number): Agreed | null {
  const groups = new Map<string, KeyRecord[]>()
  for (const record of records) {
    const name = toHex(encode(keyOwner, record))
    groups.set(name, [...(groups.get(name) ?? []), record])
  }
  // Where a change of state reached some only, the state that allows less.
  const alike = [...groups.values()]
    .filter((some) => some.length >= need)
    .sort(([a], [b]) => strictness(b?.state) - strictness(a?.state))[0]
  const [first] = alike ?? []
  const times = records.map(({ createdAt }) => createdAt)
  const createdAt = toldTime(times, need)
  if (alike === undefined || first === undefined || createdAt === null) return null
  const isCommon = (path: readonly number[]): boolean =>
    alike.filter(({ children }) => children.some((one) => one.join() === path.join())).length >=
    need
  const { accountId, state, label, custody } = first
  const common = [...new Map(alike.flatMap((r) => r.children).map((p) => [p.join(), p])).values()]
  return { accountId, state, label, custody, createdAt, children: common.filter(isCommon) }
}
