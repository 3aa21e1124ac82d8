import { commitmentList, prepareBody } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { frost, messageCodec } from "@lockkeeper/protocols"
import { sharesOf } from "./generations.ts"
import { MAX_POOLED, MAX_POOLED_KEYS } from "./limits.ts"
import type { Principal } from "./principal.ts"
import type { SignOrder } from "./signing-attempt.ts"

/**
 * Nonce commitments that servers handed out and nobody has used, so that a signature takes one round
 * trip, by `sharesOf` the key. Public values; each is used once. Bounded: the key used longest ago makes
 * room.
 */
export class CommitmentPool {
  readonly #byKey = new Map<string, Map<Identifier, frost.OpenedCommitment[]>>()

  /** Removes and gives one, or null. */
  take(shares: Bytes, server: Identifier): frost.OpenedCommitment | null {
    return this.#of(shares).get(server)?.shift() ?? null
  }

  put(shares: Bytes, server: Identifier, commitment: frost.OpenedCommitment): void {
    const byServer = this.#of(shares)
    const kept = byServer.get(server) ?? []
    if (kept.length < MAX_POOLED) kept.push(commitment)
    byServer.set(server, kept)
  }

  /** How many more are welcome. */
  room(shares: Bytes, server: Identifier): number {
    return MAX_POOLED - (this.#of(shares).get(server)?.length ?? 0)
  }

  /** Forgets a server's: it has restarted, and its nonces are gone. */
  drop(shares: Bytes, server: Identifier): void {
    this.#of(shares).delete(server)
  }

  clear(): void {
    this.#byKey.clear()
  }

  #of(shares: Bytes): Map<Identifier, frost.OpenedCommitment[]> {
    const id = toHex(shares)
    const found = this.#byKey.get(id) ?? new Map<Identifier, frost.OpenedCommitment[]>()
    this.#byKey.delete(id)
    this.#byKey.set(id, found)
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size <= MAX_POOLED_KEYS) break
      this.#byKey.delete(oldest)
    }
    return found
  }
}

/** Asks a server for one commitment and puts it into the pool. */
export async function fetchCommitment(
  principal: Principal,
  pool: CommitmentPool,
  order: SignOrder,
  server: Identifier,
): Promise<void> {
  const { keyId, keyEpoch } = order.key.certificate.public
  const body = encode(prepareBody, { keyId, keyEpoch, count: 1 })
  const request = principal.request("sign.prepare", [server], body)
  const none = new Uint8Array(0)
  const { output } = await principal.act(server, request, 1, none, order.signal)
  keepCommitments(principal, pool, order, server, decode(commitmentList, output))
}

/**
 * Checks commitments once, when they arrive, and keeps the good ones.
 *
 * @throws DecodeError on what is no message.
 */
export function keepCommitments(
  { servers }: Principal,
  pool: CommitmentPool,
  { key, incidents }: SignOrder,
  server: Identifier,
  encoded: readonly Bytes[],
): void {
  const { roster, verifyKeys } = servers.trust
  const { rosterEpoch } = roster
  const context = { public: key.certificate.public, verifyKeys, rosterEpoch }
  for (const bytes of encoded) {
    const opened = frost.openCommitment(decode(messageCodec, bytes), context)
    if (!opened.ok) incidents.aborted(opened.abort)
    else if (opened.value.commitment.identifier === server) {
      pool.put(sharesOf(key), server, opened.value)
    }
  }
}
