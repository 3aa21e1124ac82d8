import { type GroupName, hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  equalBytes,
  fixedBytes,
  list,
  numberMap,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { type AbortReason, abort, done, type Outcome } from "../outcome.ts"
import {
  compareGenerations,
  groupNameCodec,
  type Sharing,
  sharingCodec,
  sharingDigest,
} from "../sharing/sharing.ts"
import { continues } from "../sharing/sources.ts"
import { rootOf } from "../sharing/tree.ts"
import { LABELS } from "./labels.ts"
import { isDealer, isHolder, type ReshareParams } from "./params.ts"

/** One entry of a batch: a sharing as it is, and the generation that its new shares will be. */
export interface ReshareKey {
  readonly sharing: Sharing
  /** The next that no confirmation was ever given for: keyEpoch + 1 unless a try before this failed. */
  readonly toKeyEpoch: number
}

export const reshareKeyCodec: Codec<ReshareKey> = struct<ReshareKey>({
  sharing: sharingCodec,
  toKeyEpoch: u32,
})

/** A batch; it travels beside the parameters, which name it by its root. */
export const reshareKeysCodec: Codec<readonly ReshareKey[]> = list(reshareKeyCodec, 0xff)

/** What of an entry the outcome depends on; the old shares' images are behind a digest. */
export interface ReshareKeyHead {
  readonly id: Bytes
  readonly context: Bytes
  readonly group: GroupName
  readonly toKeyEpoch: number
  readonly verifyingKey: Bytes
  readonly shares: Bytes
}

/** Raw: an element of secp256k1 is longer by a byte. */
const rawElement = bytes(33)

export const reshareKeyHeadCodec: Codec<ReshareKeyHead> = struct<ReshareKeyHead>({
  id: fixedBytes(32),
  context: fixedBytes(32),
  group: groupNameCodec,
  toKeyEpoch: u32,
  verifyingKey: rawElement,
  shares: fixedBytes(32),
})

type OldShares = Pick<Sharing, "keyEpoch" | "rosterEpoch" | "minSigners" | "verifyingShares">

const oldSharesCodec: Codec<OldShares> = struct<OldShares>({
  keyEpoch: u32,
  rosterEpoch: u32,
  minSigners: u16,
  verifyingShares: numberMap(identifierCodec, rawElement, LIMITS.participants),
})

export function headOf({ sharing, toKeyEpoch }: ReshareKey): ReshareKeyHead {
  const { id, context, group, verifyingKey } = sharing
  const shares = hashValue(LABELS.shares, oldSharesCodec, sharing)
  return { id, context, group, toKeyEpoch, verifyingKey, shares }
}

export function headDigest(head: ReshareKeyHead): Bytes {
  return hashValue(LABELS.key, reshareKeyHeadCodec, head)
}

/** The leaf of one entry. */
export function keyDigest(key: ReshareKey): Bytes {
  return headDigest(headOf(key))
}

/** What `ReshareParams.keys` is of a batch. */
export function keysRoot(keys: readonly ReshareKey[]): Bytes {
  return rootOf(keys.map(keyDigest))
}

/** Refuses a batch that is not the one of the parameters, or whose entries do not fit them. */
export function checkKeys(params: ReshareParams, keys: readonly ReshareKey[]): Outcome<null> {
  if (keys.length !== params.groups.length) return abort("wrong-batch", { field: "keys" })
  if (!equalBytes(keysRoot(keys), params.keys)) return abort("wrong-batch", { field: "keys" })
  const ids = new Set<string>()
  for (const [index, key] of keys.entries()) {
    ids.add(key.sharing.id.join())
    const reason = misfit(params, index, key)
    if (reason) return abort(reason, { field: `keys.${index}` })
  }
  return ids.size === keys.length ? done(null) : abort("wrong-batch", { field: "keys" })
}

function misfit(params: ReshareParams, index: number, key: ReshareKey): AbortReason | null {
  const { sharing, toKeyEpoch } = key
  const { dealers, holders, kind, rosterEpoch } = params
  if (sharing.group !== params.groups[index]) return "wrong-batch"
  if (sharing.minSigners !== dealers.length) return "wrong-threshold"
  if (!dealers.every((dealer) => sharing.verifyingShares.has(dealer))) return "wrong-participants"
  if (toKeyEpoch <= sharing.keyEpoch) return "wrong-key-epoch"
  if (rosterEpoch < sharing.rosterEpoch) return "wrong-roster-epoch"
  if (kind === "reshare") return null
  const same =
    holders.length === sharing.verifyingShares.size &&
    holders.every((holder) => sharing.verifyingShares.has(holder))
  return same ? null : "wrong-participants"
}

/** What a participant knows of one entry before the run. */
export interface KnownSharing {
  readonly sharing: Sharing
  /** The highest generation it holds shares of or has ever confirmed, pending ones included. */
  readonly highestKeyEpoch: number
}

export interface UnfitKey {
  readonly index: number
  readonly reason: AbortReason
}

/**
 * The entries that this participant must not go on with. A dealer deals only what it holds itself, so
 * that it can vouch for the batch; whoever knows a key refuses another one under its id; and nobody
 * confirms a generation twice, or two coordinators could bring two sharings of it into force. A caller
 * that leaves these out can start again with the rest.
 *
 * @param known - one for each entry; null for a key that this participant has never held.
 */
export function unfitKeys(
  params: ReshareParams,
  keys: readonly ReshareKey[],
  identifier: Identifier,
  known: readonly (KnownSharing | null)[],
): readonly UnfitKey[] {
  if (known.length !== keys.length) throw new RangeError("what is known is not of this batch")
  return keys.flatMap((key, index) => {
    const reason = unfit(params, key, identifier, known[index] ?? null)
    return reason ? [{ index, reason }] : []
  })
}

function unfit(
  params: ReshareParams,
  { sharing, toKeyEpoch }: ReshareKey,
  identifier: Identifier,
  known: KnownSharing | null,
): AbortReason | null {
  if (isDealer(params, identifier)) {
    if (!known) return "wrong-key"
    if (known.sharing.keyEpoch !== sharing.keyEpoch) return "wrong-key-epoch"
  }
  if (!known) return null
  const next = { ...sharing, keyEpoch: toKeyEpoch, rosterEpoch: params.rosterEpoch }
  const later = continues(known.sharing, next)
  if (!later.ok) return later.abort.reason
  const same = compareGenerations(known.sharing, sharing) === 0
  if (same && !equalBytes(sharingDigest(known.sharing), sharingDigest(sharing))) {
    return "inconsistent-key"
  }
  const highest = Math.max(known.sharing.keyEpoch, known.highestKeyEpoch)
  return isHolder(params, identifier) && toKeyEpoch <= highest ? "wrong-key-epoch" : null
}

/** The first unfit entry as an abort, or nothing wrong. */
export function checkKnown(
  params: ReshareParams,
  keys: readonly ReshareKey[],
  identifier: Identifier,
  known: readonly (KnownSharing | null)[],
): Outcome<null> {
  const first = unfitKeys(params, keys, identifier, known)[0]
  return first ? abort(first.reason, { field: `keys.${first.index}` }) : done(null)
}
