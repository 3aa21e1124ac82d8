/** How long the SDK waits, milliseconds. Every wait has an end. */
export interface Patience {
  /** For one call to one server. */
  readonly callMs: number
  /** Before another server is asked beside one that has not answered yet. */
  readonly hedgeMs: number
  /** For everybody's answer in one step of a key generation. */
  readonly keyGenerationStepMs: number
}

export const DEFAULT_PATIENCE: Patience = {
  callMs: 10_000,
  hedgeMs: 1_000,
  keyGenerationStepMs: 5_000,
}

/** How long a signed request may be carried out, milliseconds. */
export const REQUEST_LIFETIME_MS = 5 * 60_000

/** Longest a login lasts at a server, milliseconds: no server takes a statement that says more. */
export const LOGIN_LIFETIME_MS = 12 * 3_600_000

/** How long a server that failed stands last in line, milliseconds. */
export const DEMOTION_MS = 30_000

/** Most unused nonce commitments kept for one key and server, and most keys they are kept for. */
export const MAX_POOLED = 16
export const MAX_POOLED_KEYS = 64

/** Most verified key certificates a session remembers. */
export const MAX_KNOWN_KEYS = 1024

/** Most pages of a listing that are fetched from one server. */
export const MAX_PAGES = 64
