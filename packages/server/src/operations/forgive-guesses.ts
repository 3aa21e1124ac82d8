import { forgiveGuessesBody } from "@lockkeeper/api"
import { opaque } from "@lockkeeper/protocols"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** The owner says that failed guesses were their own: gives up to that many back. */
export const forgiveGuesses: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { seen } = decodeAs("body", forgiveGuessesBody, step.request.body)
  const guess = await step.guesses.read(step.request.accountId, true)
  const counter = opaque.forgiveGuesses(guess.counter, seen)
  return {
    output: new Uint8Array(0),
    changes: [step.guesses.put(guess, counter)],
    event: step.event(),
    afterCommit: () => step.guesses.remember(guess, counter),
  }
}
