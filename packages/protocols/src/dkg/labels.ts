/** What each hash of the key generation is for; `hashValue` prefixes the project's name. */
export const LABELS = {
  opening: "dkg/1/opening",
  session: "dkg/1/session",
  commitment: "dkg/1/commitment",
  possession: "dkg/1/possession",
} as const
