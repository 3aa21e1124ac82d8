/**
 * The envelope and the registration record of RFC 9807, Sections 4.1 and 5.1, with ristretto255,
 * SHA-512, HKDF and HMAC. The client's private key is derived, never stored.
 */
import {
  constantTimeEqual,
  type Element,
  hkdfSha512Expand,
  hkdfSha512Extract,
  hmacSha512,
  ristretto255,
  Secret,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, concat, encode, fixedBytes, struct } from "@lockkeeper/encoding"
import { secretCodec } from "../keys.ts"
import {
  AUTH_KEY,
  DIFFIE_HELLMAN_INFO,
  ELEMENT_LENGTH,
  EXPORT_KEY,
  HASH_LENGTH,
  MAC_LENGTH,
  MASKING_KEY,
  NONCE_LENGTH,
  PRIVATE_KEY,
  RESPONSE_PAD,
  SEED_LENGTH,
  u16Bytes,
} from "./labels.ts"
import { deriveKeyPair, type KeyPair } from "./oprf.ts"

/** Who takes part in the key exchange and what it is for. Null stands for the public key. */
export interface Identities {
  readonly client: Bytes | null
  readonly server: Bytes | null
}

export interface Envelope {
  readonly nonce: Bytes
  readonly authTag: Bytes
}

/** What one server keeps of a password: useless for guessing without the OPRF key. */
export interface RegistrationRecord {
  readonly clientPublicKey: Element
  readonly maskingKey: Secret
  readonly envelope: Envelope
}

const envelopeCodec: Codec<Envelope> = struct<Envelope>({
  nonce: fixedBytes(NONCE_LENGTH),
  authTag: fixedBytes(MAC_LENGTH),
})

/** Byte for byte the RFC's RegistrationRecord: 192 bytes, secret because of the masking key. */
export const registrationRecordCodec: Codec<RegistrationRecord> = struct<RegistrationRecord>({
  clientPublicKey: ristretto255.element,
  maskingKey: secretCodec(HASH_LENGTH),
  envelope: envelopeCodec,
})

/** Everything that follows from the password and one envelope nonce, the same for every server. */
export interface Credentials {
  readonly maskingKey: Secret
  readonly authKey: Secret
  /** Known to the client only; nothing but `masterKeyOf` may use it. */
  readonly exportKey: Secret
  readonly client: KeyPair
}

/** `DeriveDiffieHellmanKeyPair`, RFC 9807 Section 6.4.1: AKE keys from 32 uniform bytes. */
export function keyExchangePair(seed: Bytes): KeyPair {
  return deriveKeyPair(seed, DIFFIE_HELLMAN_INFO)
}

/**
 * randomized_password, RFC 9807 Section 5.2.3.
 *
 * @param stretched - what Argon2id made of `oprfOutput`; the identity function in vectors.
 */
export function randomizePassword(oprfOutput: Secret, stretched: Secret): Secret {
  const input = concat(oprfOutput.expose(), stretched.expose())
  const randomized = hkdfSha512Extract(new Uint8Array(0), input)
  input.fill(0)
  return new Secret(randomized)
}

export function maskingKeyOf(randomizedPassword: Secret): Secret {
  return expand(randomizedPassword, MASKING_KEY, HASH_LENGTH)
}

/** The keys of `Store` and `Recover`, RFC 9807 Sections 4.1.2 and 4.1.3. */
export function deriveCredentials(randomizedPassword: Secret, envelopeNonce: Bytes): Credentials {
  const withNonce = (label: Bytes, length: number) =>
    expand(randomizedPassword, concat(envelopeNonce, label), length)
  const seed = withNonce(PRIVATE_KEY, SEED_LENGTH)
  const client = keyExchangePair(seed.expose())
  seed.wipe()
  return {
    maskingKey: maskingKeyOf(randomizedPassword),
    authKey: withNonce(AUTH_KEY, HASH_LENGTH),
    exportKey: withNonce(EXPORT_KEY, HASH_LENGTH),
    client,
  }
}

export function wipeCredentials(credentials: Credentials): void {
  credentials.maskingKey.wipe()
  credentials.authKey.wipe()
  credentials.exportKey.wipe()
  credentials.client.privateKey.wipe()
}

const cleartextCredentials = struct<{
  readonly serverPublicKey: Bytes
  readonly serverIdentity: Bytes
  readonly clientIdentity: Bytes
}>({
  serverPublicKey: fixedBytes(ELEMENT_LENGTH),
  serverIdentity: identityCodec(),
  clientIdentity: identityCodec(),
})

/** An identity behind two length bytes, as TLS presentation language writes it. */
function identityCodec(): Codec<Bytes> {
  return {
    write(writer, value) {
      writer.bytes(u16Bytes(value.length))
      writer.bytes(value)
    },
    read: (reader) => reader.bytes(reader.u16()),
  }
}

/** The envelope for one server: its public key is under the tag, so no other server fits it. */
export function sealEnvelope(
  credentials: Credentials,
  nonce: Bytes,
  serverPublicKey: Bytes,
  identities: Identities,
): Envelope {
  const cleartext = encode(cleartextCredentials, {
    serverPublicKey,
    serverIdentity: identities.server ?? serverPublicKey,
    clientIdentity: identities.client ?? credentials.client.publicKey,
  })
  const authTag = hmacSha512(credentials.authKey.expose(), nonce, cleartext)
  return { nonce, authTag }
}

/** Whether the envelope is the one registered under these credentials for this server. */
export function envelopeFits(
  credentials: Credentials,
  envelope: Envelope,
  serverPublicKey: Bytes,
  identities: Identities,
): boolean {
  const expected = sealEnvelope(credentials, envelope.nonce, serverPublicKey, identities)
  return constantTimeEqual(expected.authTag, envelope.authTag)
}

const PAD_LENGTH = ELEMENT_LENGTH + NONCE_LENGTH + MAC_LENGTH

/**
 * masked_response, RFC 9807 Section 6.3.2.2: server public key and envelope under a one-time pad.
 * Masking twice with one nonce gives the plaintext back, so the same function unmasks.
 */
export function maskResponse(maskingKey: Secret, maskingNonce: Bytes, plain: Bytes): Bytes {
  const pad = expand(maskingKey, concat(maskingNonce, RESPONSE_PAD), PAD_LENGTH).expose()
  for (let i = 0; i < PAD_LENGTH; i++) pad[i] = (pad[i] as number) ^ (plain[i] as number)
  return pad
}

/** What `maskResponse` hides. */
export interface MaskedPlaintext {
  readonly serverPublicKey: Bytes
  readonly envelope: Envelope
}

/** The server key stays raw: under a wrong password it is noise, and noise is no protocol fault. */
export const maskedPlaintextCodec: Codec<MaskedPlaintext> = struct<MaskedPlaintext>({
  serverPublicKey: fixedBytes(ELEMENT_LENGTH),
  envelope: envelopeCodec,
})

function expand(key: Secret, info: Bytes, length: number): Secret {
  return new Secret(hkdfSha512Expand(key.expose(), info, length))
}
