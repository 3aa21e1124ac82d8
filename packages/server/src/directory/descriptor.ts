import { LockKeeperError, type Member } from "@lockkeeper/api"
import { hashValue, type SigningKey, verifySignature } from "@lockkeeper/crypto"
import {
  type Bytes,
  fixedBytes,
  fromBase64url,
  struct,
  text,
  toBase64url,
  utf8,
} from "@lockkeeper/encoding"
import { z } from "zod"

/** What a server tells those who make a roster: everything of its row but the identifier. */
export type Descriptor = Omit<Member, "identifier">

const signedFields = struct<Descriptor>({
  name: text(64),
  url: text(256),
  identityKey: fixedBytes(32),
  channelKey: fixedBytes(1216),
  opaqueKey: fixedBytes(32),
  operator: text(64),
  cloud: text(64),
  jurisdiction: text(64),
})

const keyText = (length: number) =>
  z.string().transform((value, context): Bytes => {
    try {
      const bytes = fromBase64url(value)
      if (bytes.length === length) return bytes
    } catch {
      // Reported below like a wrong length.
    }
    context.addIssue({ code: "custom", message: `not ${length} bytes of base64url` })
    return z.NEVER
  })

/** Text that the signed fields can hold: what is longer, or has lone surrogates, has no encoding. */
const plainText = (max: number) =>
  z.string().refine((value) => value.isWellFormed() && utf8(value).length <= max, {
    error: `not text of up to ${max} bytes`,
  })

const descriptorSchema = z.strictObject({
  name: plainText(64),
  url: plainText(256),
  identityKey: keyText(32),
  channelKey: keyText(1216),
  opaqueKey: keyText(32),
  operator: plainText(64),
  cloud: plainText(64),
  jurisdiction: plainText(64),
  signature: keyText(64),
})

function digest(descriptor: Descriptor): Bytes {
  return hashValue("server-descriptor", signedFields, descriptor)
}

/** The descriptor as a JSON text, signed by the identity key that it names. */
export function writeDescriptor(descriptor: Descriptor, identity: SigningKey): string {
  const { identityKey, channelKey, opaqueKey, ...plain } = descriptor
  const written = {
    ...plain,
    identityKey: toBase64url(identityKey),
    channelKey: toBase64url(channelKey),
    opaqueKey: toBase64url(opaqueKey),
    signature: toBase64url(identity.sign(digest(descriptor))),
  }
  return `${JSON.stringify(written, null, 2)}\n`
}

/** @throws LockKeeperError `misconfigured` naming the field, also when the signature is wrong. */
export function readDescriptor(written: string): Descriptor {
  const refuse = (field: string, message: string): never => {
    throw new LockKeeperError("misconfigured", message, {
      field: `descriptor.${field}`,
      remedy: "Ask the server's operator for descriptor.json again, over a channel you trust.",
    })
  }
  let json: unknown
  try {
    json = JSON.parse(written)
  } catch {
    return refuse("", "The server descriptor is not JSON.")
  }
  const parsed = descriptorSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = issue?.path.join(".") ?? ""
    return refuse(field, `The server descriptor is malformed: ${issue?.message ?? "unreadable"}.`)
  }
  const { signature, ...descriptor } = parsed.data
  if (!verifySignature(descriptor.identityKey, digest(descriptor), signature)) {
    return refuse("signature", "The server descriptor is not signed by the key it names.")
  }
  return descriptor
}
