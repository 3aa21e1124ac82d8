import {
  decodeRoster,
  encodeRosterChain,
  LockKeeperError,
  openChain,
  type Roster,
  type RosterChain,
  type RosterDifference,
  rosterDifference,
} from "@lockkeeper/api"
import type { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  type Argon2Cost,
  consentToRoster,
  type Descriptor,
  initialiseServer,
  installRoster,
  joinRoster,
  PassphraseSeal,
  readInstalledRosterOrNone,
  rosterBundleCodec,
  rosterSignatureCodec,
  type ServerPlace,
  strandedShares,
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

/** Runs `use` on the unsealed directory of a server that is not running, and seals it again. */
export async function withServer<T>(
  directory: string,
  passphrase: Secret,
  use: (unsealed: Unsealed) => Promise<T>,
): Promise<T> {
  const seal = new PassphraseSeal(passphrase, systemRandomness)
  try {
    const unsealed = await unsealServer(directory, seal, systemRandomness)
    try {
      return await use(unsealed)
    } finally {
      await unsealed.close()
    }
  } finally {
    await seal.close()
  }
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

/** What a roster changed at the server that it was activated at; null for the server's first. */
export interface Activated {
  readonly roster: Roster
  readonly difference: RosterDifference | null
}

/**
 * Makes the server go on under the next roster of a bundle, unless shares that it holds could not be
 * used under that one: those have to be dealt anew first, in transition.
 *
 * @throws LockKeeperError `conflict` then; as `installBundle`.
 */
export async function activateBundle(unsealed: Unsealed, bundle: Bytes): Promise<Activated> {
  const { chain } = decode(rosterBundleCodec, bundle)
  const current = await readInstalledRosterOrNone(unsealed)
  current?.enumerationSeed.wipe()
  if (current === null) return { roster: await installBundle(unsealed, bundle), difference: null }
  const next = openChain(chain).inForce.roster
  const difference = rosterDifference(decodeRoster(current.signed.roster), next)
  const stranded = await strandedShares(unsealed, next)
  if (stranded.keys + stranded.accounts > 0) {
    const what = `${stranded.keys} keys and ${stranded.accounts} accounts`
    throw new LockKeeperError(
      "conflict",
      `Under roster ${next.rosterEpoch} ${what} of this server could not be used.`,
      {
        field: "bundle",
        remedy:
          next.transition === null
            ? "Deal their shares anew first: `lockkeeper reshare` under a roster in transition."
            : "Keep more of their holders in the roster, or have lost ones repaired first.",
      },
    )
  }
  return { roster: await installBundle(unsealed, bundle), difference }
}

/** Makes the server follow the roster of a bundle. */
export async function installBundle(unsealed: Unsealed, bundle: Bytes): Promise<Roster> {
  return await installRoster(unsealed, decode(rosterBundleCodec, bundle))
}
