/** How long the SDK waits, milliseconds. Every wait has an end. */
export interface Patience {
  /** For one call to one server. */
  readonly callMs: number
  /** Before another server is asked beside one that has not answered yet. */
  readonly hedgeMs: number
  /** For everybody's answer in one step of a key generation; in the first one for twice `hedgeMs` where
   * a server gave no answer lately. */
  readonly keyGenerationStepMs: number
  /** For everybody's answer in one step of presigning, or of setting pairs of servers up. */
  readonly presigningStepMs: number
}

export const DEFAULT_PATIENCE: Patience = {
  callMs: 10_000,
  hedgeMs: 1_000,
  keyGenerationStepMs: 5_000,
  presigningStepMs: 15_000,
}

/** How long a signed request may be carried out, milliseconds. */
export const REQUEST_LIFETIME_MS = 5 * 60_000

/** How often one call may find that a copy of its frame came first, and the pause after the first time,
 * milliseconds: longer with each. */
export const MAX_COPIES = 4
export const COPY_PAUSE_MS = 50

/** Longest a login lasts at a server, milliseconds: no server takes a statement that says more. */
export const LOGIN_LIFETIME_MS = 12 * 3_600_000

/** How long a server that failed stands last in line, milliseconds. */
export const DEMOTION_MS = 30_000

/**
 * How long a server is left out of signer sets once it was proven at fault, or others refused to work
 * with it, milliseconds: after that one attempt finds out whether its quarantine was lifted.
 */
export const EXCLUSION_MS = 10 * 60_000

/** Most pieces of evidence that wait for a login to be reported, and most that are remembered. */
export const MAX_EVIDENCE_WAITING = 32
export const MAX_EVIDENCE_SEEN = 256

/** Most unused nonce commitments kept for one key and server, and most keys they are kept for. */
export const MAX_POOLED = 16
export const MAX_POOLED_KEYS = 64

/** Most verified key certificates a session remembers. */
export const MAX_KNOWN_KEYS = 1024

/** Most pages of a listing that are fetched from one server. */
export const MAX_PAGES = 64

/** How long a nonce or an offered presignature is taken for usable, milliseconds: servers keep both
 * for a minute. */
export const MATERIAL_LIFETIME_MS = 50_000

/** Most keys that nonces and offers are kept for, and most signer sets of one key. */
export const MAX_PREPARED_KEYS = 64
export const MAX_PREPARED_SETS = 32

/** Most partial signer sets looked at to find one that all rules allow. */
export const MAX_SET_SEARCH = 20_000

/** Most signer sets of one key that a pool is kept for. */
export const MAX_SETS_IN_USE = 16

/** Most signer sets that one signature, or one refill, is tried with, one after the other or side by side. */
export const MAX_SETS_TRIED = 32

/** Most requests of one signature, each of `MAX_ATTEMPTS` attempts. */
export const MAX_SIGN_REQUESTS = 5

/** Most presignatures or nonces of one signer set in a row that turn out to be gone, before other
 * sets are tried. */
export const MAX_STALE = 6

/** Most batches on the spot that one signature waits for with one signer set. */
export const MAX_SPOT_BATCHES = 32

/** Most runs of one set-up of pairs that others may get ahead of before whoever says so is left out. */
export const MAX_OVERTAKEN = 3

/** Most batches of presignatures that are begun anew because a pair was not set up, or not the same at
 * both ends, and the longest pause before such a batch, milliseconds. */
export const MAX_PAIR_TRIES = 5
export const MAX_PAIR_PAUSE_MS = 2_000

/** How long an answer about pools is believed when signer sets are chosen, milliseconds. */
export const POOL_NEWS_LIFETIME_MS = 2_000

/** Longest the refill of a pool waits for signatures that are being made, milliseconds, and how
 * often it looks. */
export const MAX_YIELD_MS = 500
export const YIELD_STEP_MS = 100

/** How many times as long as a batch took a refill rests after it while nobody signs and the set is
 * nearly full: with 3 a pool that is filled from nothing keeps the servers busy half of the time. */
export const REST_FACTOR = 3

/** Pause after a refill that failed, milliseconds: doubled with each failure up to the second. */
export const FIRST_BACKOFF_MS = 1_000
export const MAX_BACKOFF_MS = 60_000

/** How long before its end an operator's credential is asked for anew, milliseconds. */
export const RENEWAL_MARGIN_MS = 5 * 60_000

/** Most pages of sharings of one kind that one server is asked for. */
export const MAX_SHARING_PAGES = 65_536

/** How often an operator's step that a server refuses as one too many is asked for, and the pause
 * before each next time, milliseconds. */
export const MAX_RATE_WAITS = 20
export const RATE_WAIT_MS = 1_000

/** Most generations of a key's shares that one operation is tried with, while servers go from one to
 * the next, and how much longer it waits before each, milliseconds. */
export const MAX_GENERATIONS_TRIED = 5
export const GENERATION_PAUSE_MS = 200

/** Most tries at one batch of a refresh, and how often one step is asked for again where other requests
 * were faster at the same rows. */
export const MAX_RESHARE_ATTEMPTS = 12
export const MAX_CONFLICTS = 4

/** How often the generations of a batch are put further on where holders that list nothing say that they
 * have confirmed them: twice as far each time. */
export const MAX_LIFTS = 6

/** Pause before another try where a server has opened a later one, milliseconds. */
export const ATTEMPT_PAUSE_MS = 1_500

/** Sharings of one batch unless more are asked for: a server's step over so many holds up what else it
 * answers for about ten milliseconds. Measured: with 50 a refresh goes half as fast again, and whoever
 * signs meanwhile waits twice as long. */
export const RESHARE_BATCH = 12

/** Most tries at one batch of a repair: each that fails takes a helper or names one. */
export const MAX_REPAIR_ATTEMPTS = 12

/** Most pages that are read of the runs that one server waits in: as many runs as an operator may begin. */
export const MAX_WAITING_PAGES = 16

/** Sharings of one batch of a repair unless fewer are asked for, and how much of a frame what holders tell
 * of them beside the shares may take, bytes. */
export const REPAIR_BATCH = 50
export const REPAIR_RECORD_BYTES = 600_000
