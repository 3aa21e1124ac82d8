import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Message } from "../../messages/message.ts"
import type { Outcome } from "../../outcome.ts"
import type { SetupAnswer, SetupContext, SetupParams, SetupStep } from "../types.ts"

/**
 * What a step is to compute, from the other participants' messages of the step before: for `work`.
 *
 * @param state - of the step before; null at step 1.
 * @param randomness - `STEP_RANDOMNESS` fresh uniform bytes; never reused.
 */
export function setupTask(
  _context: SetupContext,
  _step: SetupStep,
  _state: Bytes | null,
  _messages: readonly Message[],
  _randomness: Bytes,
): Outcome<Bytes> {
  throw new Error("not implemented")
}

/**
 * This participant's message of the step, from what `work` made of the task.
 *
 * @param messages - those that the task was made of.
 */
export function setupAnswer(
  _context: SetupContext,
  _step: SetupStep,
  _result: Bytes,
  _messages: readonly Message[],
): Outcome<SetupAnswer> {
  throw new Error("not implemented")
}

/**
 * What a coordinator can check of the messages it relays, before it passes them on: all messages of
 * the run so far, by step.
 */
export function setupInspect(
  _params: SetupParams,
  _verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
  _steps: readonly (readonly Message[])[],
): Outcome<null> {
  throw new Error("not implemented")
}
