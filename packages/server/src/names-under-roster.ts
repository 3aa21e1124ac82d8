import {
  decodeRoster,
  isLeaving,
  LAST_ACCOUNT_ID,
  LockKeeperError,
  ON_THEIR_WAY,
  type Roster,
} from "@lockkeeper/api"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { decoyIsStored } from "./decoy-account.ts"
import type { Dependencies } from "./ports/dependencies.ts"
import type { ServerSelf } from "./self.ts"
import {
  FIRST_GENERATION,
  type NameRange,
  putUnknownNames,
  rangeOf,
  readNamesOrNull,
  readUnknownNames,
  type UnknownNames,
} from "./unknown-names.ts"

/** Whether a server comes to a roster with what it holds of accounts under the one before. */
export type Arrival = "first" | "joins" | "stays"

/**
 * What names pretend to be at a server that begins to follow a roster. Under one in transition what was
 * settled has yet to move, and who joins answers for nothing until it has. The settled roster after it
 * says that everything has: at a server that has followed both.
 */
export function namesUnder(
  roster: Roster,
  before: UnknownNames | null,
  arrival: Arrival,
): UnknownNames {
  const { rosterEpoch, minSigners, transition } = roster
  const whole = { to: LAST_ACCOUNT_ID, generation: FIRST_GENERATION, minSigners }
  if (arrival === "first") return { rosterEpoch, ranges: [{ ...whole, standing: "settled" }] }
  const stays = before ?? { rosterEpoch: 0, ranges: [{ ...whole, standing: "settled" } as const] }
  if (arrival === "joins" && stays.rosterEpoch < rosterEpoch) {
    return { rosterEpoch, ranges: [{ ...whole, standing: "awaited" }] }
  }
  if (stays.rosterEpoch >= rosterEpoch) return stays
  // Rows of before say no threshold: nobody had two.
  const held = transition?.minSignersBefore ?? minSigners
  // Some accounts came here, so that others are elsewhere where none did.
  const isPartial = stays.ranges.some(({ standing }) => standing === "settled")
  const ranges = stays.ranges.map((range): NameRange => {
    const known = stays.rosterEpoch === 0 ? { ...range, minSigners: held } : range
    if (transition === null) {
      const isMissed = isPartial && known.standing === "awaited"
      return stays.rosterEpoch === rosterEpoch - 1 && !isMissed ? settled(roster, known) : known
    }
    return known.standing === "settled" ? { ...known, standing: "moving" } : known
  })
  return { rosterEpoch, ranges }
}

/**
 * Where no account has moved there was none: such names change now, at every server, to one generation.
 */
function settled({ minSigners, createdAt }: Roster, range: NameRange): NameRange {
  const { generation, standing } = range
  if (standing === "settled") return { ...range, minSigners }
  const latest = Math.max(generation, Math.floor(createdAt / 1000))
  return { ...range, minSigners, generation: latest, standing: "settled" }
}

/** To be called at each start, before the first request. */
export async function adoptRoster(
  self: ServerSelf,
  { store }: Pick<Dependencies, "store">,
): Promise<void> {
  const read = await readNamesOrNull(store)
  const isFresh = read === null && !(await decoyIsStored(store))
  const names = namesUnder(self.roster, read?.value ?? null, arrivalOf(self, isFresh))
  if (read !== null && read.value === names) return
  await store.commit([putUnknownNames(names, read?.version ?? "absent")])
}

function arrivalOf({ roster, rostersBefore, identity }: ServerSelf, isFresh: boolean): Arrival {
  if (isFresh) return roster.rosterEpoch === 1 ? "first" : "joins"
  const last = rostersBefore.at(-1)
  if (last === undefined) return "stays"
  const { members } = decodeRoster(last.roster)
  const was = members.some((one) => equalBytes(one.identityKey, identity.publicKey))
  return was ? "stays" : "joins"
}

/** What becomes of a range at this server where its accounts go to the roster's holders. */
export function movedHere({
  roster,
  identifier,
}: ServerSelf): Omit<NameRange, "to" | "generation"> {
  const { minSigners } = roster
  return { minSigners, standing: isLeaving(roster, identifier) ? "gone" : "settled" }
}

/**
 * Refuses a login where this server does not answer for the range that the name is in: whether or not
 * there is such an account.
 *
 * @throws LockKeeperError `unavailable`
 */
export function checkAnswers(names: UnknownNames, accountId: Bytes): NameRange {
  const range = rangeOf(names, accountId)
  if (answersFor(range)) return range
  throw new LockKeeperError("unavailable", "This server does not answer for these names now.", {
    field: ON_THEIR_WAY,
    remedy: "Ask the others; accounts are on their way to other servers, which takes minutes.",
  })
}

function answersFor({ standing }: NameRange): boolean {
  return standing === "settled" || standing === "moving"
}

/**
 * Refuses what deals an account anew where others of its range have yet to move: it would show by its
 * other holders.
 *
 * @throws LockKeeperError `unavailable`
 */
export async function checkSettled(
  { store }: Pick<Dependencies, "store">,
  accountId: Bytes,
): Promise<void> {
  const { value: names } = await readUnknownNames(store)
  if (rangeOf(names, accountId).standing === "settled") return
  throw new LockKeeperError("unavailable", "Accounts of these names are on their way.", {
    field: ON_THEIR_WAY,
    remedy: "Try again in some minutes; the operators move accounts with `lockkeeper reshare`.",
  })
}
