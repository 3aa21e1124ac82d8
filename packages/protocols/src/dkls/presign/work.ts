import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  type PresignResult,
  type PresignTask,
  presignResultCodec,
  presignTaskCodec,
  wipeTaskSecrets,
} from "./task.ts"
import { confirmStep } from "./work-confirm.ts"
import { exchangeStep } from "./work-exchange.ts"
import { openStep } from "./work-open.ts"
import { publishStep } from "./work-publish.ts"

function resultOf(task: PresignTask): PresignResult {
  switch (task.step) {
    case 1:
      return openStep(task)
    case 2:
      return exchangeStep(task)
    case 3:
      return publishStep(task)
    case 4:
      return confirmStep(task)
    case 5:
      return { kind: "kept", secret: new Uint8Array(task.secret) }
  }
}

/** The heavy part of a step of presigning. */
export function presignWork(body: Bytes): Bytes {
  const task = decode(presignTaskCodec, body)
  const result = resultOf(task)
  wipeTaskSecrets(task)
  const encoded = encode(presignResultCodec, { result, carried: task.carried })
  if ("secret" in result) result.secret.fill(0)
  return encoded
}
