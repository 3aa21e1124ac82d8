import { MAX_PREPARED } from "@lockkeeper/api"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { frost, type KeyPackage, messageCodec } from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import type { OwnerStep } from "../request/step.ts"

/** Commitments of one step, with the changes that store their nonces. */
export interface FreshCommitments {
  /** Encoded commitment messages. */
  readonly messages: readonly Bytes[]
  readonly changes: readonly Change[]
  /** Makes them usable in this process; after the commit. */
  issue(): void
  /** Gives back the room they were to take; after the commit, whatever became of it. */
  release(): void
}

/** The row in which a commitment's nonces wait. */
export function nonceId(keyId: Bytes, commitmentId: Bytes): string {
  return `${toHex(keyId)}-${toHex(commitmentId)}`
}

/**
 * Makes `count` commitments of FROST round one for future signatures with this key. Where too many
 * are handed out and unused, the oldest make room: sessions that ended took theirs along.
 */
export function freshCommitments(
  step: OwnerStep,
  key: KeyPackage,
  count: number,
): FreshCommitments {
  const { self, deps, oneTime } = step
  const owner = toHex(key.public.keyId)
  const wanted = Math.min(count, MAX_PREPARED)
  const burnt = oneTime.makeRoom("nonces", owner, wanted)
  const room = oneTime.reserve("nonces", owner, wanted)
  const messages: Bytes[] = []
  // Nonces are written once, so their version is the first.
  const changes: Change[] = burnt.map((id) => ({ kind: "take", table: "nonces", id, version: 1 }))
  const ids: string[] = []
  for (let i = 0; i < room.count; i++) {
    const { state, message } = frost.commit({
      key,
      identity: self.identity,
      rosterEpoch: self.roster.rosterEpoch,
      randomness: deps.randomness.bytes(96),
    })
    const id = nonceId(key.public.keyId, state.commitmentId)
    const value = encode(frost.nonceStateCodec, state)
    changes.push({ kind: "put", table: "nonces", id, ifVersion: "absent", value })
    state.hiding.wipe()
    state.binding.wipe()
    messages.push(encode(messageCodec, message))
    ids.push(id)
  }
  return {
    messages,
    changes,
    issue: () => {
      const now = deps.clock.now()
      for (const id of ids) oneTime.issue("nonces", owner, id, now)
    },
    release: room.release,
  }
}
