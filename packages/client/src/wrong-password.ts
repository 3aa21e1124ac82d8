import { fewestSigners, LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Servers } from "./servers.ts"

/** A login whose password was wrong under a version that minSigners servers agree on. */
export interface WrongPassword {
  /** Those that agreed. */
  readonly agreed: ReadonlySet<Identifier>
  /** The latest version that any of them agreed on, as shown. */
  readonly version: number
  /** The version in force at each server that answered, as shown. */
  readonly shown: ReadonlyMap<Identifier, number>
  /** Who could have been asked. */
  readonly among: readonly Identifier[]
  readonly guessesRemaining: number
}

/**
 * Whether the others are enough to have another password in force. After a change that stopped half
 * way, servers that missed its end agree with each other as well as those that have it.
 */
export function othersCouldDiffer(
  { trust }: Servers,
  { agreed, among }: Pick<WrongPassword, "agreed" | "among">,
): boolean {
  return among.filter((id) => !agreed.has(id)).length >= fewestSigners(trust.roster)
}

/**
 * What to tell the owner: that the password is wrong, unless somebody shows a later one that enough
 * servers may have in force.
 */
export function wrongPassword(servers: Servers, wrong: WrongPassword): LockKeeperError {
  const { version, shown, among, guessesRemaining } = wrong
  const later = among.filter((id) => (shown.get(id) ?? 0) > version)
  const unheard = among.filter((id) => !shown.has(id))
  const couldDiffer = later.length + unheard.length >= fewestSigners(servers.trust.roster)
  if (later.length > 0 && couldDiffer) return unfinishedChange(servers, later, unheard)
  return new LockKeeperError("wrong-password", "The name or the password is wrong.", {
    field: "password",
    guessesRemaining,
    remedy: remedyOf(guessesRemaining, couldDiffer ? named(servers, unheard) : ""),
  })
}

function remedyOf(guessesRemaining: number, unheard: string): string {
  if (guessesRemaining === 0) return "The account is locked for now; wait before you try again."
  if (unheard === "") return "Check both, and the keyboard's layout, and try again."
  return `Check both, and try again; if the password was just changed, when ${unheard} can be reached.`
}

function unfinishedChange(
  servers: Servers,
  later: readonly Identifier[],
  unheard: readonly Identifier[],
): LockKeeperError {
  const has = `${named(servers, later)} ${later.length === 1 ? "has" : "have"} a later password`
  const missing = unheard.length === 0 ? "" : `; ${named(servers, unheard)} gave no answer`
  return new LockKeeperError(
    "not-enough-servers",
    `The password is not the one from before a change that stopped half way: ${has} in force, which takes ${servers.minSigners} servers that agree${missing}.`,
    {
      server: unheard[0] ?? later[0] ?? 0,
      remedy:
        "Try again when all servers are up, or log in with the password from before the change.",
    },
  )
}

function named(servers: Servers, ids: readonly Identifier[]): string {
  return ids.map((id) => `"${servers.nameOf(id)}"`).join(", ")
}
