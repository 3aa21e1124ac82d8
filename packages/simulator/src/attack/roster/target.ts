import type { Kind, Target, Verdicts } from "../harness.ts"
import { ALL, attacks, PROTOCOL } from "./chain-attacks.ts"

// Who follows a roster has nothing but signatures: of one that does not hold anybody may be the author.

function refusedWith({ refused = [] }: Verdicts, codes: RegExp): boolean {
  return refused.length > 0 && refused.every((one) => codes.test(one))
}

const REFUSED = /^(malformed|(untrusted-roster|misconfigured|too-large) .*)$/

const UNATTRIBUTABLE: readonly Kind[] = [
  {
    why: "a roster or chain that was altered on its way: whoever shows one can have done it",
    covers: ({ by, step }, verdicts) =>
      by === "relay" && step !== "join" && refusedWith(verdicts, REFUSED),
  },
  {
    why: "a roster that too few members of the one before have signed: who made it up is not seen",
    covers: ({ by, step, field }, verdicts) =>
      by === "coordinator" &&
      step !== "fork" &&
      !field.startsWith(ALL) &&
      refusedWith(verdicts, REFUSED),
  },
  {
    why: "a roster that none may be, whoever has signed it: all of its members have",
    covers: ({ field }, verdicts) => field.startsWith(ALL) && refusedWith(verdicts, REFUSED),
  },
  {
    why: "two rosters of one number: who signed both is told in words, and none of them is followed",
    covers: ({ step }, verdicts) =>
      step === "fork" && refusedWith(verdicts, /^untrusted-roster roster$/),
  },
  {
    why: "what a member hands to whoever joins the signatures holds nothing: it is named, and asked again",
    covers: ({ step, by }, verdicts) =>
      step === "join" && by === "sender" && refusedWith(verdicts, REFUSED),
  },
]

const HARMLESS: readonly Kind[] = [
  {
    why: "all members agree to another roster, which may follow: that is theirs to choose",
    covers: ({ by, field }) => by === "coordinator" && field.startsWith(ALL),
  },
  {
    why: "an earlier roster of the chain, or more signatures than it takes: whoever follows hears of later ones",
    covers: ({ by, step }) => by === "relay" && step === "chain",
  },
]

/** The rosters of a change of holders, as they are shown to whoever follows the one before. */
export function rosterTarget(): Target {
  return {
    protocol: PROTOCOL,
    steps: ["in transition", "continued", "settled", "chain", "fork", "join"],
    attacks,
    ...{ harmless: HARMLESS, unattributable: UNATTRIBUTABLE },
  }
}
