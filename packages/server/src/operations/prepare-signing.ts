import { commitmentList, LockKeeperError, MAX_PREPARED, prepareBody } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { checkFrostKey, checkKeyEpoch, checkUsable, readKey } from "../keys.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { freshCommitments } from "./commitments.ts"
import { onlyStep } from "./steps.ts"

/** FROST round one for up to 16 future signatures, so that each takes one round trip. */
export const prepareSigning: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { keyId, keyEpoch, count } = decodeAs("body", prepareBody, step.request.body)
  if (count < 1 || count > MAX_PREPARED) {
    throw new LockKeeperError("invalid-request", `Ask for 1 to ${MAX_PREPARED} commitments.`, {
      field: "body.count",
    })
  }
  const { value: row } = await readKey(step.deps.store, step.request.accountId, keyId)
  using _share = row.keyPackage.signingShare
  await checkUsable(step, row)
  checkFrostKey(row)
  checkKeyEpoch(row, keyEpoch)
  const fresh = freshCommitments(step, row.keyPackage, count)
  if (fresh.messages.length === 0) {
    throw new LockKeeperError("rate-limited", "Too many requests prepare this key at once.", {
      field: "keyId",
      remedy: "Send them one after the other.",
    })
  }
  return {
    output: encode(commitmentList, fresh.messages),
    changes: fresh.changes,
    event: step.event({ keyId }),
    afterCommit: fresh.issue,
    release: fresh.release,
  }
}
