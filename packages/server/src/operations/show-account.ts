import { accountListing, LockKeeperError } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import type { OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** What this server knows of the account that asks. */
export const showAccount: OwnerOperationStep = async (step) => {
  onlyStep(step)
  if (step.request.body.length !== 0) {
    throw new LockKeeperError("invalid-request", "This operation takes no body.", {
      field: "body",
    })
  }
  const { accountId, name, createdAt } = step.account.value
  const { opaqueVersion } = step.account.value.owner
  const output = encode(accountListing, { accountId, name, opaqueVersion, createdAt })
  return { output, changes: [], event: step.event() }
}
