import {
  childPath,
  KEY_STATES,
  keyCustody,
  MAX_NAME,
  type RecordsPlace,
  recordsPlace,
  recordsStatement,
  reshareDescribeInput,
  type SealedRecords,
  type SharingKind,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import {
  hpkeOpen,
  hpkeSeal,
  type Identifier,
  identifierCodec,
  XWING_RANDOMNESS_LENGTH,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  text,
  u32,
} from "@lockkeeper/encoding"
import { type Message, messageCodec, opaque, reshare } from "@lockkeeper/protocols"
import { seeded } from "../seeded.ts"
import { callOf, JOINER, type Move } from "./move.ts"
import { ask } from "./operator.ts"
import { copyOf, secretsOf, start } from "./servers.ts"

// What one holder tells of each sharing beside its share, as servers write it: a change of it fails
// where it is read here.

const keyRecord = struct({
  ...{ accountId: fixedBytes(32), state: oneOf(...KEY_STATES), label: text(64) },
  ...{ custody: keyCustody, createdAt: safeInteger, certificate: bytes(16_384) },
  children: list(childPath, 64),
})

const accountRecord = struct({
  ...{ name: text(MAX_NAME), createdAt: safeInteger, registration: opaque.registrationCodec },
  ...{ confirmations: opaque.confirmationsCodec, home: identifierCodec },
  ...{ record: opaque.registrationRecordCodec, guessesTaken: u32, unknownNames: bytes(32_768) },
  charter: nullable(fixedBytes(32)),
})

const MOST = 131_072

/** Of each sharing of a batch. */
const recordsCodec: Codec<readonly Bytes[]> = list(bytes(MOST), 0xff)

export function recordCodec(kind: SharingKind): Codec<unknown> {
  return (kind === "keys" ? keyRecord : accountRecord) as Codec<unknown>
}

const NO_AAD = new Uint8Array(0)

function placeOf({ kind, params }: Move, holder: Identifier): RecordsPlace {
  return { label: null, run: reshare.openingDigest(params), kind, holder, member: JOINER }
}

/**
 * What a holder tells: asked for with an opening that the joiner could have made, to which this has the
 * key.
 */
export async function toldBy(move: Move, teller: Identifier): Promise<readonly Bytes[]> {
  const { params, keys, followed, now } = move
  const verifyKeys = new Map(followed.roster.members.map((m) => [m.identifier, m.identityKey]))
  const randomness = seeded("moves/another opening", reshare.OPEN_RANDOMNESS_LENGTH)
  const identity = { signer: secretsOf(JOINER).identity, verifyKeys }
  const asked = { params, keys, known: keys.map(() => null) }
  const opened = reshare.reshareOpen(asked, JOINER, identity, randomness)
  if (!opened.ok || opened.value.state.sealingSeed === null) throw new Error("no opening")
  const { at, call } = callOf(move, "describe", teller)
  const opening = encode(messageCodec, opened.value.message)
  const input = encode(reshareDescribeInput, { keys, member: JOINER, opening })
  const running = await start(followed, teller, copyOf(at), { now, what: "teller" })
  const output = await ask(running, { ...call, input })
  const { encapsulated, ciphertext } = decode(sealedRecordsCodec, output)
  const info = encode(recordsPlace, placeOf(move, teller))
  const seed = opened.value.state.sealingSeed
  const plaintext = hpkeOpen(seed, encapsulated, info, NO_AAD, ciphertext)
  if (plaintext === null) throw new Error("what a holder tells does not open")
  return decode(recordsCodec, plaintext)
}

/** Sealed to the joiner, and rightly signed by whoever tells it. */
export function sealedBy(move: Move, teller: Identifier, told: Bytes): SealedRecords {
  const { params, followed } = move
  const verifyKeys = new Map(followed.roster.members.map((m) => [m.identifier, m.identityKey]))
  const key = reshare.holderSealingKey(params, JOINER, move.opening as Message, verifyKeys)
  if (!key.ok) throw new Error("the joiner's opening has no key")
  const place = placeOf(move, teller)
  const randomness = seeded("moves/sealing", XWING_RANDOMNESS_LENGTH)
  const sealed = hpkeSeal(key.value, encode(recordsPlace, place), NO_AAD, told, randomness)
  const statement = encode(recordsStatement, { ...place, ...sealed })
  return { holder: teller, ...sealed, signature: secretsOf(teller).identity.sign(statement) }
}

export function encodeTold(records: readonly Bytes[]): Bytes {
  return encode(recordsCodec, records)
}

export const toldCodec = recordsCodec as Codec<unknown>
