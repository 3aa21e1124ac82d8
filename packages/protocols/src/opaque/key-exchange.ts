/**
 * The 3DH key exchange of RFC 9807, Section 6.4: messages, key schedule, and both ends. The RFC's
 * messages are sequences of fixed-length fields, so the codecs below give its bytes exactly.
 */
import {
  constantTimeEqual,
  type Element,
  hkdfSha512Expand,
  hkdfSha512Extract,
  hmacSha512,
  ristretto255,
  Secret,
  sha512,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  concat,
  encode,
  fixedBytes,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import { type Identities, keyExchangePair } from "./envelope.ts"
import {
  ELEMENT_LENGTH,
  HASH_LENGTH,
  MAC_LENGTH,
  NONCE_LENGTH,
  PREAMBLE,
  SECRET_LABEL,
  u16Bytes,
} from "./labels.ts"
import { type KeyPair, scalarOf } from "./oprf.ts"

/** First message: the blinded password, and the client's half of the key exchange. */
export interface Ke1 {
  readonly blindedElement: Element
  readonly clientNonce: Bytes
  readonly clientKeyshare: Element
}

/** 96 bytes; refuses the identity and non-canonical elements. */
export const ke1Codec: Codec<Ke1> = struct<Ke1>({
  blindedElement: ristretto255.element,
  clientNonce: fixedBytes(NONCE_LENGTH),
  clientKeyshare: ristretto255.element,
})

export interface CredentialResponse {
  /** Raw, so that a signed element that does not decode can be shown to others. */
  readonly evaluatedElement: Bytes
  readonly maskingNonce: Bytes
  readonly maskedResponse: Bytes
}

const credentialResponseCodec: Codec<CredentialResponse> = struct<CredentialResponse>({
  evaluatedElement: fixedBytes(ELEMENT_LENGTH),
  maskingNonce: fixedBytes(NONCE_LENGTH),
  maskedResponse: fixedBytes(ELEMENT_LENGTH + NONCE_LENGTH + MAC_LENGTH),
})

/** Second message: the (partial) evaluation, the masked record, the server's half. */
export interface Ke2 {
  readonly credentialResponse: CredentialResponse
  readonly serverNonce: Bytes
  readonly serverKeyshare: Element
  readonly serverMac: Bytes
}

/** 320 bytes. */
export const ke2Codec: Codec<Ke2> = struct<Ke2>({
  credentialResponse: credentialResponseCodec,
  serverNonce: fixedBytes(NONCE_LENGTH),
  serverKeyshare: ristretto255.element,
  serverMac: fixedBytes(MAC_LENGTH),
})

/** What both ends bind their keys to besides the messages. */
interface Transcript {
  readonly context: Bytes
  readonly clientIdentity: Bytes
  readonly serverIdentity: Bytes
  readonly ke1: Bytes
  readonly credentialResponse: CredentialResponse
  readonly serverNonce: Bytes
  readonly serverKeyshare: Element
}

/** What both ends hold afterwards. */
export interface ExchangeKeys {
  readonly sessionKey: Secret
  readonly serverMac: Bytes
  readonly clientMac: Secret
}

/** `Preamble`, RFC 9807 Section 6.4.2.1. */
function preambleOf(transcript: Transcript): Bytes {
  const { context, clientIdentity, serverIdentity } = transcript
  return concat(
    PREAMBLE,
    ...[u16Bytes(context.length), context],
    ...[u16Bytes(clientIdentity.length), clientIdentity],
    transcript.ke1,
    ...[u16Bytes(serverIdentity.length), serverIdentity],
    encode(credentialResponseCodec, transcript.credentialResponse),
    transcript.serverNonce,
    transcript.serverKeyshare,
  )
}

/** `Derive-Secret` through `Expand-Label`, RFC 9807 Section 6.4.2. */
function deriveSecret(secret: Bytes, label: string, transcriptHash: Bytes): Bytes {
  const name = utf8(SECRET_LABEL + label)
  const info = concat(
    u16Bytes(HASH_LENGTH),
    Uint8Array.of(name.length),
    name,
    Uint8Array.of(transcriptHash.length),
    transcriptHash,
  )
  return hkdfSha512Expand(secret, info, HASH_LENGTH)
}

/** `DeriveKeys` and both MACs, RFC 9807 Sections 6.4.2.2, 6.4.3 and 6.4.4. Wipes the products. */
function scheduleKeys(products: readonly Element[], transcript: Transcript): ExchangeKeys {
  const ikm = concat(...products)
  for (const product of products) product.fill(0)
  const none = new Uint8Array(0)
  const preamble = preambleOf(transcript)
  const hash = sha512(preamble)
  const prk = hkdfSha512Extract(none, ikm)
  const handshake = deriveSecret(prk, "HandshakeSecret", hash)
  const sessionKey = new Secret(deriveSecret(prk, "SessionKey", hash))
  const serverMacKey = deriveSecret(handshake, "ServerMAC", none)
  const clientMacKey = deriveSecret(handshake, "ClientMAC", none)
  const serverMac = hmacSha512(serverMacKey, hash)
  const clientMac = new Secret(hmacSha512(clientMacKey, sha512(preamble, serverMac)))
  for (const spent of [ikm, prk, handshake, serverMacKey, clientMacKey]) spent.fill(0)
  return { sessionKey, serverMac, clientMac }
}

/** The server's half: `AuthServerRespond`, RFC 9807 Section 6.4.4. */
export function respond(input: {
  readonly context: Bytes
  readonly identities: Identities
  readonly server: KeyPair
  readonly clientPublicKey: Element
  readonly ke1: Ke1
  readonly credentialResponse: CredentialResponse
  readonly serverNonce: Bytes
  /** 32 fresh uniform bytes. */
  readonly keyshareSeed: Bytes
}): { readonly ke2: Ke2; readonly keys: ExchangeKeys } {
  const { ke1, server, clientPublicKey, credentialResponse, serverNonce } = input
  const ephemeral = keyExchangePair(input.keyshareSeed)
  const secret = scalarOf(ephemeral.privateKey)
  const longTerm = scalarOf(server.privateKey)
  const products = [
    ristretto255.multiply(ke1.clientKeyshare, secret),
    ristretto255.multiply(ke1.clientKeyshare, longTerm),
    ristretto255.multiply(clientPublicKey, secret),
  ]
  for (const spent of [secret, longTerm]) spent.fill(0)
  ephemeral.privateKey.wipe()
  const serverKeyshare = ephemeral.publicKey
  const keys = scheduleKeys(products, {
    context: input.context,
    clientIdentity: input.identities.client ?? clientPublicKey,
    serverIdentity: input.identities.server ?? server.publicKey,
    ke1: encode(ke1Codec, ke1),
    credentialResponse,
    serverNonce,
    serverKeyshare,
  })
  const ke2 = { credentialResponse, serverNonce, serverKeyshare, serverMac: keys.serverMac }
  return { ke2, keys }
}

/** The client's half: `AuthClientFinalize`, RFC 9807 Section 6.4.3; null when the MAC is wrong. */
export function conclude(input: {
  readonly context: Bytes
  readonly identities: Identities
  readonly client: KeyPair
  readonly serverPublicKey: Element
  readonly keyshareSecret: Secret
  readonly ke1: Bytes
  readonly ke2: Ke2
}): { readonly sessionKey: Secret; readonly ke3: Bytes } | null {
  const { client, serverPublicKey, ke2 } = input
  const secret = scalarOf(input.keyshareSecret)
  const longTerm = scalarOf(client.privateKey)
  const products = [
    ristretto255.multiply(ke2.serverKeyshare, secret),
    ristretto255.multiply(serverPublicKey, secret),
    ristretto255.multiply(ke2.serverKeyshare, longTerm),
  ]
  for (const spent of [secret, longTerm]) spent.fill(0)
  const keys = scheduleKeys(products, {
    context: input.context,
    clientIdentity: input.identities.client ?? client.publicKey,
    serverIdentity: input.identities.server ?? serverPublicKey,
    ke1: input.ke1,
    credentialResponse: ke2.credentialResponse,
    serverNonce: ke2.serverNonce,
    serverKeyshare: ke2.serverKeyshare,
  })
  if (!constantTimeEqual(keys.serverMac, ke2.serverMac)) {
    keys.sessionKey.wipe()
    keys.clientMac.wipe()
    return null
  }
  const ke3 = keys.clientMac.expose().slice()
  keys.clientMac.wipe()
  return { sessionKey: keys.sessionKey, ke3 }
}
