import { LockKeeperError, type Member } from "@lockkeeper/api"
import { type Secret, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import type { Change, Store } from "../ports/store.ts"
import { withChannelSeed } from "./server-secrets.ts"
import type { Unsealed } from "./unseal.ts"

/** An X-Wing key pair that sessions are opened with. */
export interface ChannelPair {
  readonly secretKey: Secret
  readonly publicKey: Bytes
}

const WAITING = { table: "meta", id: "next-channel" } as const

const SEEDS = { table: "meta", id: "seeds" } as const

/** The pair that waits for a roster which lists it; null without one. */
export async function readNextChannel(store: Store): Promise<ChannelPair | null> {
  const row = await store.read(WAITING.table, WAITING.id)
  if (row === null) return null
  const pair = xwingKeyPair(row.value)
  row.value.fill(0)
  return pair
}

/** The secret key of the channel key that a roster lists for this server; null for another's. */
export function channelSecretFor(
  { secrets, nextChannel }: Pick<Unsealed, "secrets" | "nextChannel">,
  { channelKey }: Pick<Member, "channelKey">,
): Secret | null {
  if (equalBytes(channelKey, secrets.channelPublic)) return secrets.channelSecret
  const isNext = nextChannel !== null && equalBytes(channelKey, nextChannel.publicKey)
  return isNext ? nextChannel.secretKey : null
}

/** Keeps a pair until a roster lists it. */
export async function keepNextChannel(store: Store, randomness: Randomness): Promise<ChannelPair> {
  const value = randomness.bytes(32)
  const pair = xwingKeyPair(value)
  await store.commit([{ kind: "put", ...WAITING, ifVersion: "absent", value }])
  value.fill(0)
  return pair
}

/**
 * What it takes, in the commit of a roster, to go on with the channel key that it lists: the one that
 * waited comes in the place of the one in use, whose row is written over. Nothing where that stays.
 */
export async function takeUpChannel(
  { secrets, nextChannel, store }: Unsealed,
  { channelKey }: Pick<Member, "channelKey">,
): Promise<readonly Change[]> {
  if (nextChannel === null || equalBytes(channelKey, secrets.channelPublic)) return []
  const seeds = await store.read(SEEDS.table, SEEDS.id)
  const waiting = await store.read(WAITING.table, WAITING.id)
  if (seeds === null || waiting === null) {
    throw new LockKeeperError("misconfigured", "The server has lost a key of its own.", {
      field: "store.file",
      remedy: "Restore the directory from a backup.",
    })
  }
  const value = withChannelSeed(seeds.value, waiting.value)
  return [
    { kind: "put", ...SEEDS, ifVersion: seeds.version, value },
    { kind: "take", ...WAITING, version: waiting.version },
  ]
}
