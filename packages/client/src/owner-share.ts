import { chacha20Poly1305, hkdfSha512Expand, hkdfSha512Extract, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  concat,
  constant,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  nullable,
  struct,
  u8,
  utf8,
} from "@lockkeeper/encoding"
import type { DeviceSecrets } from "./dependencies.ts"

/** Whose share of which key: a sealed share opens in no other place. */
export interface SharePlace {
  readonly accountId: Bytes
  readonly keyId: Bytes
}

/** An owner's share as servers keep it: under the storage key, and a device's secret unless it is null. */
interface SealedShare {
  readonly version: number
  /** Names the device's secret, and tells nothing of it; null where there is none. */
  readonly device: Bytes | null
  readonly salt: Bytes
  readonly sealed: Bytes
}

const VERSION = 1
const DEVICE_ID_LENGTH = 16
const SALT_LENGTH = 32

const sealedShare: Codec<SealedShare> = struct<SealedShare>({
  version: u8,
  device: nullable(fixedBytes(DEVICE_ID_LENGTH)),
  salt: fixedBytes(SALT_LENGTH),
  sealed: fixedBytes(32 + chacha20Poly1305.tagLength),
})

type Bound = Omit<SealedShare, "sealed"> & SharePlace & { readonly label: null }

const boundCodec: Codec<Bound> = struct<Bound>({
  label: constant(utf8("lockkeeper/owner-share/v1")),
  version: u8,
  device: nullable(fixedBytes(DEVICE_ID_LENGTH)),
  salt: fixedBytes(SALT_LENGTH),
  accountId: fixedBytes(32),
  keyId: fixedBytes(32),
})

const DEVICE_NAME = utf8("lockkeeper/device-secret/v1/name")

/** Why a sealed share does not open. */
export type Unopened = "malformed" | "no-device-secret" | "other-device-secret" | "altered"

export interface Sealing {
  readonly place: SharePlace
  readonly storageKey: Secret
  /** Null seals under the storage key alone: then t servers can test passwords against it. */
  readonly devices: DeviceSecrets | null
}

/**
 * Seals an owner's share. The storage key outlives password changes, so nothing is to be sealed again
 * after one.
 *
 * @param salt - 32 fresh uniform bytes, never used again: with them no two seals have one key.
 */
export async function sealOwnerShare(
  { place, storageKey, devices }: Sealing,
  share: Secret,
  salt: Bytes,
): Promise<Bytes> {
  const { accountId } = place
  const named = await devices?.deriveOrMake(accountId, DEVICE_NAME)
  const device = named?.expose().slice(0, DEVICE_ID_LENGTH) ?? null
  named?.wipe()
  const bound: Bound = { label: null, version: VERSION, device, salt, ...place }
  const context = encode(boundCodec, bound)
  using own = (await devices?.deriveOrMake(accountId, context)) ?? nothing()
  using key = keyFrom(storageKey, own, context)
  const sealed = chacha20Poly1305.seal(key.expose(), NONCE, context, share.expose())
  return encode(sealedShare, { version: VERSION, device, salt, sealed })
}

/** The share, or why it does not open. The caller checks that it is the key's, and wipes it. */
export async function openOwnerShare(
  { place, storageKey, devices }: Sealing & { readonly devices: DeviceSecrets },
  encoded: Bytes,
): Promise<Secret | Unopened> {
  const decoded = decodeOrNull(encoded)
  if (decoded === null || decoded.version !== VERSION) return "malformed"
  const { version, device, salt, sealed } = decoded
  const context = encode(boundCodec, { label: null, version, device, salt, ...place })
  using own = device === null ? nothing() : await devices.derive(place.accountId, context)
  if (own === null) return "no-device-secret"
  if (device !== null && !(await isNamed(devices, place, device))) return "other-device-secret"
  using key = keyFrom(storageKey, own, context)
  const share = chacha20Poly1305.open(key.expose(), NONCE, context, sealed)
  return share === null ? "altered" : new Secret(share)
}

async function isNamed(
  devices: DeviceSecrets,
  { accountId }: SharePlace,
  device: Bytes,
): Promise<boolean> {
  using named = await devices.derive(accountId, DEVICE_NAME)
  return named !== null && equalBytes(named.expose().slice(0, DEVICE_ID_LENGTH), device)
}

/** Each key seals one share: its salt is in the context. */
const NONCE = new Uint8Array(chacha20Poly1305.nonceLength)

function nothing(): Secret {
  return new Secret(new Uint8Array(0))
}

function keyFrom(storageKey: Secret, device: Secret, context: Bytes): Secret {
  const input = concat(storageKey.expose(), device.expose())
  const extracted = hkdfSha512Extract(utf8("lockkeeper/owner-share/v1"), input)
  const key = hkdfSha512Expand(extracted, context, chacha20Poly1305.keyLength)
  input.fill(0)
  extracted.fill(0)
  return new Secret(key)
}

function decodeOrNull(encoded: Bytes): SealedShare | null {
  try {
    return decode(sealedShare, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
