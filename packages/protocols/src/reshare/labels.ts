/** What each hash of a refresh or reshare is for; `hashValue` prefixes the project's name. */
export const LABELS = {
  opening: "reshare/1/opening",
  session: "reshare/1/session",
  commitment: "reshare/1/commitment",
  coefficient: "reshare/1/coefficient",
  key: "reshare/1/key",
  shares: "reshare/1/shares",
  outcome: "reshare-outcome",
} as const
