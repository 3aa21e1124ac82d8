/**
 * Bounds on everything that travels. With them each kind of evidence fits its own bound, which is
 * why a run has no more participants than this.
 */
export const LIMITS = {
  /** Participants of one run, and holders of one key. */
  participants: 24,
  /** Bytes of one header as signed. */
  header: 2048,
  /** Bytes of one broadcast part. */
  broadcast: 16 * 1024,
  /** Bytes of one sealed part. */
  sealed: 8 * 1024,
  /** Bytes of one part of threshold ECDSA's multiplication, which travels in a codec of its own. */
  bulk: 768 * 1024,
  /** Bytes of one encoded evidence. */
  evidence: 64 * 1024 - 128,
} as const
