import {
  type Bytes,
  type Codec,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  u8,
  u32,
} from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"

/**
 * What servers hold shares of. Never mixed: anyone can choose a key id that is some account's id, so
 * that an id alone names neither.
 */
export const SHARING_KINDS = ["keys", "accounts"] as const
export type SharingKind = (typeof SHARING_KINDS)[number]

/** Most sharings on one page. */
export const MAX_SHARINGS_PAGE = 64

/** Body of `sharings.list`, which takes no step input. */
export interface ListSharingsBody {
  readonly kind: SharingKind
  /** Only those after this id, or null from the start. */
  readonly after: Bytes | null
  /** 1 to `MAX_SHARINGS_PAGE`. */
  readonly limit: number
}

export const listSharingsBody: Codec<ListSharingsBody> = struct<ListSharingsBody>({
  kind: oneOf(...SHARING_KINDS),
  after: nullable(fixedBytes(32)),
  limit: u8,
})

/** One sharing as a server that holds a share of it knows it; nothing of it is secret. */
export interface SharingListing {
  readonly sharing: sharing.Sharing
  /** The latest generation that the server held or confirmed, which may be ahead of what it holds. */
  readonly highestKeyEpoch: number
  /** 32 bytes: the run whose outcome the server has confirmed and not yet heard of; or null. */
  readonly pendingRun: Bytes | null
  /** 32 bytes: the run that gave the server its share; null for one as it was generated. */
  readonly activeRun: Bytes | null
  /** When the share came into force there or was generated, milliseconds since the Unix epoch. */
  readonly activatedAt: number
}

export const sharingListing: Codec<SharingListing> = struct<SharingListing>({
  sharing: sharing.sharingCodec,
  highestKeyEpoch: u32,
  pendingRun: nullable(fixedBytes(32)),
  activeRun: nullable(fixedBytes(32)),
  activatedAt: safeInteger,
})

/** Answer to `sharings.list`, in the order of ids. */
export interface SharingsPage {
  /** May be fewer than were asked for, though more follow. */
  readonly sharings: readonly SharingListing[]
  /** What to ask for after, or null where the list ends. */
  readonly next: Bytes | null
}

export const sharingsPage: Codec<SharingsPage> = struct<SharingsPage>({
  sharings: list(sharingListing, MAX_SHARINGS_PAGE),
  next: nullable(fixedBytes(32)),
})
