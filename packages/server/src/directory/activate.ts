import { type Roster, type RosterDifference, rosterDifference } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { outlookOf } from "./holdings.ts"
import { checkHasCome, checkMayGoOn, type GoOnOptions } from "./may-go-on.ts"
import { installRoster, type NextRoster, prepareRoster, prepareSettled } from "./roster.ts"
import { rosterBundleCodec } from "./roster-bundle.ts"
import type { Unsealed } from "./unseal.ts"

/** What a roster changed at the server that it was activated at; null for the server's first. */
export interface Activated {
  readonly roster: Roster
  readonly difference: RosterDifference | null
}

/**
 * Makes a stopped server go on under the next roster of a bundle, unless shares that it holds could not
 * be used under that one: those have to be dealt anew first, in transition.
 *
 * @throws LockKeeperError `conflict` then; as `installRoster`.
 */
export async function activateBundle(
  unsealed: Unsealed,
  bundle: Bytes,
  options: GoOnOptions = { isForced: false },
): Promise<Activated> {
  using next = await prepareRoster(unsealed, decode(rosterBundleCodec, bundle))
  return await take(unsealed, next, options)
}

/**
 * Makes a stopped server go on under the roster that ends the transition of its own.
 *
 * @param bundle - that holds it, where the server has not kept it.
 * @throws LockKeeperError `conflict` while shares have to move, and as `prepareSettled`.
 */
export async function settleStopped(
  unsealed: Unsealed,
  bundle: Bytes | null,
  options: GoOnOptions = { isForced: false },
): Promise<Activated> {
  const decoded = bundle === null ? null : decode(rosterBundleCodec, bundle)
  using next = await prepareSettled(unsealed, decoded)
  return await take(unsealed, next, options)
}

async function take(
  unsealed: Unsealed,
  next: NextRoster,
  options: GoOnOptions,
): Promise<Activated> {
  const { roster, before, followed, forgets, member } = next
  if (before !== null) {
    const step = { followed, before, roster, forgets }
    const outlook = await outlookOf(unsealed, step)
    checkMayGoOn(step, outlook, options)
    checkHasCome(step, member, outlook.held, options)
  }
  await next.commit()
  return { roster, difference: before === null ? null : rosterDifference(before, roster) }
}

/** Makes a stopped server follow the roster of a bundle. @throws LockKeeperError as `installRoster`. */
export async function installBundle(unsealed: Unsealed, bundle: Bytes): Promise<Roster> {
  return await installRoster(unsealed, decode(rosterBundleCodec, bundle))
}
