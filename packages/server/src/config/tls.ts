import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { isAbsolute, join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { readChecked } from "../directory/owner-only.ts"
import type { ServerConfig } from "./schema.ts"

const MAX_PEM = 65_536

/** A certificate chain and its key, checked to belong together and to be valid now. */
export interface TlsMaterial {
  /** PEM. */
  readonly certificate: string
  /** PEM. */
  readonly key: string
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

function refuse(field: string, message: string, remedy: string, cause?: unknown): never {
  throw new LockKeeperError("misconfigured", message, { field, remedy, cause })
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    return refuse(
      "tls.certificate",
      "The TLS certificate cannot be read.",
      "Give a PEM file that starts with the server's own certificate.",
      cause,
    )
  }
}

function parseKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    return refuse("tls.key", "The TLS key cannot be read.", "Give an unencrypted PEM key.", cause)
  }
}

/**
 * Reads the TLS certificate and key that the configuration names, relative to the server's directory.
 *
 * @throws LockKeeperError `misconfigured` when one is unreadable, readable by others, expired, not
 *   yet valid, or not the other's.
 */
export function readTls(directory: string, tls: ServerConfig["tls"], now: number): TlsMaterial {
  const at = (path: string): string => (isAbsolute(path) ? path : join(directory, path))
  const read = (path: string, field: string, access: "public" | "owner-only"): string =>
    Buffer.from(readChecked(at(path), field, access, MAX_PEM)).toString("utf8")
  const certificate = read(tls.certificate, "tls.certificate", "public")
  const key = read(tls.key, "tls.key", "owner-only")
  const parsed = parseCertificate(certificate)
  if (!parsed.checkPrivateKey(parseKey(key))) {
    refuse(
      "tls.key",
      "The TLS key is not the certificate's.",
      "Name the pair that was made together.",
    )
  }
  const expiresAt = Date.parse(parsed.validTo)
  if (now >= expiresAt) {
    refuse(
      "tls.certificate",
      `The TLS certificate expired on ${parsed.validTo}.`,
      "Renew it, or set this machine's clock.",
    )
  }
  if (now < Date.parse(parsed.validFrom)) {
    refuse(
      "tls.certificate",
      `The TLS certificate is not valid before ${parsed.validFrom}.`,
      "Set this machine's clock, or wait.",
    )
  }
  return { certificate, key, expiresAt }
}
