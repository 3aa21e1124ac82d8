import {
  decodeRoster,
  encodeRosterChain,
  type RosterChain,
  rosterDifference,
} from "@lockkeeper/api"
import type { Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  decode,
  encode,
  fromBase64url,
  fromHex,
  toBase64url,
} from "@lockkeeper/encoding"
import {
  type Activated,
  type Argon2Cost,
  askServer,
  checkOwnerOnlyDirectory,
  consentToRoster,
  type Descriptor,
  type GoOnOptions,
  holdDirectory,
  initialiseServer,
  joinRoster,
  PassphraseSeal,
  rosterBundleCodec,
  rosterSignatureCodec,
  rotateChannelKey,
  type ServerPlace,
  systemRandomness,
  type Unsealed,
  unsealServer,
} from "@lockkeeper/server"

/** Makes a key server's directory. @param cost - of a guess at the passphrase, or the default. */
export async function initialise(
  directory: string,
  place: ServerPlace,
  passphrase: Secret,
  cost?: Argon2Cost,
): Promise<Descriptor> {
  const seal = new PassphraseSeal(passphrase, systemRandomness, cost)
  try {
    return await initialiseServer({ directory, place, seal, randomness: systemRandomness })
  } finally {
    await seal.close()
  }
}

/**
 * Runs `use` on the unsealed directory of a server that is not running, and seals it again.
 *
 * @throws LockKeeperError `misconfigured` while a process runs it.
 */
export async function withServer<T>(
  directory: string,
  passphrase: Secret,
  use: (unsealed: Unsealed) => Promise<T>,
): Promise<T> {
  const seal = new PassphraseSeal(passphrase, systemRandomness)
  try {
    checkOwnerOnlyDirectory(directory, "directory")
    const letGo = holdDirectory(directory)
    try {
      const unsealed = await unsealServer(directory, seal, systemRandomness)
      try {
        return await use(unsealed)
      } finally {
        await unsealed.close()
      }
    } finally {
      letGo()
    }
  } finally {
    await seal.close()
  }
}

/** What a roster changed at a server that goes on under it; null for the server's first. */
export type RosterTaken = Activated

/** Has the server that runs over a directory go on under the next roster of a bundle. */
export async function activateRunning(
  directory: string,
  bundle: Bytes,
  options: GoOnOptions,
): Promise<RosterTaken> {
  const given = toBase64url(bundle)
  const request = { command: "roster.activate", bundle: given, ...options } as const
  return takenOf(await askServer(directory, request, "activated"))
}

/** Has the server that runs over a directory go on under the roster that settles its own. */
export async function settleRunning(
  directory: string,
  bundle: Bytes | null,
  options: GoOnOptions = { isForced: false },
): Promise<RosterTaken> {
  const given = bundle === null ? null : toBase64url(bundle)
  const request = { command: "roster.settle", bundle: given, ...options } as const
  return takenOf(await askServer(directory, request, "activated"))
}

function takenOf(answer: { readonly before: string; readonly roster: string }): RosterTaken {
  const before = decodeRoster(fromHex(answer.before))
  const roster = decodeRoster(fromHex(answer.roster))
  return { roster, difference: rosterDifference(before, roster) }
}

/**
 * Has a server make a channel key for the next roster.
 *
 * @param passphrase - of one that is stopped; null for one that runs.
 * @returns the key.
 */
export async function rotateIn(directory: string, passphrase: Secret | null): Promise<Bytes> {
  if (passphrase === null) {
    const request = { command: "roster.rotate-channel-key" } as const
    return fromBase64url((await askServer(directory, request, "rotated")).channelKey)
  }
  return await withServer(directory, passphrase, async (unsealed) => {
    return (await rotateChannelKey(unsealed, systemRandomness)).channelKey
  })
}

/** A member's signature file for a roster. @param passphrase - null for a server that runs. */
export function signIn(
  directory: string,
  passphrase: Secret | null,
  roster: Bytes,
): Promise<Bytes> {
  if (passphrase === null) return signRosterRunning(directory, roster)
  return withServer(directory, passphrase, (unsealed) => signRosterFile(unsealed, roster))
}

/** A member's signature file for a roster, of the server that runs over a directory. */
async function signRosterRunning(directory: string, roster: Bytes): Promise<Bytes> {
  const request = { command: "roster.consent", roster: toBase64url(roster) } as const
  return fromHex((await askServer(directory, request, "consented")).signature)
}

/** A member's signature file for a roster, with its sealed parts of the roster-wide seed. */
export async function signRosterFile(unsealed: Unsealed, roster: Bytes): Promise<Bytes> {
  const consent = await consentToRoster(unsealed, roster, systemRandomness)
  return encode(rosterSignatureCodec, consent)
}

/**
 * What clients take and what every member installs, from the signature files.
 *
 * @param before - the chain that the roster is the next one of, null for the first.
 */
export function joinSignatures(
  files: readonly Bytes[],
  before: RosterChain | null,
): { readonly chain: Bytes; readonly bundle: Bytes } {
  const joined = joinRoster(
    files.map((file) => decode(rosterSignatureCodec, file)),
    before,
  )
  return {
    chain: encodeRosterChain(joined.chain),
    bundle: encode(rosterBundleCodec, joined),
  }
}
