import { accountListing } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import type { OwnerOperationStep } from "../request/step.ts"
import { noBody, onlyStep } from "./steps.ts"

/** What this server knows of the account that asks. */
export const showAccount: OwnerOperationStep = async (step) => {
  onlyStep(step)
  noBody(step)
  const { accountId, name, createdAt } = step.account.value
  const { opaqueVersion } = step.account.value.owner
  const output = encode(accountListing, { accountId, name, opaqueVersion, createdAt })
  return { output, changes: [], event: step.event() }
}
