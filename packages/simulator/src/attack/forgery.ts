import type { Identifier, SigningKey } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode, layoutOf } from "@lockkeeper/encoding"
import {
  BROADCAST,
  type Header,
  headerCodec,
  type Message,
  partDigest,
  type SignedHeader,
  signBytes,
} from "@lockkeeper/protocols"
import { type Mutant, mutantsOf, type Subject } from "./mutations.ts"

/** The label under which headers are signed: what a dishonest sender signs is signed alike. */
const HEADER_LABEL = "message-header"

/** Signs whatever bytes it is given as a header. */
export function signHeaderBytes(signer: SigningKey, bytes: Bytes): SignedHeader {
  return { bytes, signature: signBytes(signer, HEADER_LABEL, bytes) }
}

export interface Rewrite {
  readonly header?: Partial<Header>
  readonly broadcast?: Bytes
  readonly sealed?: ReadonlyMap<Identifier, Bytes>
}

/** The message with other content, rightly signed by `signer`: what its dishonest author sends. */
export function signedAgain(message: Message, signer: SigningKey, change: Rewrite): Message {
  const original = decode(headerCodec, message.header.bytes)
  const place = { ...original, ...change.header }
  const broadcast = change.broadcast ?? message.broadcast
  const sealed = change.sealed ?? message.sealed
  const parts = new Map([[BROADCAST, partDigest(place, BROADCAST, broadcast)]])
  for (const [to, part] of sealed) parts.set(to, partDigest(place, to, part))
  const bytes = encode(headerCodec, { ...place, parts, ...change.header })
  return { header: signHeaderBytes(signer, bytes), broadcast, sealed }
}

/** A message whose header was changed in one field. */
export interface HeaderForgery {
  readonly field: string
  readonly mutation: Mutant["mutation"] | "withheld"
  readonly message: Message
}

/** What an author can sign in place of its header: every field, parts digested for the new place. */
export function headersSignedAgain(
  message: Message,
  signer: SigningKey,
  subject: Omit<Subject, "codec" | "encoded">,
): HeaderForgery[] {
  const mutants = mutantsOf({ ...subject, codec: headerCodec, encoded: message.header.bytes })
  return mutants.map(({ field, mutation, encoded }) => {
    const header = decodeOrNull(encoded)
    const moved = header && !field.startsWith("parts")
    const signed = moved
      ? signedAgain(message, signer, { header: withoutParts(header) })
      : { ...message, header: signHeaderBytes(signer, encoded) }
    return { field: `header.${field}`, mutation, message: signed }
  })
}

function withoutParts({ parts: _, ...place }: Header): Omit<Header, "parts"> {
  return place
}

function decodeOrNull(bytes: Bytes): Header | null {
  try {
    return decode(headerCodec, bytes)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}

/** What a relay can make of a message: every byte string under the author's own signature. */
export function altered(
  message: Message,
  payload: Subject | null,
  subject: Omit<Subject, "codec" | "encoded">,
): HeaderForgery[] {
  const forgeries: HeaderForgery[] = []
  const { header } = message
  const headers = { ...subject, codec: headerCodec, encoded: header.bytes }
  for (const { field, mutation, encoded } of mutantsOf(headers)) {
    const changed = { ...message, header: { ...header, bytes: encoded } }
    forgeries.push({ field: `header.${field}`, mutation, message: changed })
  }
  const raw = rawBytes(header.signature.length)
  const signature = { ...subject, codec: raw, encoded: header.signature }
  for (const { mutation, encoded } of mutantsOf(signature)) {
    if (encoded.length !== header.signature.length) continue
    const changed = { ...message, header: { ...header, signature: encoded } }
    forgeries.push({ field: "signature", mutation, message: changed })
  }
  for (const { field, mutation, encoded } of payload ? mutantsOf(payload) : []) {
    forgeries.push({
      field: `broadcast.${field}`,
      mutation,
      message: { ...message, broadcast: encoded },
    })
  }
  for (const [recipient, part] of message.sealed) {
    const bytes = { ...subject, codec: rawBytes(part.length), encoded: part }
    for (const { mutation, encoded } of mutantsOf(bytes)) {
      const sealed = new Map(message.sealed).set(recipient, encoded)
      forgeries.push({ field: `sealed.${recipient}`, mutation, message: { ...message, sealed } })
    }
    const withheld = new Map(message.sealed)
    withheld.delete(recipient)
    forgeries.push({
      field: `sealed.${recipient}`,
      mutation: "withheld",
      message: { ...message, sealed: withheld },
    })
  }
  return forgeries
}

function rawBytes(length: number): Subject["codec"] {
  return {
    write: () => {
      throw new Error("only for reading")
    },
    read: (reader) => reader.bytes(length),
  }
}

/** Whether the bytes are what the codec would write. */
export function isEncodingOf(codec: Subject["codec"], bytes: Bytes): boolean {
  try {
    layoutOf(codec, bytes)
    return true
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}
