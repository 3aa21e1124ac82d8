import type { Dealt } from "../reshare/checks.ts"
import { judgeEach, type Messages, type Sorted } from "../reshare/faults.ts"
import { checkOpen, checkSplit, checkSum, checkVerdict } from "./checks.ts"
import type { RepairParams, RepairRunId } from "./params.ts"
import type { OpenPayload, SumPayload, VerdictPayload } from "./payloads.ts"

// A step's checks over all its messages, for participants and the coordinator alike.

export function judgeOpens(params: RepairParams, messages: Messages): Sorted<OpenPayload> {
  return judgeEach(messages, checkOpen, (open) => ({ kind: "repair-open", params, open }))
}

export function judgeSplits(run: RepairRunId, messages: Messages): Sorted<Dealt> {
  return judgeEach(
    messages,
    (message) => checkSplit(run.params, message),
    (said) => ({ kind: "repair-said", run, step: "split", said }),
  )
}

export function judgeSums(run: RepairRunId, messages: Messages): Sorted<SumPayload> {
  return judgeEach(
    messages,
    (message) => checkSum(run.params, message),
    (said) => ({ kind: "repair-said", run, step: "sum", said }),
  )
}

export function judgeVerdicts(run: RepairRunId, messages: Messages): Sorted<VerdictPayload> {
  return judgeEach(
    messages,
    (message) => checkVerdict(run.params, message),
    (said) => ({ kind: "repair-said", run, step: "verdict", said }),
  )
}
