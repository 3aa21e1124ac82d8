import { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { opaque, sharing as sharings } from "@lockkeeper/protocols"
import type { AccountGeneration } from "./account-row.ts"
import { type ActiveAccount, activeOf, decodeAccount, encodeAccount } from "./accounts.ts"
import type { Dependencies, Randomness } from "./ports/dependencies.ts"
import type { Store } from "./ports/store.ts"
import { opaqueKeys, rosterBinding, type ServerSelf } from "./self.ts"
import { isAnyMoved, readUnknownNames } from "./unknown-names.ts"

/** Other ids are hex, so no name's account can be there. */
export const DECOY_ID = "decoy"

const PLACE = { table: "accounts", id: DECOY_ID } as const

/** Whether that row of the table is no account's. */
export function isDecoy(id: string): boolean {
  return id === PLACE.id
}

/** Stores an account that nobody has, of this roster's shape and, if any were refreshed, of theirs. */
export async function storeDecoy(self: ServerSelf, { store, randomness }: Dependencies) {
  const before = await store.read(PLACE.table, PLACE.id)
  const accountId = randomness.bytes(32)
  const record = opaque.asRegistered(decoyRecord(self, accountId, randomness))
  const { value: unknown } = await readUnknownNames(store)
  const oprf = isAnyMoved(unknown) ? decoyGeneration(self, record, randomness) : null
  const active = { ...record, oprf }
  const none = { previous: null, pending: null, left: null, charter: null }
  const rest = { createdAt: 0, pendingSince: 0, ...none }
  const value = encodeAccount({ accountId, name: PLACE.id, active, ...rest })
  await store.commit([{ kind: "put", ...PLACE, ifVersion: before?.version ?? "absent", value }])
}

/** Whether this store has served before. */
export async function decoyIsStored(store: Store): Promise<boolean> {
  return (await store.read(PLACE.table, PLACE.id)) !== null
}

/**
 * Reads the decoy in place of the account that a name does not have, so that the time which reading
 * and checking takes does not tell who exists.
 */
export async function readDecoy(store: Store): Promise<ActiveAccount> {
  const row = await store.read(PLACE.table, PLACE.id)
  const decoy = row === null ? null : activeOf(decodeAccount(row.value))
  if (decoy === null) throw new Error("the server was not started")
  return decoy
}

/** Stores it anew where accounts have been refreshed since: theirs are longer, and take longer. */
export async function renewDecoy(self: ServerSelf, deps: Dependencies): Promise<void> {
  const { active } = await readDecoy(deps.store)
  const { value: unknown } = await readUnknownNames(deps.store)
  if (active.oprf === null && isAnyMoved(unknown)) await storeDecoy(self, deps)
}

/** As long as the generation of an account of a batch of a hundred or so. */
function decoyGeneration(
  { roster }: ServerSelf,
  record: opaque.AccountRecord,
  randomness: Randomness,
): AccountGeneration {
  const { members, rosterEpoch, minSigners } = roster
  const vector = record.registration.vector.map(() => randomness.bytes(32))
  const each = (length: number) =>
    new Map(members.map(({ identifier }) => [identifier, randomness.bytes(length)]))
  const sharing = {
    ...sharings.sharingOfAccount(record.registration, 2),
    ...{ rosterEpoch, minSigners, verifyingShares: each(32) },
  }
  const path = Array.from({ length: 7 }, () => randomness.bytes(32))
  const certificate = { sharing, index: 0, size: 100, path, confirmations: each(64) }
  return { sharing, vector, certificate }
}

function decoyRecord(
  self: ServerSelf,
  accountId: Bytes,
  randomness: Randomness,
): opaque.AccountRecord {
  const { rosterEpoch, minSigners, members } = self.roster
  const plan: opaque.RegistrationPlan = {
    accountId,
    binding: rosterBinding(self, accountId),
    opaqueVersion: 1,
    rosterEpoch,
    minSigners,
    // With this server too, where it leaves.
    servers: opaqueKeys(self.roster, self.roster.members),
    stretching: self.loginServer.stretching,
  }
  using password = new Secret(randomness.bytes(32))
  using storageKey = new Secret(randomness.bytes(32))
  using signingSeed = new Secret(randomness.bytes(32))
  const start = randomness.bytes(opaque.registrationStartRandomnessLength(minSigners))
  const { state, toStretch } = opaque.startRegistration(plan, password, start)
  const finish = randomness.bytes(opaque.REGISTRATION_FINISH_RANDOMNESS_LENGTH)
  const keys = { storageKey, signingSeed }
  const { dealings } = opaque.finishRegistration(state, toStretch, keys, finish)
  const confirmations = new Map(members.map((m) => [m.identifier, randomness.bytes(64)]))
  return { ...(dealings.get(self.identifier) as opaque.AccountDealing), confirmations }
}
