import { LockKeeperError } from "@lockkeeper/api"
import { fromHex, toHex } from "@lockkeeper/encoding"
import type { KeyView, OwnerSession } from "./owner.ts"

/** Fewest digits of a key id that may stand for it. */
const MIN_PREFIX = 4

/**
 * The key that a person means: by whole id, by the unambiguous start of one, or by label.
 *
 * @throws LockKeeperError `not-found`, or `invalid-request` when several keys match.
 */
export async function findKey(
  session: OwnerSession,
  named: string,
  signal: AbortSignal,
): Promise<KeyView> {
  if (/^[0-9a-f]{64}$/.test(named)) return await session.showKey(fromHex(named), signal)
  const keys = await session.listKeys(signal)
  const isPrefix = named.length >= MIN_PREFIX && /^[0-9a-f]+$/.test(named)
  const byId = isPrefix ? keys.filter((key) => toHex(key.keyId).startsWith(named)) : []
  const found = byId.length > 0 ? byId : keys.filter((key) => key.label === named)
  const [key] = found
  if (key !== undefined && found.length === 1) return key
  if (key === undefined) {
    throw new LockKeeperError("not-found", `You have no key "${named}".`, {
      field: "key",
      remedy: "See `lockkeeper keys list`.",
    })
  }
  throw new LockKeeperError("invalid-request", `${found.length} keys match "${named}".`, {
    field: "key",
    remedy: "Write the first digits of its id, as `lockkeeper keys list` shows it.",
  })
}
