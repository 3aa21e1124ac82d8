import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Message } from "../../messages/message.ts"
import type { Outcome } from "../../outcome.ts"
import type {
  PresignAnswer,
  PresignContext,
  PresignParams,
  PresignSecrets,
  PresignStep,
} from "../types.ts"

/**
 * What a step is to compute, from the other signers' messages of the step before: for `work`.
 *
 * @param state - of the step before; null at step 1.
 * @param secrets - needed at steps 1 to 3.
 * @param randomness - `STEP_RANDOMNESS` fresh uniform bytes; never reused.
 */
export function presignTask(
  _context: PresignContext,
  _step: PresignStep,
  _state: Bytes | null,
  _messages: readonly Message[],
  _secrets: PresignSecrets | null,
  _randomness: Bytes,
): Outcome<Bytes> {
  throw new Error("not implemented")
}

/**
 * This signer's message of the step, from what `work` made of the task.
 *
 * @param messages - those that the task was made of.
 */
export function presignAnswer(
  _context: PresignContext,
  _step: PresignStep,
  _result: Bytes,
  _messages: readonly Message[],
): Outcome<PresignAnswer> {
  throw new Error("not implemented")
}

/**
 * What a coordinator can check of the messages it relays, before it passes them on: all messages of
 * the run so far, by step. Accusations among them end the run as `pairwise-fault`.
 */
export function presignInspect(
  _params: PresignParams,
  _verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
  _steps: readonly (readonly Message[])[],
): Outcome<null> {
  throw new Error("not implemented")
}
