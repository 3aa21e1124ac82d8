import { DEFAULT_STRETCHING, LockKeeperError, MAX_CLOCK_SKEW_MS, openRoster } from "@lockkeeper/api"
import type { Secret } from "@lockkeeper/crypto"
import { channelSecretFor } from "./directory/channel-key.ts"
import { ownMember, readInstalledRoster } from "./directory/roster.ts"
import type { Unsealed } from "./directory/unseal.ts"
import type { ServerSelf } from "./self.ts"

/** What the server is under the roster that it follows. @throws LockKeeperError `misconfigured` */
export async function assembleSelf(unsealed: Unsealed): Promise<ServerSelf> {
  const { signed, before, enumerationSeed } = await readInstalledRoster(unsealed)
  const roster = openRoster(signed)
  const member = ownMember(unsealed, roster)
  const { identifier } = member
  const { identity, keyExchange } = unsealed.secrets
  const channelSecret = channelSecretFor(unsealed, member) as Secret
  const { rosterEpoch, minSigners } = roster
  return {
    identifier,
    roster,
    signedRoster: signed,
    rostersBefore: before,
    identity,
    channelSecret,
    loginServer: {
      identifier,
      rosterEpoch,
      minSigners,
      ake: keyExchange,
      signer: identity,
      fakes: { seed: enumerationSeed },
      stretching: DEFAULT_STRETCHING,
    },
  }
}

/** Refuses a clock that contradicts what this server or its roster have already seen. */
export async function checkClock(
  { store }: Pick<Unsealed, "store">,
  { roster }: Pick<ServerSelf, "roster">,
  now: number,
): Promise<void> {
  const refuse = (what: string): never => {
    throw new LockKeeperError("misconfigured", `This machine's clock is behind ${what}.`, {
      field: "clock",
      remedy: "Set the clock, with NTP for instance, then start again.",
    })
  }
  if (now + MAX_CLOCK_SKEW_MS < roster.createdAt) refuse("the roster's making")
  const position = await store.logPosition()
  if (position === null) return
  const [last] = await store.entries(position.index, 1)
  if (last !== undefined && now + MAX_CLOCK_SKEW_MS < last.time) refuse("its own last log entry")
}
