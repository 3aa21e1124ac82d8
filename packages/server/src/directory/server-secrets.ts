import { Secret, type SigningKey, signingKeyFromSeed, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode, fixedBytes, struct } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { Randomness } from "../ports/dependencies.ts"

/** What a server is made of, before any roster: its keys are derived from these. */
interface ServerSeeds {
  /** Ed25519 seed of the identity key. */
  readonly identity: Bytes
  /** X-Wing seed of the static channel key. */
  readonly channel: Bytes
  /** Seed of OPAQUE's long-term key pair. */
  readonly opaque: Bytes
  /** This server's part of the seed from which unknown names are answered. */
  readonly enumeration: Bytes
}

const seedsCodec: Codec<ServerSeeds> = struct<ServerSeeds>({
  identity: fixedBytes(32),
  channel: fixedBytes(32),
  opaque: fixedBytes(32),
  enumeration: fixedBytes(32),
})

/** A server's long-term keys, in memory. */
export interface ServerSecrets {
  readonly identity: SigningKey
  readonly channelSecret: Secret
  readonly channelPublic: Bytes
  readonly keyExchange: opaque.LoginServer["ake"]
  readonly enumerationShare: Secret
}

/** Fresh seeds, encoded for the sealed store. */
export function generateSeeds(randomness: Randomness): Bytes {
  const seeds: ServerSeeds = {
    identity: randomness.bytes(32),
    channel: randomness.bytes(32),
    opaque: randomness.bytes(32),
    enumeration: randomness.bytes(32),
  }
  const encoded = encode(seedsCodec, seeds)
  for (const seed of Object.values(seeds)) seed.fill(0)
  return encoded
}

/** Encoded seeds with another one of the channel key. What is given is wiped. */
export function withChannelSeed(encoded: Bytes, channel: Bytes): Bytes {
  const seeds = decode(seedsCodec, encoded)
  encoded.fill(0)
  seeds.channel.fill(0)
  const changed = encode(seedsCodec, { ...seeds, channel })
  for (const seed of [...Object.values(seeds), channel]) seed.fill(0)
  return changed
}

/** The keys of encoded seeds, which are wiped. */
export function deriveSecrets(encoded: Bytes): ServerSecrets {
  const seeds = decode(seedsCodec, encoded)
  encoded.fill(0)
  using identitySeed = new Secret(seeds.identity)
  const channel = xwingKeyPair(seeds.channel)
  const secrets: ServerSecrets = {
    identity: signingKeyFromSeed(identitySeed),
    channelSecret: channel.secretKey,
    channelPublic: channel.publicKey,
    keyExchange: opaque.keyExchangePair(seeds.opaque),
    enumerationShare: new Secret(seeds.enumeration),
  }
  seeds.channel.fill(0)
  seeds.opaque.fill(0)
  return secrets
}

export function wipeSecrets(secrets: ServerSecrets): void {
  secrets.channelSecret.wipe()
  secrets.enumerationShare.wipe()
  secrets.keyExchange.privateKey.wipe()
}
