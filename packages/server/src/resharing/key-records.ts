import {
  CUSTODIES,
  childPath,
  decodeRoster,
  identityKeys,
  KEY_STATES,
  type KeyListing,
  type KeyState,
  keyListing,
  MAX_CHILDREN,
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
  type repair,
  sharing,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import { childrenOf, registerAll } from "../children.ts"
import { type KeyRow, keyRow, readHeldKey, readListing } from "../keys.ts"
import type { Change, Store } from "../ports/store.ts"
import type { ServerSelf } from "../self.ts"
import type { Restoring, Told } from "./held.ts"

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
  custody: oneOf(...CUSTODIES),
}

const keyOwner: Codec<KeyOwner> = struct<KeyOwner>(ownerFields)

/** What a holder keeps of a key beside its share. */
interface KeyRecord extends KeyOwner {
  /** By the holder's own clock: not the same everywhere. */
  readonly createdAt: number
  readonly certificate: Bytes
  /** Some of those that are registered. */
  readonly children: readonly (readonly number[])[]
}

const keyRecord: Codec<KeyRecord> = struct<KeyRecord>({
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
 * The changes that put a share of a key where it is lacking, in place of an earlier one if there is one,
 * with all that the key's owner needs to use it. Null where what the others told is not enough for that:
 * fewer than `need` of them agree on whose key it is, or none proves the sharing.
 */
export async function restoreKey(
  self: ServerSelf,
  store: Store,
  repaired: repair.RepairedShare,
  told: Told,
  { need, room }: Restoring,
): Promise<readonly Change[] | null> {
  const { id: keyId } = repaired.sharing
  const records = [...told.values()].flatMap((encoded) => {
    const record = recordOrNull(encoded)
    return record === null ? [] : [record]
  })
  const certificate = provenBy(self, repaired.sharing, records)
  const agreed = agreedBy(records, need)
  const row = await readHeldKey(store, keyId)
  row?.value.keyPackage.signingShare.wipe()
  const owner = row?.value ?? agreed
  if (certificate === null || owner === null) return null
  const { accountId } = owner
  const listingId = `${toHex(accountId)}-${toHex(keyId)}`
  const listed = await store.read("account-keys", listingId)
  const listing =
    listed === null ? agreed && { keyId, ...agreed } : decode(keyListing, listed.value)
  if (listing === null || !equalBytes(accountId, agreed?.accountId ?? accountId)) return null
  const { label, custody, createdAt } = listing
  const state = row === null ? stricter(owner.state, listing.state) : owner.state
  const shown: KeyListing = {
    ...{ keyId, label, custody, state, createdAt },
    certificate: encode(keyCertificateCodec, certificate),
  }
  const { share: signingShare } = repaired
  const keyPackage = { identifier: self.identifier, signingShare, public: certificate.public }
  const children = agreed === null ? [] : agreed.children
  return [
    {
      ...{ kind: "put", table: "keys", id: toHex(keyId), ifVersion: row?.version ?? "absent" },
      value: encode(keyRow, { accountId, state, keyPackage }),
    },
    {
      ...{ kind: "put", table: "account-keys", id: listingId },
      ifVersion: listed?.version ?? "absent",
      value: encode(keyListing, shown),
    },
    ...(await registerAll(store, keyId, children, Math.min(room, MAX_CHILDREN))),
  ]
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
  repaired: sharing.Sharing,
  records: readonly KeyRecord[],
): KeyCertificate | null {
  const wanted = sharing.sharingDigest(repaired)
  const rosters = [self.roster, ...self.rostersBefore.map(({ roster }) => decodeRoster(roster))]
  for (const { certificate } of records) {
    const decoded = certificateOrNull(certificate)
    if (decoded === null) continue
    const digest = sharing.sharingDigest(sharing.sharingOfKey(decoded.public))
    const roster = rosters.find(({ rosterEpoch }) => rosterEpoch === decoded.public.rosterEpoch)
    if (!equalBytes(digest, wanted) || roster === undefined) continue
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

function stricter(a: KeyState, b: KeyState): KeyState {
  return strictness(a) > strictness(b) ? a : b
}

type Agreed = Omit<KeyRecord, "certificate">

/** What at least `need` say alike, one of whom is honest; the time is one that lies among theirs. */
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
  if (alike === undefined || first === undefined) return null
  const times = alike.map(({ createdAt }) => createdAt).sort((a, b) => a - b)
  const createdAt = times[Math.floor((times.length - 1) / 2)] as number
  const isCommon = (path: readonly number[]): boolean =>
    alike.filter(({ children }) => children.some((one) => one.join() === path.join())).length >=
    need
  const { accountId, state, label, custody } = first
  const common = [...new Map(alike.flatMap((r) => r.children).map((p) => [p.join(), p])).values()]
  return { accountId, state, label, custody, createdAt, children: common.filter(isCommon) }
}
