/** Checks whose deletion nothing can notice, and why they stay. */
export const unnoticed: readonly {
  readonly path: string
  readonly condition: string
  readonly why: string
}[] = [
  {
    path: "dkls/online/order.ts",
    condition: "group.isIdentity(randomised)",
    why: "delta is a hash: an order that leads here is as hard to find as the logarithm of R",
  },
  {
    path: "dkls/ot/block-hash.ts",
    condition: "!LITTLE_ENDIAN",
    why: "only a big-endian processor notices, and the tests run on none",
  },
  {
    path: "repair/accusations.ts",
    condition: "!verdict.valid",
    why: "evidence made of messages that passed the same checks always names one: nothing sent leads here",
  },
  {
    path: "repair/accusations.ts",
    condition: '"pair" in verdict',
    why: "evidence made of messages that passed the same checks always names one: nothing sent leads here",
  },
  {
    path: "repair/coordinator.ts",
    condition: "whole.ok",
    why: "what is whole has no abort: it is said to be null, and would be undefined, for the type alone",
  },
  {
    path: "reshare/checks.ts",
    condition: "!open.commitment",
    why: "a dealer's opening without one is refused before: null stands for those who do not deal",
  },
  {
    path: "reshare/accusations.ts",
    condition: "!verdict.valid",
    why: "evidence made of messages that passed the same checks always names one: nothing sent leads here",
  },
  {
    path: "reshare/accusations.ts",
    condition: '"pair" in verdict',
    why: "evidence made of messages that passed the same checks always names one: nothing sent leads here",
  },
  {
    path: "reshare/verdict.ts",
    condition: '"ownShares" in state',
    why: "who deals nothing has no shares of its own: they are said to be null, and would be undefined",
  },
]
