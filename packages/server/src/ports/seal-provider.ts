import type { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/**
 * What a server's key-encryption key comes from. Adapters: passphrase; an HSM or a cloud's key
 * service fits by wrapping the same 32 bytes with a key that never leaves it.
 */
export interface SealProvider {
  /** As it stands in the seal record and in `doctor`: "passphrase". */
  readonly kind: string
  /** A record from which `recover` gives back the same key. MUST bind its own parameters. */
  protect(keyEncryptionKey: Secret): Promise<Bytes>
  /**
   * The key-encryption key, or null when this provider does not open the record (the passphrase is
   * wrong). @throws SealRecordDamaged when no provider of this kind could.
   */
  recover(record: Bytes): Promise<Secret | null>
  /** Wipes what the provider holds. */
  close(): Promise<void>
}

/** The seal record is cut, altered in its form, or of an unknown kind or version. */
export class SealRecordDamaged extends Error {
  override readonly name = "SealRecordDamaged"
}
