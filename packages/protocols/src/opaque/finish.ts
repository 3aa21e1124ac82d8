/** A login, the client's second half: open the envelopes, check every server, answer with KE3. */
import { type Element, type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, toHex } from "@lockkeeper/encoding"
import { type AbortReason, abort, done, type Outcome } from "../outcome.ts"
import {
  type Credentials,
  deriveCredentials,
  envelopeFits,
  maskedPlaintextCodec,
  maskingKeyOf,
  maskResponse,
  randomizePassword,
  wipeCredentials,
} from "./envelope.ts"
import { conclude, type Ke2 } from "./key-exchange.ts"
import type { CombinedLogin, Opening } from "./login.ts"

/** A login session with one server: known to that server and this client alone. */
export interface LoginSession {
  /** 64 bytes. */
  readonly sessionKey: Secret
  /** What proves the password to the server. */
  readonly ke3: Bytes
}

export interface FinishedLogin {
  /** 64 bytes for `openAccountKeys` and nothing else. */
  readonly exportKey: Secret
  readonly sessions: ReadonlyMap<Identifier, LoginSession>
  /** Servers whose envelope or MAC was wrong although the password is right. No proof exists. */
  readonly refused: ReadonlyMap<Identifier, AbortReason>
}

/** Credentials by envelope nonce: one derivation unless a server lies about the nonce. */
type CredentialsByNonce = Map<string, Credentials>

/**
 * Finishes a login with every server whose evaluation was right. Wipes the OPRF output and the
 * stretched bytes; the login's own state stays until `wipeLogin`.
 *
 * `wrong-password-or-envelope`: no server's envelope opens; nobody is blamed, the password is the
 * likely cause. `too-few-authenticated`: the password is right, but fewer servers proved themselves
 * than the shares take; its `silent` are the others. Ask the servers not asked yet and combine again.
 *
 * @param stretched - 64 bytes: Argon2id of what `combineLogin` gave to stretch.
 */
export function finishLogin(combined: CombinedLogin, stretched: Secret): Outcome<FinishedLogin> {
  const { state, oprfOutput, answers } = combined
  const randomized = randomizePassword(oprfOutput, stretched)
  oprfOutput.wipe()
  stretched.wipe()
  const byNonce: CredentialsByNonce = new Map()
  const maskingKey = maskingKeyOf(randomized)
  const sessions = new Map<Identifier, LoginSession>()
  const refused = new Map<Identifier, AbortReason>()
  let opened: Credentials | null = null
  for (const [identifier, ke2] of answers) {
    const recovered = recover(combined, ke2, { randomized, maskingKey, byNonce })
    if (recovered === null) {
      refused.set(identifier, "wrong-envelope")
      continue
    }
    opened = recovered
    const opening = state.openings.get(identifier) as Opening
    const { binding, serverKeys } = state.plan
    const session = conclude({
      ...binding,
      client: recovered.client,
      // Never the key in the envelope: that one is of the server that the record was made for.
      serverPublicKey: serverKeys.get(identifier) as Element,
      keyshareSecret: opening.keyshareSecret,
      ke1: opening.ke1,
      ke2,
    })
    if (session) sessions.set(identifier, session)
    else refused.set(identifier, "wrong-server-mac")
  }
  const exportKey = opened?.exportKey.expose().slice()
  for (const credentials of byNonce.values()) wipeCredentials(credentials)
  maskingKey.wipe()
  randomized.wipe()
  return conclusion(combined, sessions, refused, exportKey)
}

function conclusion(
  { minSigners }: CombinedLogin,
  sessions: ReadonlyMap<Identifier, LoginSession>,
  refused: ReadonlyMap<Identifier, AbortReason>,
  exportKey: Bytes | undefined,
): Outcome<FinishedLogin> {
  if (exportKey === undefined) return abort("wrong-password-or-envelope")
  if (sessions.size >= minSigners) {
    return done({ exportKey: new Secret(exportKey), sessions, refused })
  }
  exportKey.fill(0)
  for (const { sessionKey } of sessions.values()) sessionKey.wipe()
  return abort("too-few-authenticated", { silent: [...refused.keys()] })
}

interface Recovery {
  readonly randomized: Secret
  readonly maskingKey: Secret
  readonly byNonce: CredentialsByNonce
}

/**
 * `RecoverCredentials`, RFC 9807 Section 6.3.2.3; null when the envelope does not open. The server key
 * that the response hides has no other use than to open it.
 */
function recover(
  { state }: CombinedLogin,
  { credentialResponse }: Ke2,
  { randomized, maskingKey, byNonce }: Recovery,
): Credentials | null {
  const { maskingNonce, maskedResponse } = credentialResponse
  const plain = maskResponse(maskingKey, maskingNonce, maskedResponse)
  const { serverPublicKey, envelope } = decode(maskedPlaintextCodec, plain)
  const key = toHex(envelope.nonce)
  const credentials = byNonce.get(key) ?? deriveCredentials(randomized, envelope.nonce)
  byNonce.set(key, credentials)
  const { identities } = state.plan.binding
  return envelopeFits(credentials, envelope, serverPublicKey, identities) ? credentials : null
}
