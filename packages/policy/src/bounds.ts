/**
 * What a policy and a request hold at the most. What is beyond is refused, never cut short.
 *
 * Those of one rule keep Cedar alive: its WebAssembly has a stack of a fixed size, and a rule of
 * 300 brackets within each other, or of 800 operators in a row, overruns it for good.
 */
export const BOUNDS = {
  policyCharacters: 131_072,
  rulesBytes: 65_536,
  rules: 128,
  ruleCharacters: 16_384,
  ruleNesting: 16,
  ruleOperators: 128,
  roles: 64,
  limits: 32,
  quorums: 32,
  members: 64,
  weight: 1000,
  nameCharacters: 64,
  textCharacters: 256,
  /** A window's or a velocity's duration: a minute to a year, in milliseconds. */
  shortestMs: 60_000,
  longestMs: 31_622_400_000,
  requests: 1_000_000,
  principalRoles: 64,
  labels: 32,
  warnings: 64,
  transfers: 256,
  approvals: 128,
  history: 10_000,
  charterBytes: 98_304,
  people: 64,
  /** Of one person. */
  credentials: 8,
  rawKeys: 64,
} as const

/** The largest amount: that of a uint256. */
export const LARGEST_AMOUNT = (1n << 256n) - 1n
