import { LockKeeperError, MAX_NAME } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { fromUtf8, utf8 } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"

/** A password as typed, or as UTF-8 bytes that the caller can wipe. */
export type PasswordInput = string | Secret

function refuse(field: "name" | "password", message: string, remedy: string): never {
  throw new LockKeeperError("invalid-request", message, { field, remedy })
}

/**
 * The one form of a password, RFC 8265 Section 4 (OpaqueString): other spaces become U+0020, NFC,
 * neither empty nor with control or unassigned characters. The result is the caller's to wipe; the
 * string it came from cannot be wiped.
 */
export function spellPassword(input: PasswordInput): Secret {
  const typed = typeof input === "string" ? input : textOf(input)
  if (typeof typed !== "string" || !typed.isWellFormed()) {
    return refuse("password", "The password is not text.", "Type it again.")
  }
  const spelled = typed.replace(/\p{Zs}/gu, " ").normalize("NFC")
  if (spelled === "") refuse("password", "The password is empty.", "Choose one.")
  if (/[\p{Cc}\p{Cn}\p{Zl}\p{Zp}]/u.test(spelled)) {
    refuse(
      "password",
      "The password contains a control character or one that is not assigned.",
      "Leave out tabs, line ends and the like.",
    )
  }
  const encoded = utf8(spelled)
  if (encoded.length > opaque.PASSWORD_MAX_BYTES) {
    refuse("password", "The password is too long.", `Use up to ${opaque.PASSWORD_MAX_BYTES} bytes.`)
  }
  return new Secret(encoded)
}

function textOf(input: Secret): string | null {
  try {
    return fromUtf8(input.expose())
  } catch {
    return null
  }
}

/**
 * The one form of an account name, RFC 8265 Section 3.3 (UsernameCaseMapped): width-mapped, lower
 * case, NFC, of letters, digits and visible ASCII, so that two spellings are one account.
 */
export function spellName(typed: string): string {
  if (typeof typed !== "string" || !typed.isWellFormed()) {
    return refuse("name", "The account name is not text.", "Type it again.")
  }
  const spelled = typed
    .replace(/[\uff00-\uffef]/g, (wide) => wide.normalize("NFKC"))
    .toLowerCase()
    .normalize("NFC")
  if (spelled === "") refuse("name", "The account name is empty.", "Choose one.")
  if (!/^[\p{L}\p{M}\p{Nd}\x21-\x7e]+$/u.test(spelled)) {
    refuse(
      "name",
      "The account name contains a space or a character that names cannot have.",
      "Use letters, digits and visible ASCII characters.",
    )
  }
  if (utf8(spelled).length > MAX_NAME) {
    refuse("name", "The account name is too long.", `Use up to ${MAX_NAME} bytes.`)
  }
  return spelled
}
