/** A login, a server's side: answering KE1, and judging KE3. */
import { constantTimeEqual, type Element, type Identifier, type Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  bool,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  struct,
  u32,
} from "@lockkeeper/encoding"
import { secretCodec } from "../keys.ts"
import type { Signer } from "../messages/signature.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import type { Binding } from "./account.ts"
import { maskedPlaintextCodec, maskResponse } from "./envelope.ts"
import {
  evaluateShare,
  type LoginResponse,
  loginResponseCodec,
  signEvaluation,
} from "./evaluation.ts"
import { FAKE_VERSION, type FakeSource, fakeHolding, type Holding, shownVersion } from "./fake.ts"
import { type HeldAccount, vectorOf } from "./held.ts"
import { type Ke1, ke1Codec, respond } from "./key-exchange.ts"
import { HASH_LENGTH, KE3_LENGTH } from "./labels.ts"
import { type KeyPair, scalarOf } from "./oprf.ts"
import type { Stretching } from "./stretching.ts"

/** What a server answers every login with. */
export interface LoginServer {
  readonly identifier: Identifier
  readonly rosterEpoch: number
  readonly minSigners: number
  /** From `keyExchangePair`; its public key stands in the roster. */
  readonly ake: KeyPair
  /** The identity key. */
  readonly signer: Signer
  readonly fakes: FakeSource
  /** What accounts that do not exist pretend to be stretched with: what new ones get. */
  readonly stretching: Stretching
}

/** One-time state between KE2 and KE3: take it from storage to judge one KE3. Secret. */
export interface LoginServerState {
  readonly accountId: Bytes
  readonly opaqueVersion: number
  /** False for an account that does not exist: then no KE3 is right. */
  readonly exists: boolean
  readonly clientMac: Secret
  readonly sessionKey: Secret
}

export const loginServerStateCodec: Codec<LoginServerState> = struct<LoginServerState>({
  accountId: fixedBytes(32),
  opaqueVersion: u32,
  exists: bool,
  clientMac: secretCodec(KE3_LENGTH),
  sessionKey: secretCodec(HASH_LENGTH),
})

/** Masking nonce, server nonce, key share seed, proof: 32 bytes each. */
export const ANSWER_RANDOMNESS_LENGTH = 128

export interface LoginQuestion {
  readonly accountId: Bytes
  readonly binding: Binding
  /** The encoded KE1, as received. */
  readonly ke1: Bytes
}

/**
 * Answers a KE1 with a partial evaluation and KE2. Call it only after a guess has been taken
 * durably. An unknown account costs the same work and gets the same fields and lengths.
 *
 * @param account - with the active record, or null when the name is unknown.
 * @param randomness - 128 fresh bytes.
 */
export function answerLogin(
  server: LoginServer,
  question: LoginQuestion,
  account: HeldAccount | null,
  randomness: Bytes,
): Outcome<{ readonly response: Bytes; readonly state: LoginServerState }> {
  const { identifier, minSigners, fakes, stretching, ake } = server
  const { accountId } = question
  if (account && !equalBytes(account.registration.keys.accountId, accountId)) {
    throw new RangeError("the record belongs to another account")
  }
  // The fake is always made, so that the time taken does not tell who exists.
  const fake = fakeHolding(fakes, accountId, minSigners, identifier)
  const facts = account
    ? { ...realHolding(account), exists: true }
    : {
        ...{ holding: fake, homeKey: ake.publicKey, version: FAKE_VERSION, stretching },
        exists: false,
      }
  const answered = answerFrom(server, question, facts, randomness)
  fake.share.fill(0)
  fake.record.maskingKey.wipe()
  facts.holding.share.fill(0)
  return answered
}

/** What a login is answered from, and what is said about it. */
export interface LoginFacts {
  readonly holding: Holding
  /** What opens the envelope: the public key of the server that the record was made for. */
  readonly homeKey: Element
  readonly version: number
  readonly stretching: Stretching
  readonly exists: boolean
}

function realHolding(account: HeldAccount): Omit<LoginFacts, "exists"> {
  const { registration, share, record, home } = account
  const vector = vectorOf(account)
  if (!equalBytes(vector[0]!, registration.vector[0]!)) {
    throw new RangeError("the shares are of another OPRF key")
  }
  const homeKey = registration.servers.get(home)
  if (!homeKey)
    throw new RangeError("the record is of a server that the registration does not list")
  const { keys, stretching } = registration
  const holding = { share: scalarOf(share), vector, record }
  return { holding, homeKey, version: keys.opaqueVersion, stretching }
}

/** `answerLogin` from given facts; known-answer tests inject fake records here. */
export function answerFrom(
  server: LoginServer,
  { accountId, binding, ke1: ke1Bytes }: LoginQuestion,
  { holding, homeKey, version, stretching, exists }: LoginFacts,
  randomness: Bytes,
): Outcome<{ readonly response: Bytes; readonly state: LoginServerState }> {
  if (randomness.length !== ANSWER_RANDOMNESS_LENGTH) throw new RangeError("randomness: 128 bytes")
  const ke1 = decodeKe1(ke1Bytes)
  if (!ke1.ok) return ke1
  const part = (index: number) => randomness.slice(index * 32, index * 32 + 32)
  const [maskingNonce, serverNonce] = [part(0), part(1)]
  const { identifier, rosterEpoch, ake, signer } = server
  const { record, vector } = holding
  const scope = {
    ...{ ke1: ke1Bytes, accountId, rosterEpoch, identifier, vector, stretching },
    shownVersion: shownVersion(server.fakes, accountId, version),
  }
  const blinded = ke1.value.blindedElement
  const statement = evaluateShare(holding.share, blinded, scope, part(3))
  const plain = { serverPublicKey: homeKey, envelope: record.envelope }
  const maskedResponse = maskResponse(
    record.maskingKey,
    maskingNonce,
    encode(maskedPlaintextCodec, plain),
  )
  const { ke2, keys } = respond({
    ...binding,
    server: ake,
    clientPublicKey: record.clientPublicKey,
    ke1: ke1.value,
    credentialResponse: { evaluatedElement: statement.evaluation, maskingNonce, maskedResponse },
    serverNonce,
    keyshareSeed: part(2),
  })
  const { ke1: _, accountId: __, evaluation: ___, ...frame } = statement
  const response: LoginResponse = {
    ke2,
    frame: { ...frame, signature: signEvaluation(signer, statement) },
  }
  const { clientMac, sessionKey } = keys
  const state = { accountId, opaqueVersion: version, exists, clientMac, sessionKey }
  return done({ response: encode(loginResponseCodec, response), state })
}

function decodeKe1(bytes: Bytes): Outcome<Ke1> {
  try {
    return done(decode(ke1Codec, bytes))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return abort("malformed-payload", { field: error.path === "" ? "ke1" : `ke1.${error.path}` })
  }
}

/** A login that a client has proven its password in. */
export interface VerifiedLogin {
  readonly accountId: Bytes
  readonly opaqueVersion: number
  /** 64 bytes, shared with that client alone. */
  readonly sessionKey: Secret
}

/**
 * Judges a KE3, RFC 9807 Section 6.4.4 (`ServerFinish`). The state must have been taken from
 * storage: a KE3 counts once. On success the guess may be given back in the same transaction.
 */
export function verifyLogin(state: LoginServerState, ke3: Bytes): Outcome<VerifiedLogin> {
  const right = constantTimeEqual(state.clientMac.expose(), ke3)
  state.clientMac.wipe()
  // Both conditions are evaluated either way, and one reason covers both.
  if (Number(right) + Number(state.exists) !== 2) {
    state.sessionKey.wipe()
    return abort("wrong-client-mac", { field: "ke3" })
  }
  const { accountId, opaqueVersion, sessionKey } = state
  return done({ accountId, opaqueVersion, sessionKey })
}
