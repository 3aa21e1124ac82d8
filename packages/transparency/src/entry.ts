import { hashValue } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  decode,
  encode,
  fixedBytes,
  safeInteger,
  struct,
  utf8,
} from "@lockkeeper/encoding"

/** Longest event, bytes: room for one piece of evidence of 64 KiB. */
export const MAX_EVENT = 66_560

/**
 * One entry of a server's log as it is sealed at rest and shown to those entitled to it; the public
 * log carries only its commitment.
 */
export interface LogBody {
  /** 32 random bytes, so that the commitment to a guessable event tells nothing. */
  readonly salt: Bytes
  /** Milliseconds since the Unix epoch by the server's own clock. */
  readonly time: number
  /** Canonical encoding of what happened. */
  readonly event: Bytes
}

const bodyFields = struct<LogBody & { readonly label: null }>({
  label: constant(utf8("lockkeeper/log-body/v1")),
  salt: fixedBytes(32),
  time: safeInteger,
  event: bytes(MAX_EVENT),
})

/** Longest encoded body, bytes. */
export const MAX_LOG_BODY: number = MAX_EVENT + 256

const bodyBytes: Codec<Bytes> = bytes(MAX_LOG_BODY)

/** The canonical bytes of a body: what is sealed and what is committed to. */
export function encodeLogBody(body: LogBody): Bytes {
  return encode(bodyFields, { ...body, label: null })
}

/** @throws DecodeError when the bytes are not a body. */
export function decodeLogBody(encoded: Uint8Array): LogBody {
  const { label: _, ...body } = decode(bodyFields, encoded)
  return body
}

/** The salted commitment to an encoded body, 32 bytes: the leaf of the log. */
export function commitToLogBody(encoded: Bytes): Bytes {
  return hashValue("log/entry", bodyBytes, encoded)
}
