import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { frost } from "@lockkeeper/protocols"
import { MAX_POOLED, MAX_POOLED_KEYS } from "./limits.ts"

/**
 * Nonce commitments that servers handed out and nobody has used, so that a signature takes one round
 * trip. Public values; each is used once. Bounded: the key used longest ago makes room.
 */
export class CommitmentPool {
  readonly #byKey = new Map<string, Map<Identifier, frost.OpenedCommitment[]>>()

  /** Removes and gives one, or null. */
  take(keyId: Bytes, server: Identifier): frost.OpenedCommitment | null {
    return this.#of(keyId).get(server)?.shift() ?? null
  }

  put(keyId: Bytes, server: Identifier, commitment: frost.OpenedCommitment): void {
    const byServer = this.#of(keyId)
    const kept = byServer.get(server) ?? []
    if (kept.length < MAX_POOLED) kept.push(commitment)
    byServer.set(server, kept)
  }

  /** How many more are welcome. */
  room(keyId: Bytes, server: Identifier): number {
    return MAX_POOLED - (this.#of(keyId).get(server)?.length ?? 0)
  }

  /** Forgets a server's: it has restarted, and its nonces are gone. */
  drop(keyId: Bytes, server: Identifier): void {
    this.#of(keyId).delete(server)
  }

  clear(): void {
    this.#byKey.clear()
  }

  #of(keyId: Bytes): Map<Identifier, frost.OpenedCommitment[]> {
    const id = toHex(keyId)
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
