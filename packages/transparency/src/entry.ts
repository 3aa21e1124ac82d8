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

/** Sizes of bodies up to here are multiples of this, and above powers of two. */
const SIZE_STEP = 256
const STEPS_END = 1024

/** Longest encoded body, bytes. */
export const MAX_LOG_BODY = 131_072

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

interface Labelled extends LogBody {
  readonly label: null
}

const FIELDS = { salt: fixedBytes(32), time: safeInteger, event: bytes(MAX_EVENT) }

const V1 = "lockkeeper/log-body/v1"

/** Bodies of servers that did not pad them yet. */
const unpaddedBody = struct<Labelled>({ label: constant(utf8(V1)), ...FIELDS })

const bodyFields = struct<Labelled>({
  label: constant(utf8("lockkeeper/log-body/v2")),
  ...FIELDS,
})

/** The size that a body of `length` bytes is padded to, so that sealed ones tell little of it. */
function paddedLength(length: number): number {
  if (length <= STEPS_END) return Math.ceil(length / SIZE_STEP) * SIZE_STEP
  let size = STEPS_END
  while (size < length) size *= 2
  return size
}

const paddedBody: Codec<Labelled> = {
  write(writer, body) {
    const fields = encode(bodyFields, body)
    writer.bytes(fields)
    writer.bytes(new Uint8Array(paddedLength(fields.length) - fields.length))
  },
  read(reader) {
    const start = reader.offset
    const body = bodyFields.read(reader)
    const length = reader.offset - start
    const at = reader.offset
    const padding = reader.bytes(paddedLength(length) - length)
    if (padding.some((byte) => byte !== 0)) reader.fail("padding is not zero", at)
    return body
  },
}

const bodyBytes: Codec<Bytes> = bytes(MAX_LOG_BODY)

/** The canonical bytes of a body: what is sealed and what is committed to. */
export function encodeLogBody(body: LogBody): Bytes {
  return encode(paddedBody, { ...body, label: null })
}

/** @throws DecodeError when the bytes are not a body. */
export function decodeLogBody(encoded: Uint8Array): LogBody {
  const codec = encoded[V1.length - 1] === V1.charCodeAt(V1.length - 1) ? unpaddedBody : paddedBody
  const { label: _, ...body } = decode(codec, encoded)
  return body
}

/** The salted commitment to an encoded body, 32 bytes: the leaf of the log. */
export function commitToLogBody(encoded: Bytes): Bytes {
  return hashValue("log/entry", bodyBytes, encoded)
}
