import { join } from "node:path"
import { decodeRoster } from "@lockkeeper/api"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import { keepNextChannel } from "./channel-key.ts"
import { type Descriptor, readDescriptor, writeDescriptor } from "./descriptor.ts"
import { FILES } from "./layout.ts"
import { readChecked, writeOwnerOnly } from "./owner-only.ts"
import { ownMember, readInstalledRosterOrNone } from "./roster.ts"
import type { Unsealed } from "./unseal.ts"

const MAX_DESCRIPTOR = 16_384

/**
 * Makes a channel key for the next roster, beside the one in use, and writes the descriptor with it. One
 * that waits already is told again: a roster that lists it may be on its way.
 *
 * @returns the descriptor.
 */
export async function rotateChannelKey(
  unsealed: Unsealed,
  randomness: Randomness,
): Promise<Descriptor> {
  const { directory, secrets, store } = unsealed
  const place = await placeOf(unsealed)
  let pair = unsealed.nextChannel
  if (pair === null) {
    pair = await keepNextChannel(store, randomness)
    unsealed.awaitChannel(pair)
  }
  const descriptor: Descriptor = {
    ...place,
    identityKey: secrets.identity.publicKey,
    channelKey: pair.publicKey,
    opaqueKey: secrets.keyExchange.publicKey,
  }
  const written = writeDescriptor(descriptor, secrets.identity)
  writeOwnerOnly(join(directory, FILES.descriptor), utf8(written))
  return descriptor
}

type Place = Pick<Descriptor, "name" | "url" | "operator" | "cloud" | "jurisdiction">

/** As its roster has it, where it may have been moved since its descriptor was written. */
async function placeOf(unsealed: Unsealed): Promise<Place> {
  const installed = await readInstalledRosterOrNone(unsealed)
  installed?.enumerationSeed.wipe()
  const { name, url, operator, cloud, jurisdiction } =
    installed === null
      ? readDescriptor(new TextDecoder().decode(descriptorFile(unsealed)))
      : ownMember(unsealed, decodeRoster(installed.signed.roster))
  return { name, url, operator, cloud, jurisdiction }
}

function descriptorFile({ directory }: Unsealed): Bytes {
  return readChecked(join(directory, FILES.descriptor), "descriptor", "public", MAX_DESCRIPTOR)
}
