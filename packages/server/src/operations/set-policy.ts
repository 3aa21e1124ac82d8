import { LockKeeperError, setPolicyBody, subjectDigest } from "@lockkeeper/api"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import { type Charter, charterCodec, charterDigest, charterProblem } from "@lockkeeper/policy"
import { putAccount } from "../accounts.ts"
import { putCharter, readCharter } from "../policies/charters.ts"
import { ALLOWED, type Allowed, judge } from "../policies/judge.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/**
 * Sets an account's first charter, or the next one where the policy in force allows it. The one in force
 * once more changes nothing: a server that came to hold the account later gets its text by that.
 */
export const setPolicy: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const body = decodeAs("body", setPolicyBody, step.request.body)
  const charter = decodeAs("body.charter", charterCodec, body.charter)
  const wrong = charterProblem(charter)
  if (wrong !== null) {
    throw new LockKeeperError("invalid-request", `The charter makes no sense: ${wrong.problem}.`, {
      field: `body.charter.${wrong.field}`,
      remedy: "Correct the directory of people, or the policy.",
    })
  }
  await step.policies.prepare(charter)
  const { deps, account, request } = step
  const digest = charterDigest(charter)
  const text = await putCharter(deps.store, request.accountId, charter)
  const held = account.value.charter
  if (held !== null && equalBytes(held, digest)) {
    const event = step.event({ note: `policy ${charter.policy.version} once more` })
    return { output: EMPTY, changes: [text], event }
  }
  const allowed = await allowedBy(step, charter, digest)
  const put = putAccount({ ...account.value, charter: digest }, account.version)
  const note = `policy ${charter.policy.version}`
  return {
    output: EMPTY,
    changes: [text, put, ...allowed.changes],
    event: step.event({ ...allowed.event, note }),
  }
}

const EMPTY: Bytes = new Uint8Array(0)

async function allowedBy(step: OwnerStep, next: Charter, digest: Bytes): Promise<Allowed> {
  const current = await readCharter(step.deps.store, step.account.value)
  const expected = (current?.policy.version ?? 0) + 1
  const { version } = next.policy
  if (version !== expected) {
    throw new LockKeeperError("conflict", `The next version is ${expected}, not ${version}.`, {
      field: "body.charter.policy.version",
      remedy: "Read the policy in force, and change that.",
    })
  }
  if (current === null) return ALLOWED
  const subject = subjectDigest({ kind: "change-policy", charter: encode(charterCodec, next) })
  const what = `policy ${version} in place of ${version - 1}`
  const asked = { content: digest, read: null, what, once: digest, subject }
  return await judge(
    step,
    current,
    { action: "change-policy", key: null, intent: null, ...asked },
    {},
  )
}
