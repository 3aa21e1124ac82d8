import type { Kind, Verdicts } from "../harness.ts"

// No server signs what it refuses, and no operator's request is of a run's messages: nobody can be named
// here. What counts is that nothing changes by it.

/** Whether somebody refused, all of them with such a code and field. */
function refusedWith({ refused = [] }: Verdicts, codes: RegExp): boolean {
  return refused.length > 0 && refused.every((one) => codes.test(one))
}

export const UNATTRIBUTABLE: readonly Kind[] = [
  {
    why: "too few holders tell a joiner the same: it knows none of them to be wrong, and takes no share",
    covers: ({ step, by }, verdicts) =>
      step === "verdict" &&
      by === "sender" &&
      refusedWith(verdicts, /^conflict input\.records\.\d+$/),
  },
  {
    why: "what holders told reaches a joiner otherwise, or not at all: a relay can have it so",
    covers: ({ step, by }, verdicts) =>
      step === "verdict" &&
      by === "relay" &&
      refusedWith(verdicts, /^(conflict input\.records\.\d+|invalid-request input\b.*)$/),
  },
  {
    why: "an operator asks for what has no such form, is of no such batch, or is not that server's to do",
    covers: ({ by }, verdicts) =>
      by === "coordinator" && refusedWith(verdicts, /^invalid-request (body|input|step)\b/),
  },
  {
    why: "an operator asks for a step that is not due, or of a run or roster that is not this one",
    covers: ({ by }, verdicts) =>
      by === "coordinator" &&
      refusedWith(verdicts, /^(out-of-order step|wrong-roster body\.params\.rosterEpoch)$/),
  },
  {
    why: "an operator asks a holder to tell of what it does not hold, or somebody who has no opening",
    covers: ({ step, by }, verdicts) =>
      step === "describe" &&
      by === "coordinator" &&
      refusedWith(verdicts, /^(conflict input\.sharings\.\d+|aborted\b.*)$/),
  },
  {
    why: "an operator brings a certificate of something else, or one that too few have signed",
    covers: ({ step, by }, verdicts) =>
      (step === "activate" || step === "leave") &&
      by === "coordinator" &&
      refusedWith(verdicts, /^aborted\b/),
  },
  {
    why: "an operator has a member leave a range without all of its accounts, or as of a time to come",
    covers: ({ step, by }, verdicts) =>
      step === "leave" &&
      by === "coordinator" &&
      refusedWith(verdicts, /^(conflict body\.range|clock-skew body\.range\.generation)$/),
  },
]

export const HARMLESS: readonly Kind[] = [
  {
    why: "what one holder tells otherwise is outvoted, or is not what anybody is believed alone",
    covers: ({ step, by }) => step === "verdict" && by === "sender",
  },
  {
    why: "what some tell does not reach a joiner: the others are enough",
    covers: ({ step, by, field }) =>
      step === "verdict" && by === "relay" && field.startsWith("told by 3"),
  },
  {
    why: "what a holder tells counts once, in whatever order it comes",
    covers: ({ step, by, mutation }) =>
      step === "verdict" && by === "relay" && /^(duplicated|reordered)$/.test(mutation),
  },
  {
    why: "a member that leaves erases what it is brought certificates of, and the rest when it is asked",
    covers: ({ step, by, field }) =>
      step === "leave" &&
      by === "coordinator" &&
      /^(body\.run|input\.certificates|call\.(body|input))/.test(field),
  },
  {
    why: "a member leaves a narrower range that its accounts are in: no name beside them shows it",
    covers: ({ step, by, field }) =>
      step === "leave" && by === "coordinator" && field.startsWith("body.range"),
  },
  {
    why: "asked again for what is done, or for what it has no part in, a server does nothing",
    covers: ({ by, field }) => by === "coordinator" && field === "delivery",
  },
  {
    why: "asked for a step of the run that it has taken, a server says the same again",
    covers: ({ by, field }) => by === "coordinator" && field === "call.step",
  },
]
