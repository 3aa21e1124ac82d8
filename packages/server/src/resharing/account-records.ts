import { holdersOf, identityKeys, MAX_NAME, type Roster } from "@lockkeeper/api"
import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  nullable,
  safeInteger,
  struct,
  text,
  u32,
} from "@lockkeeper/encoding"
import { opaque, type reshare, sharing } from "@lockkeeper/protocols"
import type { AccountRow } from "../account-row.ts"
import { putAccount, readAccount, readActiveAccount, wipeAccount } from "../accounts.ts"
import { countReachedBy, type Guesses, reachedBy, UNKNOWN_GUESSES_LENGTH } from "../guesses.ts"
import type { Change, Store } from "../ports/store.ts"
import { opaqueKeys, rosterAt, type ServerSelf } from "../self.ts"
import { sharingOfAccountRow } from "./accounts.ts"
import type { Told } from "./held.ts"
import { toldTime } from "./told-times.ts"

/** What a holder keeps of an account beside its share, for one that has none of it. */
export interface ToldAccount {
  readonly name: string
  /** By the holder's own clock: not the same everywhere. */
  readonly createdAt: number
  readonly registration: opaque.Registration
  readonly confirmations: opaque.Confirmations
  /** The server that the record was made for. */
  readonly home: Identifier
  readonly record: opaque.RegistrationRecord
  /** Guesses that the holder has given and not taken back. */
  readonly guessesTaken: number
  /** The same of unknown names, with the first account of a batch: see `Guesses.ofUnknownNames`. */
  readonly unknownNames: Bytes
  /** Digest of the charter in force, if the account has one: its text the owner brings. */
  readonly charter: Bytes | null
}

export const toldAccount: Codec<ToldAccount> = struct<ToldAccount>({
  name: text(MAX_NAME),
  createdAt: safeInteger,
  registration: opaque.registrationCodec,
  confirmations: opaque.confirmationsCodec,
  home: identifierCodec,
  record: opaque.registrationRecordCodec,
  guessesTaken: u32,
  unknownNames: bytes(UNKNOWN_GUESSES_LENGTH),
  charter: nullable(fixedBytes(32)),
})

/** What this server keeps of an account beside its share; null where nobody can log in to it here. */
export async function describeAccount(
  guesses: Pick<Guesses, "read" | "ofUnknownNames">,
  store: Store,
  id: Bytes,
  index = 0,
): Promise<Bytes | null> {
  const row = await readActiveAccount(store, id)
  if (row === null) return null
  const { active, name, createdAt, charter } = row.value
  const { registration, confirmations, home, record } = active
  const { counter } = await guesses.read(id, true)
  const unknownNames = index === 0 ? await guesses.ofUnknownNames() : new Uint8Array(0)
  const encoded =
    confirmations === null
      ? null
      : encode(toldAccount, {
          ...{ name, createdAt, registration, confirmations, home, record },
          ...{ guessesTaken: counter.taken, unknownNames, charter },
        })
  wipeAccount(row.value)
  return encoded
}

/**
 * What holders' words of an account come to. Each is believed of the record what every server of the
 * registration's roster has signed. Of guesses that were taken it is as many as `need` of them have
 * counted: a guess takes as many servers, fewer liars cannot lock the owner out, and an honest one is at
 * it or above. Where just `need` tell, one liar can lower it to nothing: so the more tell, the better.
 * Null where fewer than `need` can be believed, one of whom is honest.
 */
export function agreeOnAccount(
  self: ServerSelf,
  known: sharing.Sharing,
  told: Told,
  need: number,
): Bytes | null {
  const proven = [...told]
    .sort(([a], [b]) => a - b)
    .flatMap(([, encoded]) => {
      const record = toldOrNull(encoded)
      if (record === null) return []
      if (isProven(self, known, record)) return [record]
      record.record.maskingKey.wipe()
      return []
    })
  const [first] = proven
  const times = proven.map(({ createdAt }) => createdAt)
  const createdAt = toldTime(times, need)
  const taken = proven.map((one) => one.guessesTaken)
  const guessesTaken = countReachedBy(taken, need)
  const unknown = proven.map((one) => one.unknownNames)
  const unknownNames = reachedBy(unknown, need)
  const charter = charterOf(proven, need)
  const agreed =
    first !== undefined && createdAt !== null && charter !== undefined
      ? encode(toldAccount, { ...first, createdAt, guessesTaken, unknownNames, charter })
      : null
  for (const { record } of proven) record.maskingKey.wipe()
  return agreed
}

/** The charter that `need` of them tell alike; undefined where no such number does. */
function charterOf(told: readonly ToldAccount[], need: number): Bytes | null | undefined {
  const same = (a: Bytes | null, b: Bytes | null) =>
    a === null || b === null ? a === b : equalBytes(a, b)
  const agreed = told.find(
    ({ charter }) => told.filter((other) => same(charter, other.charter)).length >= need,
  )
  return agreed?.charter
}

function toldOrNull(encoded: Bytes): ToldAccount | null {
  try {
    return decode(toldAccount, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/**
 * Whether the owner registered this record, for the password that the sharing is of: that it is the one
 * in force is the dealers' word, who all vouch for the batch.
 */
function isProven(self: ServerSelf, known: sharing.Sharing, told: ToldAccount): boolean {
  const { registration } = told
  const roster = rosterAt(self, registration.rosterEpoch)
  if (roster === null || !equalBytes(opaque.accountIdOf(told.name), known.id)) return false
  if (!opaque.verifyMovedRecord(known.id, registeredUnder(roster), told).ok) return false
  const dealt = sharing.sharingOfAccount(registration, sharing.FIRST_KEY_EPOCH)
  return (
    equalBytes(dealt.context, known.context) && equalBytes(dealt.verifyingKey, known.verifyingKey)
  )
}

/** Those that a roster has accounts dealt to: all of them have signed each registration. */
function registeredUnder(roster: Roster): opaque.RegisteredUnder {
  const { rosterEpoch, minSigners } = roster
  const keys = identityKeys(roster)
  const holders = holdersOf(roster).map(({ identifier }) => identifier)
  const verifyKeys = new Map(holders.map((id) => [id, keys.get(id) as Bytes]))
  return { rosterEpoch, minSigners, servers: opaqueKeys(roster), verifyKeys }
}

/**
 * The changes that put an account where none can log in, with a share of its own, and with as many
 * guesses taken as its other holders agree on, or as this server has counted itself.
 *
 * @param record - what `agreeOnAccount` made of the tellings.
 */
export async function joinAccount(
  { self, guesses }: { readonly self: ServerSelf; readonly guesses: Guesses },
  store: Store,
  { sharing: later, vector, share, certificate }: reshare.ResharedShare,
  record: Bytes,
): Promise<readonly Change[]> {
  const { name, createdAt, guessesTaken, unknownNames, charter, ...moved } = decode(
    toldAccount,
    record,
  )
  const accountId = later.id
  const row = await readAccount(store, accountId)
  const generation = { sharing: later, vector }
  const taken = sharing.accountMovedTo(self.identifier, moved, share, generation)
  if (row !== null) wipeAccount(row.value)
  if (!taken.ok || (row !== null && row.value.active !== null)) return []
  const joined: AccountRow = {
    ...{ accountId, name, createdAt, charter },
    ...{ previous: null, pending: null, pendingSince: 0, left: null },
    active: { ...taken.value, oprf: { ...generation, certificate } },
  }
  const put = putAccount(joined, row?.version ?? "absent")
  moved.record.maskingKey.wipe()
  const guess = await guesses.read(accountId, true)
  const { limit } = guess.counter
  const most = Math.min(limit, Math.max(guess.counter.taken, guessesTaken))
  const counts = await guesses.putTold(unknownNames)
  return [put, guesses.put(guess, { limit, taken: most }), ...counts]
}

/**
 * The changes that destroy a share and record whose account has moved to other servers: all that stays is
 * whose it is, for as long as keys of the same owner may be here.
 */
export async function leaveAccount(
  store: Store,
  id: Bytes,
  { sharing: later }: reshare.ReshareCertificate,
): Promise<readonly Change[]> {
  const row = await readActiveAccount(store, id)
  if (row === null) return []
  const { owner, ...account } = row.value
  const held = sharingOfAccountRow(account)
  wipeAccount(account)
  if (held === null || !sharing.continues(held, later).ok) return []
  const { accountId, name, createdAt, charter } = account
  const { signingPublicKey, opaqueVersion } = owner
  const gone: AccountRow = {
    ...{ accountId, name, createdAt, charter, active: null, previous: null, pending: null },
    ...{ pendingSince: 0, left: { signingPublicKey, opaqueVersion } },
  }
  return [putAccount(gone, row.version)]
}
